/**
 * The turns of the event loop and the clock, in the hand of a test.
 *
 * @module
 */

/** Ends a turn of the event loop: whatever is ready happens, and transports in memory wait for nothing else. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Keeps the event loop busy, as a computing handler does. */
export function compute(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

/** Ends a turn of the event loop in which timers that are due run as well. */
export function endOfTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

/** Lets `count` microtasks run. */
export async function endOfMicrotasks(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await undefined;
}

/** Stops `performance.now()` until it is disposed of, so that no pause of the machine counts. */
export class FrozenClock implements Disposable {
  readonly #now = performance.now;
  #time = 0;

  constructor() {
    performance.now = () => this.#time;
  }

  /** Advances the clock by `ms` milliseconds. */
  advance(ms: number): void {
    this.#time += ms;
  }

  [Symbol.dispose](): void {
    performance.now = this.#now;
  }
}
