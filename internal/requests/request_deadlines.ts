/**
 * The deadlines of requests, `requestTimeout`.
 *
 * @module
 */

import { setUnrefTimeout } from "../waiting/timeouts.ts";

/**
 * Keeps the time at which each request has begun, and finds those that take too long. All requests have the same time,
 * so the first of them is the next one that is due, and one timer serves all.
 *
 * @typeParam T A request.
 */
export class RequestDeadlines<T> {
  readonly #onExpire: (over: T[], seconds: number) => void;
  /** The requests in the order in which they began, and when. */
  readonly #begun = new Map<T, number>();
  #seconds: number | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param onExpire Called with the requests that took longer than `seconds`. */
  constructor(onExpire: (over: T[], seconds: number) => void) {
    this.#onExpire = onExpire;
  }

  /** The seconds that a request may take; null is no limit. */
  get seconds(): number | null {
    return this.#seconds;
  }

  /**
   * Sets the limit, for open requests too. If there was none, the time of the open requests begins now.
   *
   * @param seconds The seconds; null is no limit.
   * @param open The open requests.
   */
  setLimit(seconds: number | null, open: Iterable<T>): void {
    const first = this.#seconds === null;
    this.#seconds = seconds;
    this.stopTimer();
    if (seconds === null) return this.#begun.clear();
    if (first) { for (const active of open) this.begin(active); }
    if (this.#timer === undefined) this.#setTimer();
  }

  /** Begins the time of a request. */
  begin(active: T): void {
    if (this.#seconds === null) return;
    this.#begun.delete(active); // at the end of the order
    this.#begun.set(active, performance.now());
    if (this.#timer === undefined) this.#setTimer();
  }

  /** Ends the time of a request. */
  end(active: T): void {
    this.#begun.delete(active);
  }

  /** Sets the timer for the request that is due first. A timer for one that has ended meanwhile does no harm. */
  #setTimer(): void {
    const [begun] = this.#begun.values();
    if (begun === undefined) return;
    const left = begun + this.#seconds! * 1000 - performance.now();
    this.#timer = setUnrefTimeout(this.#fire, Math.ceil(Math.max(0, left)));
  }

  readonly #fire = (): void => {
    this.#timer = undefined;
    const seconds = this.#seconds!;
    const latest = performance.now() - seconds * 1000;
    const over: T[] = [];
    for (const [active, begun] of this.#begun) {
      if (begun > latest) break;
      over.push(active);
      this.#begun.delete(active);
    }
    this.#setTimer();
    if (over.length > 0) this.#onExpire(over, seconds);
  };

  /** Stops the timer, if no request is open or the limit changes. */
  stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Whether no request is open. */
  get empty(): boolean {
    return this.#begun.size === 0;
  }
}
