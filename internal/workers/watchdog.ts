/**
 * Notices that a worker is stuck.
 *
 * @module
 */

import { MAX_DELAY } from "../waiting/timeouts.ts";
import type { FrameChannel } from "../channel/frame_channel.ts";
import { HEARTBEAT } from "../channel/frames.ts";

/** The checks in one timeout: a stuck worker is noticed at most a quarter of the timeout late. */
const LOOKS = 4;

/** Asks a worker for heartbeats while it has requests. */
export class Watchdog {
  readonly #timeoutMs: number;
  readonly #channel: FrameChannel;
  readonly #onStuck: (reason: string) => void;
  #timer: ReturnType<typeof setInterval> | undefined;
  /** The time of the heartbeat that is due. */
  #asked: number | undefined;

  /**
   * @param timeout The seconds without a heartbeat after which the worker is stuck.
   * @param channel The channel to the worker.
   * @param onStuck Called when the worker is stuck.
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

  /** Starts checking: the worker has a request. */
  start(): void {
    if (this.#timer !== undefined) return;
    this.#look();
    this.#timer = setInterval(
      () => this.#look(),
      Math.min(this.#timeoutMs / LOOKS, MAX_DELAY),
    );
  }

  #look(): void {
    this.#channel.receive(); // this thread itself may be late
    if (this.#asked === undefined) {
      this.#asked = performance.now();
      this.#channel.send(HEARTBEAT, 0);
    } else if (performance.now() - this.#asked >= this.#timeoutMs) {
      this.#onStuck(
        `it showed no sign of life for ${this.#timeoutMs / 1000} s`,
      );
    }
  }

  /** Notes a heartbeat. */
  alive(): void {
    this.#asked = undefined;
  }

  /** Stops checking: the worker has no request. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = this.#asked = undefined;
  }
}
