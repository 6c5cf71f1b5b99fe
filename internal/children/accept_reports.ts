/**
 * The reports of a child process about the requests that it has accepted itself.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import type { ByteCounts } from "../socket/stream.ts";
import type { ParentLink } from "./parent_link.ts";

/**
 * The milliseconds for which requests are reported together. Requests that have ended by then are counted and not named,
 * which makes short connections fast. Arbitrary: a hundredth of a second is soon enough for a counter.
 */
const REPORT_MS = 10;

/**
 * Reports the requests that a child has accepted: the first at once, and those of the next {@linkcode REPORT_MS}
 * together.
 */
export class AcceptReports {
  readonly #link: ParentLink;
  readonly #begun = new Map<number, Address>();
  #ended = 0;
  #bytesIn = 0;
  #bytesOut = 0;
  #gone = 0;
  #ms = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #last = 0;
  /** Whether the server wants to hear of each request. */
  each = false;

  /** @param link The channel. */
  constructor(link: ParentLink) {
    this.#link = link;
  }

  /** Notes a request that has begun. */
  began(id: number, client: Address): void {
    this.#begun.set(id, client);
    this.#schedule();
  }

  /** Notes a client that was gone before it was accepted. */
  gone(): void {
    this.#gone++;
    this.#schedule();
  }

  /** Notes a request that has ended. */
  finished(id: number, ms: number, counts: ByteCounts, idle: boolean): void {
    if (this.each || idle) this.flush();
    if (!this.#begun.delete(id)) return this.#link.done(id, ms, counts, idle);
    this.#ended++;
    this.#ms = ms;
    this.#bytesIn += counts.bytesIn;
    this.#bytesOut += counts.bytesOut;
    this.#schedule();
  }

  /** Notes a request that has failed. */
  failed(id: number, error: unknown, counts: ByteCounts): void {
    this.flush();
    this.#link.failed(id, error, counts);
  }

  #schedule(): void {
    if (this.#timer !== undefined) return;
    const wait = this.each ? 0 : this.#last + REPORT_MS - performance.now();
    this.#timer = setTimeout(() => this.flush(), Math.max(0, wait));
  }

  /** Reports everything. Resolves when the report is written: the server knows of a request before its handler computes. */
  written(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.flush(resolve);
    return promise;
  }

  /** Reports everything. Calls `written` when the requests that have begun are reported. */
  flush(written?: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#last = performance.now();
    if (this.#ended > 0 || this.#gone > 0) {
      this.#link.ended({
        count: this.#ended,
        gone: this.#gone,
        ms: this.#ms,
        bytesIn: this.#bytesIn,
        bytesOut: this.#bytesOut,
      });
      this.#ended =
        this.#gone =
        this.#bytesIn =
        this.#bytesOut =
          0;
    }
    if (this.#begun.size === 0) return written?.();
    const ids = [...this.#begun.keys()];
    this.#link.accepted(ids, [...this.#begun.values()], written);
    this.#begun.clear();
  }
}
