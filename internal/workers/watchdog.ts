/**
 * Notices that a worker is stuck.
 *
 * @module
 */

import { MAX_DELAY } from "../waiting/timeouts.ts";
import type { FrameChannel } from "../channel/frame_channel.ts";
import { HEARTBEAT } from "../channel/frames.ts";

/** The checks in one timeout: a stuck worker is noticed at most a quarter of the timeout late. Arbitrary. */
const CHECKS = 4;

/** Asks a worker for heartbeats while it has requests. */
export class Watchdog {
  readonly #timeoutMs: number;
  readonly #channel: FrameChannel;
  readonly #onStuck: (error: Error) => void;
  #timer: ReturnType<typeof setInterval> | undefined;
  /** The time at which the worker was asked for the heartbeat that is due; undefined if none is. */
  #askedAt: number | undefined;

  /**
   * @param timeout The seconds without a heartbeat after which the worker is stuck.
   * @param channel The channel to the worker.
   * @param onStuck Called with the error of a worker that is stuck.
   */
  constructor(
    timeout: number,
    channel: FrameChannel,
    onStuck: (error: Error) => void,
  ) {
    this.#timeoutMs = timeout * 1000;
    this.#channel = channel;
    this.#onStuck = onStuck;
  }

  /** Starts checking: the worker has a request. */
  start(): void {
    if (this.#timer !== undefined) return;
    this.#check();
    this.#timer = setInterval(
      () => this.#check(),
      Math.min(this.#timeoutMs / CHECKS, MAX_DELAY),
    );
  }

  #check(): void {
    this.#channel.receive(); // this thread itself may be late
    if (this.#askedAt === undefined) {
      this.#askedAt = performance.now();
      this.#channel.send(HEARTBEAT, 0);
    } else if (performance.now() - this.#askedAt >= this.#timeoutMs) {
      const seconds = this.#timeoutMs / 1000;
      this.#onStuck(new Error(`it showed no sign of life for ${seconds} s`));
    }
  }

  /** Notes a heartbeat. */
  alive(): void {
    this.#askedAt = undefined;
  }

  /** Stops checking: the worker has no request. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = this.#askedAt = undefined;
  }
}
