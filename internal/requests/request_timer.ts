/**
 * One timer for the time limit of all requests of a server.
 *
 * @module
 */

import { setUnrefTimeout } from "../waiting/timeouts.ts";

/**
 * Keeps what is known of the time of each request, and looks now and then for those that are over the limit. A subclass
 * says when to look, and which requests are over.
 *
 * @typeParam T A request.
 * @typeParam K What is known of its time.
 */
export abstract class RequestTimer<T, K> {
  /** The requests in the order in which they began. */
  protected readonly watched: Map<T, K> = new Map();
  readonly #onOver: (over: T[], seconds: number) => void;
  #seconds: number | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param onOver Called with the requests that are over the limit of `seconds`. */
  constructor(onOver: (over: T[], seconds: number) => void) {
    this.#onOver = onOver;
  }

  /** Returns what is known of a request that begins; undefined if the limit is not for it. */
  protected abstract first(request: T): K | undefined;

  /** Returns the ms until the next look. */
  protected abstract delay(seconds: number): number;

  /** Returns the requests that are over the limit. */
  protected abstract look(seconds: number): T[];

  /** The seconds of the limit; null is no limit. */
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
    if (seconds === null) return this.watched.clear();
    if (first) { for (const request of open) this.begin(request); }
    this.#setTimer();
  }

  /** Begins the time of a request. */
  begin(request: T): void {
    const known = this.#seconds === null ? undefined : this.first(request);
    if (known === undefined) return;
    this.watched.delete(request); // at the end of the order
    this.watched.set(request, known);
    this.#setTimer();
  }

  /** Ends the time of a request. A timer for a request that has ended meanwhile does no harm. */
  end(request: T): void {
    this.watched.delete(request);
  }

  #setTimer(): void {
    if (this.#timer !== undefined || this.empty) return;
    const ms = this.delay(this.#seconds!);
    this.#timer = setUnrefTimeout(this.#fire, Math.ceil(Math.max(0, ms)));
  }

  readonly #fire = (): void => {
    this.#timer = undefined;
    const seconds = this.#seconds!;
    const over = this.look(seconds);
    for (const request of over) this.watched.delete(request);
    this.#setTimer();
    if (over.length > 0) this.#onOver(over, seconds);
  };

  /** Stops the timer, if no request is open or the limit changes. */
  stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Whether no request is open. */
  get empty(): boolean {
    return this.watched.size === 0;
  }
}
