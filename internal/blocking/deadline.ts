/**
 * The time limit of a blocking call.
 *
 * @module
 */

import { osError } from "../base/translate_error.ts";
import { checkAborted } from "../waiting/abort.ts";
import type { FrameChannel } from "../channel/frame_channel.ts";

/** The most milliseconds that a thread blocks before it reads the clock again. Arbitrary. */
const SLEEP_MAX_MS = 60_000;

/** A time limit in seconds; null is no limit. */
export type Seconds = number | null;

/** The time limit of a call that may block several times. */
export class Deadline {
  /** Whether the call must not block. */
  readonly now: boolean;
  readonly #seconds: Seconds;
  readonly #due: number;
  readonly #deadlineSeconds: number | undefined;
  /** Ends the call, if it aborts. */
  readonly #signal: AbortSignal | undefined;

  /**
   * @param seconds The seconds from now.
   * @param signal Ends the call when it aborts.
   * @param whole The seconds of the socket's deadline, if `seconds` is the rest of it.
   * @throws The signal's reason if it has aborted.
   */
  constructor(seconds: Seconds | "now", signal?: AbortSignal, whole?: number) {
    checkAborted(signal);
    this.#signal = signal;
    this.now = seconds === "now";
    this.#deadlineSeconds = whole;
    this.#seconds = this.now ? 0 : seconds as Seconds;
    this.#due = this.#seconds === null
      ? Infinity
      : performance.now() + this.#seconds * 1000;
  }

  /** Whether the call has no time limit. */
  get endless(): boolean {
    return this.#due === Infinity;
  }

  /** The seconds left; undefined without a limit. At least a millisecond if the call may block. */
  get left(): number | undefined {
    if (this.#seconds === null) return undefined;
    return this.now ? 0 : Math.max(1, this.#due - performance.now()) / 1000;
  }

  /**
   * Blocks the thread until `ready` returns true. Calls it whenever frames have come.
   *
   * @param channel The channel to the main thread.
   * @param ready Reports whether the call can go on.
   * @param syscall The name of the call, for errors.
   * @throws {BlockingIOError} if the call would have to block and must not.
   * @throws {TimeoutError} if the time runs out.
   * @throws The signal's reason if it aborts.
   */
  wait(channel: FrameChannel, ready: () => boolean, syscall: string): void {
    if (ready()) return;
    if (this.now) return poll(channel, ready, syscall);
    for (;;) {
      checkAborted(this.#signal); // also of an abort that came with frames handled before
      const left = this.#due - performance.now();
      channel.block(Math.min(Math.max(left, 0), SLEEP_MAX_MS)); // handles frames that have come even if no time is left
      if (ready()) return;
      if (left > 0) continue;
      checkAborted(this.#signal);
      throw osError("ETIMEDOUT", { syscall, reason: this.#reason });
    }
  }

  get #reason(): string {
    return this.#deadlineSeconds === undefined
      ? `timed out after ${this.#seconds} s`
      : `the deadline of ${this.#deadlineSeconds} s has passed`;
  }
}

function poll(
  channel: FrameChannel,
  ready: () => boolean,
  syscall: string,
): void {
  channel.receive();
  channel.flush(); // a handler that polls gives the event loop no turn to do it
  if (!ready()) throw osError("EAGAIN", { syscall });
}
