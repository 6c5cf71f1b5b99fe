/**
 * The deadlines of PROXY headers, `proxyTimeout`.
 *
 * @module
 */

import type { OSError } from "../base/errors.ts";
import { osError } from "../base/translate_error.ts";
import { READING } from "../proxy/header.ts";
import { Cancellation } from "../waiting/timeouts.ts";
import { RequestDeadlines } from "./request_timer.ts";

/** Ends the wait for one header. */
export class HeaderLimit extends Cancellation {
  readonly due = Infinity; // the deadlines have the time
  #onCancel: ((error: unknown) => void) | undefined;
  #seconds = 0;

  start(onCancel: (error: unknown) => void): void {
    this.#onCancel = onCancel;
  }

  cancel(): void {
    this.#onCancel = undefined;
  }

  /** Ends the wait: the header took longer than `seconds`. */
  expire(seconds: number): void {
    this.#seconds = seconds;
    const onCancel = this.#onCancel;
    this.cancel();
    onCancel?.(this.error());
  }

  error(): OSError {
    const reason = `timed out after ${this.#seconds} s`;
    return osError("ETIMEDOUT", { syscall: READING, reason });
  }
}

/** Ends the waits for headers that take too long. One timer serves all. */
export class HeaderDeadlines {
  readonly #open = new Set<HeaderLimit>();
  readonly #deadlines = new RequestDeadlines<HeaderLimit>((over, seconds) => {
    for (const limit of over) limit.expire(seconds);
  });

  /** The seconds that a header may take; null is no limit. */
  get seconds(): number | null {
    return this.#deadlines.seconds;
  }

  set seconds(seconds: number | null) {
    this.#deadlines.setLimit(seconds, this.#open);
  }

  /** Begins the time of a header. */
  begin(): HeaderLimit {
    const limit = new HeaderLimit();
    this.#open.add(limit);
    this.#deadlines.begin(limit);
    return limit;
  }

  /** Ends the time of a header. */
  end(limit: HeaderLimit): void {
    this.#open.delete(limit);
    this.#deadlines.end(limit);
  }

  /** Stops the timer of a server that closes. */
  stopTimer(): void {
    this.#deadlines.stopTimer();
  }
}
