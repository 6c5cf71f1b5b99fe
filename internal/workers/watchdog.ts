/**
 * Noticing that a worker is stuck.
 *
 * @module
 */

import { MAX_DELAY } from "../waiting/timeouts.ts";
import type { FrameChannel } from "../channel/frame_channel.ts";
import { HEARTBEAT } from "../channel/frames.ts";

/** How often it looks, in parts of the timeout: so that a worker has a quarter more than that at most. */
const LOOKS = 4;

/** Asks a worker for signs of life while it has requests. */
export class Watchdog {
  readonly #timeoutMs: number;
  readonly #channel: FrameChannel;
  readonly #onStuck: (reason: string) => void;
  #timer: ReturnType<typeof setInterval> | undefined;
  /** Since when an answer is due. */
  #asked: number | undefined;

  /**
   * @param timeout Seconds without a sign of life.
   * @param channel What connects with the worker.
   * @param onStuck Called when there was none.
   */
  constructor(
    timeout: number,
    channel: FrameChannel,
    onStuck: (reason: string) => void,
  ) {
    this.#timeoutMs = timeout * 1000;
    this.#channel = channel;
    this.#onStuck = onStuck;
  }

  /** The worker has a request. */
  start(): void {
    if (this.#timer !== undefined) return;
    this.#look();
    this.#timer = setInterval(
      () => this.#look(),
      Math.min(this.#timeoutMs / LOOKS, MAX_DELAY),
    );
  }

  #look(): void {
    this.#channel.receive(); // this thread may be the one that was late
    if (this.#asked === undefined) {
      this.#asked = performance.now();
      this.#channel.send(HEARTBEAT, 0);
    } else if (performance.now() - this.#asked >= this.#timeoutMs) {
      this.#onStuck(
        `it showed no sign of life for ${this.#timeoutMs / 1000} s`,
      );
    }
  }

  /** The worker has answered. */
  alive(): void {
    this.#asked = undefined;
  }

  /** The worker has no request. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = this.#asked = undefined;
  }
}
