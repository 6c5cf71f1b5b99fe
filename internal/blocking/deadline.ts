/**
 * How a call blocks its thread.
 *
 * @module
 */

import { osError } from "../base/errors.ts";
import type { FrameChannel } from "../channel/frame_channel.ts";

/** The longest a thread sleeps at once, a minute; then it looks at the clock again. Arbitrary. */
const SLEEP_MAX_MS = 60_000;

/** How long a call may take, in seconds; null is without end. */
export type Seconds = number | null;

/** The time that a call has, which may block several times. */
export class Deadline {
  /** Whether the call must not block at all. */
  readonly now: boolean;
  readonly #seconds: Seconds;
  readonly #due: number;
  readonly #whole: number | undefined;

  /**
   * @param seconds How long from now.
   * @param whole The seconds of the socket's deadline, where these are what is left of it.
   */
  constructor(seconds: Seconds | "now", whole?: number) {
    this.now = seconds === "now";
    this.#whole = whole;
    this.#seconds = this.now ? 0 : seconds as Seconds;
    this.#due = this.#seconds === null
      ? Infinity
      : performance.now() + this.#seconds * 1000;
  }

  /** Whether the call may block without end. */
  get endless(): boolean {
    return this.#due === Infinity;
  }

  /** The seconds that are left; undefined without an end. At least a millisecond, where the call may block at all. */
  get left(): number | undefined {
    if (this.#seconds === null) return undefined;
    return this.now ? 0 : Math.max(1, this.#due - performance.now()) / 1000;
  }

  /**
   * Blocks the thread until `ready`, which is asked whenever something came.
   *
   * @param channel What connects with the main thread.
   * @param ready Whether to go on.
   * @param syscall For the message of the error.
   * @throws {BlockingIOError} where the call must not block.
   * @throws {TimeoutError} when the time is over.
   */
  wait(channel: FrameChannel, ready: () => boolean, syscall: string): void {
    if (ready()) return;
    if (this.now) return look(channel, ready, syscall);
    for (;;) {
      const left = this.#due - performance.now();
      channel.block(Math.min(Math.max(left, 0), SLEEP_MAX_MS)); // which takes what has come in any case
      if (ready()) return;
      if (left > 0) continue;
      throw osError("ETIMEDOUT", { syscall, reason: this.#reason });
    }
  }

  get #reason(): string {
    return this.#whole === undefined
      ? `timed out after ${this.#seconds} s`
      : `the deadline of ${this.#whole} s has passed`;
  }
}

function look(
  channel: FrameChannel,
  ready: () => boolean,
  syscall: string,
): void {
  channel.receive();
  channel.flush(); // a handler that asks again and again gives the event loop no turn
  if (!ready()) throw osError("EAGAIN", { syscall });
}
