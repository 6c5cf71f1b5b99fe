/**
 * The search for idle connections, `idleTimeout`.
 *
 * @module
 */

import { Socket, stateOf } from "../socket/socket_object.ts";
import { setUnrefTimeout } from "../waiting/timeouts.ts";
import type { ActiveRequest } from "./active_request.ts";

/** The sweeps in the time of the limit: a connection ends at most an eighth of the time late. Arbitrary. */
const SWEEPS = 8;

/** The longest time in ms between two sweeps. A sweep over 10,000 connections takes about a millisecond. Arbitrary. */
const PERIOD_MAX = 5000;

/** What a sweep has seen of a connection. */
interface Seen {
  /** The number of bytes that had come and gone. */
  bytes: number;
  /** The time of the first sweep that saw as many. */
  since: number;
}

/**
 * Finds connections on which no byte has come or gone for a time. One timer compares the byte counters of all
 * connections now and then, so that a read or a write costs nothing, and a connection needs no timer of its own.
 */
export class IdleSweep {
  readonly #onIdle: (over: ActiveRequest[], seconds: number) => void;
  readonly #seen = new Map<ActiveRequest, Seen>();
  #seconds: number | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param onIdle Called with the requests whose connections were idle for `seconds`. */
  constructor(onIdle: (over: ActiveRequest[], seconds: number) => void) {
    this.#onIdle = onIdle;
  }

  /** The seconds that a connection may be idle; null is no limit. */
  get seconds(): number | null {
    return this.#seconds;
  }

  /**
   * Sets the limit, for open requests too.
   *
   * @param seconds The seconds; null is no limit.
   * @param open The open requests.
   */
  setLimit(seconds: number | null, open: Iterable<ActiveRequest>): void {
    const first = this.#seconds === null;
    this.#seconds = seconds;
    this.stopTimer();
    if (seconds === null) return this.#seen.clear();
    if (first) { for (const active of open) this.begin(active); }
    if (this.#timer === undefined) this.#setTimer();
  }

  /** Begins to watch the connection of a request. */
  begin(active: ActiveRequest): void {
    if (this.#seconds === null || !(active.request instanceof Socket)) return;
    this.#seen.set(active, { bytes: -1, since: 0 });
    if (this.#timer === undefined) this.#setTimer();
  }

  /** Ends the watch. */
  end(active: ActiveRequest): void {
    this.#seen.delete(active);
  }

  #setTimer(): void {
    if (this.#seen.size === 0) return;
    const period = Math.min(this.#seconds! * 1000 / SWEEPS, PERIOD_MAX);
    this.#timer = setUnrefTimeout(this.#sweep, Math.ceil(period));
  }

  readonly #sweep = (): void => {
    const seconds = this.#seconds!;
    const now = performance.now();
    const over: ActiveRequest[] = [];
    for (const [active, seen] of this.#seen) {
      const state = stateOf(active.request as Socket);
      if (state.closed) continue; // a child may have it
      const { bytesIn, bytesOut } = state.byteCounts;
      const bytes = bytesIn + bytesOut;
      if (seen.bytes !== bytes) {
        seen.bytes = bytes;
        seen.since = now;
      } else if (now - seen.since >= seconds * 1000) {
        over.push(active);
        this.#seen.delete(active);
      }
    }
    this.#timer = undefined;
    this.#setTimer();
    if (over.length > 0) this.#onIdle(over, seconds);
  };

  /** Stops the timer, if no connection is open or the limit changes. */
  stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Whether no connection is open. */
  get empty(): boolean {
    return this.#seen.size === 0;
  }
}
