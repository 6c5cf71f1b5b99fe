/**
 * The time limits of a server, `requestTimeout`, `idleTimeout` and `proxyTimeout`: one timer each for all of its requests.
 *
 * @module
 */

import { Socket, stateOf } from "../socket/socket_object.ts";
import type { OSError } from "../base/errors.ts";
import { osError } from "../base/translate_error.ts";
import { READING } from "../proxy/header.ts";
import { Cancellation, setUnrefTimeout } from "../waiting/timeouts.ts";
import { descriptorsChecked } from "../waiting/turns.ts";
import type { ActiveRequest } from "./active_requests.ts";

/**
 * Keeps a record of the time of each request, and looks now and then for requests that are over the limit. A subclass
 * decides when to look, and which requests are over.
 *
 * @typeParam T A request.
 * @typeParam K The record of its time.
 */
abstract class RequestTimer<T, K> {
  /** The requests in the order in which they began. */
  protected readonly watched: Map<T, K> = new Map();
  readonly #onOver: (over: T[], seconds: number) => void;
  #seconds: number | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param onOver Called with the requests that are over the limit of `seconds`. */
  constructor(onOver: (over: T[], seconds: number) => void) {
    this.#onOver = onOver;
  }

  /** Returns the record of a request that begins; undefined if the limit does not apply to it. */
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

  readonly #fire = async (): Promise<void> => {
    const timer = this.#timer;
    await descriptorsChecked(); // a connection whose bytes have come in time is not idle
    if (this.#timer !== timer) return; // it was stopped
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

/**
 * Finds the requests that take too long, by the time at which each has begun. All have the same time, so the first of
 * them is the next one that is due.
 *
 * @typeParam T A request.
 */
export class RequestDeadlines<T> extends RequestTimer<T, number> {
  protected override first(): number {
    return performance.now();
  }

  protected override delay(seconds: number): number {
    const [startedAt] = this.watched.values();
    return startedAt + seconds * 1000 - performance.now();
  }

  protected override look(seconds: number): T[] {
    const latest = performance.now() - seconds * 1000;
    const over: T[] = [];
    for (const [request, startedAt] of this.watched) {
      if (startedAt > latest) break;
      over.push(request);
    }
    return over;
  }
}

/** The sweeps in the time of the limit: a connection ends at most an eighth of the time late. Arbitrary. */
const SWEEPS = 8;

/** The longest time in ms between two sweeps. A sweep over 10,000 connections takes about a millisecond. Arbitrary. */
const PERIOD_MAX = 5000;

/** The bytes of a connection at a sweep. */
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
export class IdleSweep extends RequestTimer<ActiveRequest, Seen> {
  protected override first({ request }: ActiveRequest): Seen | undefined {
    return request instanceof Socket ? { bytes: -1, since: 0 } : undefined;
  }

  protected override delay(seconds: number): number {
    return Math.min(seconds * 1000 / SWEEPS, PERIOD_MAX);
  }

  protected override look(seconds: number): ActiveRequest[] {
    const now = performance.now();
    const over: ActiveRequest[] = [];
    for (const [active, seen] of this.watched) {
      const state = stateOf(active.request as Socket);
      if (state.closed) continue; // a child may have it
      const { bytesIn, bytesOut } = state.byteCounts;
      const bytes = bytesIn + bytesOut;
      if (seen.bytes !== bytes) {
        seen.bytes = bytes;
        seen.since = now;
      } else if (now - seen.since >= seconds * 1000) over.push(active);
    }
    return over;
  }
}

/** Keeps the two time limits of a server's requests, `requestTimeout` and `idleTimeout`. */
export class RequestTimes {
  readonly #open: Iterable<ActiveRequest>;
  /** The deadlines of requests; undefined if there was no `requestTimeout` yet. */
  deadlines: RequestDeadlines<ActiveRequest> | undefined = undefined;
  /** The search for idle connections; undefined if there was no `idleTimeout` yet. */
  idleSweep: IdleSweep | undefined = undefined;

  /** @param open The open requests. */
  constructor(open: Iterable<ActiveRequest>) {
    this.#open = open;
  }

  /** The open requests whose time has begun. */
  get timed(): ActiveRequest[] {
    return Array.from(this.#open).filter(({ timed }) => timed);
  }

  /** Begins the time of a request. */
  begin(active: ActiveRequest): void {
    this.deadlines?.begin(active);
    this.idleSweep?.begin(active);
  }

  /** Ends the time of a request, and the timers after the last request of a server that drains. */
  end(active: ActiveRequest, draining: boolean): void {
    if (this.deadlines === undefined && this.idleSweep === undefined) return;
    this.deadlines?.end(active);
    this.idleSweep?.end(active);
    if (draining) this.stopTimers();
  }

  /** Stops the timers, if no request is open. */
  stopTimers(): void {
    if (this.deadlines?.empty) this.deadlines.stopTimer();
    if (this.idleSweep?.empty) this.idleSweep.stopTimer();
  }
}

/** Ends the wait for one header. */
export class HeaderLimit extends Cancellation {
  readonly due = Infinity; // the deadlines have the time
  #onCancel: ((error: unknown) => void) | undefined;
  #seconds = 0;

  start(onCancel: (error: unknown) => void): void {
    this.#onCancel = onCancel;
  }

  cancel(): void {
    this.#onCancel = undefined;
  }

  /** Ends the wait: the header took longer than `seconds`. */
  expire(seconds: number): void {
    this.#seconds = seconds;
    const onCancel = this.#onCancel;
    this.cancel();
    onCancel?.(this.error());
  }

  error(): OSError {
    const reason = `timed out after ${this.#seconds} s`;
    return osError("ETIMEDOUT", { syscall: READING, reason });
  }
}

/** Ends the waits for headers that take too long. One timer serves all. */
export class HeaderDeadlines {
  readonly #open = new Set<HeaderLimit>();
  readonly #deadlines = new RequestDeadlines<HeaderLimit>((over, seconds) => {
    for (const limit of over) limit.expire(seconds);
  });

  /** The seconds that a header may take; null is no limit. */
  get seconds(): number | null {
    return this.#deadlines.seconds;
  }

  set seconds(seconds: number | null) {
    this.#deadlines.setLimit(seconds, this.#open);
  }

  /** Begins the time of a header. */
  begin(): HeaderLimit {
    const limit = new HeaderLimit();
    this.#open.add(limit);
    this.#deadlines.begin(limit);
    return limit;
  }

  /** Ends the time of a header. */
  end(limit: HeaderLimit): void {
    this.#open.delete(limit);
    this.#deadlines.end(limit);
  }

  /** Stops the timer of a server that closes. */
  stopTimer(): void {
    this.#deadlines.stopTimer();
  }
}
