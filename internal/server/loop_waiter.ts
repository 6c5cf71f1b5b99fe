/**
 * Waits for the loop of a server: for a request, for the stop, and for the next `serviceActions`.
 *
 * @module
 */

import { MAX_DELAY } from "../waiting/timeouts.ts";
import { anyReady } from "../waiting/when_ready.ts";
import {
  isWatched,
  type Readiness,
  type WatchedReadiness,
} from "../waiting/pending_operation.ts";

/** The `serviceActions` methods that need no timer: they have nothing to do while no request comes. */
export const untimedActions: WeakSet<object> = new WeakSet();

/** Returns a readiness that is ready when both sources are. Starts the second one only when the first is ready. */
export function bothReady(first: Readiness, second: Readiness): Readiness {
  return {
    get ready() {
      return first.ready && second.ready;
    },
    nextChange: () => first.ready ? second.nextChange() : first.nextChange(),
  };
}

/**
 * Waits until the source is ready, and still is when this call goes on.
 *
 * @param source The source.
 * @param seconds The limit; null is no limit.
 * @returns False if the time ran out.
 */
export async function readyWithin(
  source: Readiness,
  seconds: number | null,
): Promise<boolean> {
  const due = performance.now() + (seconds ?? Infinity) * 1000;
  for (let left = seconds; !source.ready;) {
    await anyReady([source], left === null ? null : Math.max(0, left));
    if (!(performance.now() < due)) break;
    if (left !== null) left = (due - performance.now()) / 1000;
  }
  return source.ready;
}

/** The waits and the stop of one run of `serveForever`. */
export class LoopWaiter {
  readonly #ended = Promise.withResolvers<void>();
  readonly #abandoned = Promise.withResolvers<void>();
  #wake: (() => void) | undefined;
  /** The source that wakes the loop when it becomes ready. */
  #watched: WatchedReadiness | undefined;
  #flight: Promise<void> | undefined;
  #ticker: ReturnType<typeof setInterval> | undefined;
  #ticked = false;
  /** Whether the loop should end. */
  stopping = false;

  /** @param tickMs The interval in ms at which to wake the loop without a request; undefined is never. */
  constructor(tickMs: number | undefined) {
    if (tickMs !== undefined) {
      this.#ticker = setInterval(this.#tick, Math.min(tickMs, MAX_DELAY));
    }
  }

  readonly #tick = (): void => {
    this.#ticked = this.waiting;
    this.rouse();
  };

  /** Wakes the loop if it waits. */
  readonly rouse = (): void => {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  };

  /** Resolves when the server has cut off the request that the loop waits for. */
  get abandoned(): Promise<void> {
    return this.#abandoned.promise;
  }

  /** Resolves when the loop has ended. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** Whether the loop is waiting, and not getting a request. */
  get waiting(): boolean {
    return this.#wake !== undefined;
  }

  /** Waits until the source may be ready, a tick has passed, or the loop should end. */
  wait(source: Readiness): Promise<void> {
    const flight = source.nextChange();
    if (source !== this.#watched) this.#watch(source, flight);
    return new Promise((wake) => this.#wake = wake);
  }

  /** Reports whether a tick passed without a request; true once for each tick. */
  takeTick(): boolean {
    const ticked = this.#ticked;
    this.#ticked = false;
    return ticked;
  }

  /**
   * Lets a source wake the loop: each time that it becomes ready, if it calls back. A reaction to each single wait would
   * cost 2 promises and a turn.
   */
  #watch(source: Readiness, flight: Promise<void>): void {
    if (isWatched(source)) {
      this.#watched?.watchers.delete(this.rouse);
      this.#watched = source;
      source.watchers.add(this.rouse);
    } else if (flight !== this.#flight) { // one reaction for all waits: a tick in between would leave another
      this.#flight = flight;
      flight.then(this.rouse);
    }
  }

  /** Waits until the source is ready, however often it takes, or the stop. */
  async waitFor(source: Readiness): Promise<void> {
    while (!source.ready && !this.stopping) await this.wait(source);
    this.#ticked = false;
  }

  /** Waits for a time, or until the loop should end. */
  async pause(ms: number): Promise<void> {
    let over = false;
    const timer = setTimeout(() => {
      over = true;
      this.rouse();
    }, ms);
    while (!over && !this.stopping) {
      await new Promise<void>((wake) => this.#wake = wake);
    }
    clearTimeout(timer);
    this.#ticked = false;
  }

  /** Ends the loop. Resolves when the loop gets no further request. */
  stop(): Promise<void> {
    this.stopping = true;
    if (!this.waiting) return Promise.resolve();
    this.rouse();
    return this.#ended.promise;
  }

  /** Lets the loop go on without the request that it waits for. */
  abandon(): void {
    this.#abandoned.resolve();
  }

  /** Notes that the loop has ended. */
  end(): void {
    clearInterval(this.#ticker);
    this.#watched?.watchers.delete(this.rouse);
    this.#ended.resolve();
  }
}
