/**
 * One operation in flight, whose result waits for whoever asks next.
 *
 * @module
 */

import { begun } from "./promises.ts";

/** Something that becomes ready: what `select`, timeouts and the accept loop wait for. */
export interface Readiness {
  /** Whether the next call would not wait. */
  readonly ready: boolean;
  /** Sets the operation going if it is not; resolves when it has ended, and never rejects. */
  fill(): Promise<void>;
}

function call(watcher: () => void): void {
  watcher();
}

/** Who waits for a promise; see {@linkcode whenEnded}. */
const waiting = new WeakMap<Promise<void>, Set<() => void>>();

/** How many wait for a flight; for tests. */
export function waitersOf(flight: Promise<void>): number {
  return waiting.get(flight)?.size ?? 0;
}

/**
 * Calls back when a flight ends. Whoever stops waiting takes the callback back: a promise keeps
 * what `then` was given until it settles, so an idle connection whose calls time out would gather
 * reactions for ever (540 bytes each). Here a flight has one for all.
 *
 * @param flight What {@linkcode Readiness.fill} gave.
 * @param callback Called once, unless it was taken back.
 * @returns Takes the callback back.
 */
export function whenEnded(
  flight: Promise<void>,
  callback: () => void,
): () => void {
  let callbacks = waiting.get(flight);
  if (callbacks === undefined) {
    const all = callbacks = new Set();
    waiting.set(flight, all);
    flight.then(() => {
      for (const each of all) each();
    });
  }
  callbacks.add(callback);
  return () => void callbacks.delete(callback);
}

/** A source that is always ready, for sockets on which a call ends at once, with an error. */
export const READY: Readiness = { ready: true, fill: () => Promise.resolve() };

/**
 * Keeps at most one operation in flight. Whoever stops waiting for it (a timeout) loses nothing:
 * the result stays here for the next one.
 *
 * @typeParam T The result.
 */
export class PendingOperation<T> implements Readiness {
  readonly #start: () => Promise<T>;
  readonly #wants: ((value: T) => boolean) | undefined;
  /**
   * Called when a result is there, in the turn in which it comes: for who waits again and again, and needs no
   * promise for each time.
   */
  readonly watchers: Set<() => void> = new Set();
  #flight: Promise<void> | undefined;
  /** Whether there is a result, which is a value or an error. Not an object: one for each request would be waste. */
  #ended = false;
  #failed = false;
  #result: unknown;

  /**
   * @param start Begins the operation.
   * @param wants Says whether to keep a result; after another the operation begins again.
   */
  constructor(start: () => Promise<T>, wants?: (value: T) => boolean) {
    this.#start = start;
    this.#wants = wants;
  }

  get ready(): boolean {
    return this.#ended;
  }

  /** Whether the operation is under way, or its result waits. */
  get busy(): boolean {
    return this.#flight !== undefined || this.ready;
  }

  /** Resolves when no operation is under way; with none it does so at once. */
  get settled(): Promise<void> {
    return this.#flight ?? Promise.resolve();
  }

  fill(): Promise<void> {
    if (this.#ended) return Promise.resolve();
    return this.#flight ??= this.#fly();
  }

  #fly(): Promise<void> {
    return begun(this.#start).then(this.#land, this.#crash);
  }

  readonly #land = (value: T): void | Promise<void> => {
    if (this.#wants?.(value) === false) return this.#search();
    this.#end(value, false);
  };

  /** Goes on until a result is wanted. A flight that went on as another one would leave a promise for each. */
  async #search(): Promise<void> {
    let value: T;
    try {
      do value = await begun(this.#start); while (!this.#wants!(value));
    } catch (error) {
      return this.#end(error, true);
    }
    this.#end(value, false);
  }

  readonly #crash = (error: unknown): void => {
    this.#end(error, true);
  };

  #end(result: unknown, failed: boolean): void {
    this.#flight = undefined;
    this.#ended = true;
    this.#failed = failed;
    this.#result = result;
    this.watchers.forEach(call); // with no iterator, and no result of one
  }

  /** Takes the result, or throws the error; the operation must be ready. */
  take(): T {
    const failed = this.#failed;
    const result = this.#clear();
    if (failed) throw result;
    return result as T;
  }

  #clear(): unknown {
    const result = this.#result;
    this.#ended = this.#failed = false;
    this.#result = undefined;
    return result;
  }

  /** The result without taking it, or throws the error. */
  peek(): T {
    return this.#failed ? this.take() : this.#result as T;
  }

  /** The value that nobody has taken, if there is one. */
  drop(): T | undefined {
    const failed = this.#failed;
    const result = this.#clear();
    return failed ? undefined : result as T;
  }

  /**
   * Nobody will ask again: what still comes goes to `discard`.
   *
   * @returns Resolves when nothing can come any more.
   */
  async abandon(discard: (value: T) => void): Promise<void> {
    await this.#flight;
    const value = this.drop();
    if (value !== undefined) discard(value);
  }
}
