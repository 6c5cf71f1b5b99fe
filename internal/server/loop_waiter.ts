/**
 * The waiting of `serveForever`: for a request, for the stop, for the next `serviceActions`.
 *
 * @module
 */

import { MAX_DELAY } from "../waiting/timeouts.ts";
import { anyReady } from "../waiting/ready.ts";
import {
  PendingOperation,
  type Readiness,
} from "../waiting/pending_operation.ts";

/** Methods `serviceActions` that need not be called while no request comes: there is no timer for them. */
export const untimedActions: WeakSet<object> = new WeakSet();

/** Ready when both sources are. The second is not set going before the first is ready. */
export function both(first: Readiness, second: Readiness): Readiness {
  return {
    get ready() {
      return first.ready && second.ready;
    },
    fill: () => first.ready ? second.fill() : first.fill(),
  };
}

/**
 * Waits until the source is ready, and is not taken by another who waits for it.
 *
 * @param source What is waited for.
 * @param seconds The limit; null waits without one.
 * @returns False when the time ran out.
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

/** One run of `serveForever`. */
export class LoopWaiter {
  readonly #ended = Promise.withResolvers<void>();
  readonly #abandoned = Promise.withResolvers<void>();
  #wake: (() => void) | undefined;
  /** What the loop has last waited for: a pending operation, or the promise of another readiness. */
  #operation: PendingOperation<unknown> | undefined;
  #flight: Promise<void> | undefined;
  #ticker: ReturnType<typeof setInterval> | undefined;
  #ticked = false;
  /** Whether the loop is to end. */
  stopping = false;

  /** @param tickMs How often to wake the loop without a request; undefined is never. */
  constructor(tickMs: number | undefined) {
    if (tickMs !== undefined) {
      this.#ticker = setInterval(this.#tick, Math.min(tickMs, MAX_DELAY));
    }
  }

  readonly #tick = (): void => {
    this.#ticked = this.waiting;
    this.#rouse();
  };

  readonly #rouse = (): void => {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  };

  /** Resolves when the server has given up the request that holds the loop up. */
  get abandoned(): Promise<void> {
    return this.#abandoned.promise;
  }

  /** Whether the loop waits, and gets no request at this moment. */
  get waiting(): boolean {
    return this.#wake !== undefined;
  }

  /** Waits until the source may be ready, a tick, or the stop. */
  wait(source: Readiness): Promise<void> {
    const flight = source.fill();
    if (source instanceof PendingOperation) this.#watch(source);
    else if (flight !== this.#flight) { // one reaction for all waits: a tick in between would leave another
      this.#flight = flight;
      flight.then(this.#rouse);
    }
    return new Promise((wake) => this.#wake = wake);
  }

  /** Whether the loop waited in vain for as long as a tick; true once for each. */
  takeTick(): boolean {
    const ticked = this.#ticked;
    this.#ticked = false;
    return ticked;
  }

  /** From now on a pending operation wakes the loop by itself. A reaction to each flight would cost 2 promises and a turn. */
  #watch(operation: PendingOperation<unknown>): void {
    if (operation === this.#operation) return;
    this.#operation?.watchers.delete(this.#rouse);
    this.#operation = operation;
    operation.watchers.add(this.#rouse);
  }

  /** Waits for some time, or the stop. */
  async pause(ms: number): Promise<void> {
    let over = false;
    const timer = setTimeout(() => {
      over = true;
      this.#rouse();
    }, ms);
    while (!over && !this.stopping) {
      await new Promise<void>((wake) => this.#wake = wake);
    }
    clearTimeout(timer);
    this.#ticked = false;
  }

  /** Makes the loop end. Resolves when it will get no further request. */
  stop(): Promise<void> {
    this.stopping = true;
    if (!this.waiting) return Promise.resolve();
    this.#rouse();
    return this.#ended.promise;
  }

  /** Leaves a request that does not end behind. */
  abandon(): void {
    this.#abandoned.resolve();
  }

  /** The loop has ended. */
  end(): void {
    clearInterval(this.#ticker);
    this.#operation?.watchers.delete(this.#rouse);
    this.#ended.resolve();
  }
}
