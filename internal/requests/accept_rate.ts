/**
 * The rate at which a server accepts connections, `maxAcceptRate`.
 *
 * @module
 */

import { MAX_DELAY } from "../waiting/timeouts.ts";
import type { Readiness } from "../waiting/pending_operation.ts";

/** The clock of a rate, in ms. Tests have their own. */
export interface Clock {
  now(): number;
  setTimeout(callback: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
}

const CLOCK: Clock = {
  now: () => performance.now(),
  setTimeout: (callback, ms) => setTimeout(callback, ms),
  clearTimeout: (timer) => clearTimeout(timer as number),
};

/** The error in ms that the sum of many intervals may have. */
const ROUNDING_MS = 1e-3;

/**
 * Limits connections to a rate. After a pause as many as a second allows, at least one, may come at once; so no interval
 * of `t` seconds has more than `max(rate, 1) + rate * t` of them.
 *
 * This is the generic cell rate algorithm, a token bucket that stores one time instead of tokens. Ready while another
 * connection may come.
 */
export class AcceptRate implements Readiness {
  readonly #onWait: () => void;
  readonly #clock: Clock;
  #rate = Infinity;
  /** The time between two connections at the rate, in ms. */
  #interval = 0;
  /** The time in ms by which the bucket may run ahead: the burst less one. */
  #burstMs = 0;
  /** The time at which the bucket is full again. */
  #fullAt = -Infinity;
  #waiting: PromiseWithResolvers<void> | undefined;
  #timer: unknown;
  /** Whether the connection that waits has been counted. */
  #counted = false;

  /**
   * @param onWait Called once for each connection that has to wait.
   * @param clock The clock.
   */
  constructor(onWait: () => void, clock: Clock = CLOCK) {
    this.#onWait = onWait;
    this.#clock = clock;
  }

  /** The connections per second; Infinity is no limit. */
  get rate(): number {
    return this.#rate;
  }

  set rate(rate: number) {
    const burst = rate === Infinity ? 1 : Math.max(1, Math.floor(rate));
    this.#rate = rate;
    this.#interval = Math.min(1000 / rate, Number.MAX_VALUE);
    this.#burstMs = (burst - 1) * this.#interval;
    this.#fullAt = Math.min(this.#fullAt, this.#clock.now() + this.#burstMs); // waits no longer than the new rate asks
    this.endWait();
  }

  /** Whether another connection may come. */
  get ready(): boolean {
    return this.#rate === Infinity || this.#left() < ROUNDING_MS;
  }

  /** Returns the time in ms until another connection may come. */
  #left(): number {
    return this.#fullAt - this.#burstMs - this.#clock.now();
  }

  /** Takes the place of a connection, if it may come now. */
  take(): boolean {
    if (this.#rate === Infinity) return true;
    if (!this.ready) return false;
    this.#fullAt = Math.max(this.#fullAt, this.#clock.now()) + this.#interval;
    this.#counted = false;
    return true;
  }

  /** Resolves when another connection may come, or the rate has changed. */
  nextChange(): Promise<void> {
    if (!this.#counted) {
      this.#counted = true;
      this.#onWait();
    }
    if (this.#waiting === undefined) {
      const ms = Math.min(Math.ceil(this.#left()), MAX_DELAY);
      this.#waiting = Promise.withResolvers();
      this.#timer = this.#clock.setTimeout(() => this.endWait(), ms);
    }
    return this.#waiting.promise;
  }

  /** Ends the wait: the loop looks again, or has ended. */
  endWait(): void {
    this.#clock.clearTimeout(this.#timer);
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }
}
