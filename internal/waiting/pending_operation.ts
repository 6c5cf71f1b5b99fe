/**
 * One operation in flight, whose result waits for the next caller.
 *
 * @module
 */

import { begun } from "./promises.ts";

/** A source that becomes ready. `select`, timeouts and the serve loop wait for it. */
export interface Readiness {
  /** Whether a call would not wait. */
  readonly ready: boolean;
  /**
   * Starts the operation, if there is one and it does not run. Resolves when `ready` may have changed; never rejects.
   */
  nextChange(): Promise<void>;
}

/** A readiness that calls back, each time that it becomes ready and in the same turn. */
export interface WatchedReadiness extends Readiness {
  /** The callbacks. A loop that waits again and again needs no promise for each round. */
  readonly watchers: Set<() => void>;
}

/** Reports whether a readiness calls back. */
export function isWatched(source: Readiness): source is WatchedReadiness {
  return "watchers" in source;
}

/** Calls the callbacks of a readiness; allocates no iterator. */
export function callWatchers({ watchers }: WatchedReadiness): void {
  watchers.forEach(call);
}

function call(watcher: () => void): void {
  watcher();
}

/** The callbacks of each promise; see {@linkcode whenEnded}. */
const waiting = new WeakMap<Promise<void>, Set<() => void>>();

/**
 * Calls `callback` when a promise settles, unless it is removed before. A promise keeps the arguments of `then` until it
 * settles, so an idle connection whose calls time out would gather reactions for ever (540 bytes each). Here each
 * promise has one reaction for all callbacks.
 *
 * @param ended The promise of {@linkcode Readiness.nextChange}.
 * @param callback Called once.
 * @returns Removes the callback.
 */
export function whenEnded(
  ended: Promise<void>,
  callback: () => void,
): () => void {
  let callbacks = waiting.get(ended);
  if (callbacks === undefined) {
    const all = callbacks = new Set();
    waiting.set(ended, all);
    ended.then(() => {
      waiting.delete(ended); // a callback that is added from now on has a reaction of its own
      for (const each of all) each();
    });
  }
  callbacks.add(callback);
  return () => void callbacks.delete(callback);
}

/** A readiness that is always ready, for a socket on which a call fails at once. */
export const READY: Readiness = {
  ready: true,
  nextChange: () => Promise.resolve(),
};

/**
 * Keeps at most one operation in flight. A call that stops waiting, after a timeout, loses nothing: the result stays for
 * the next call.
 *
 * @typeParam T The result.
 */
export class PendingOperation<T> implements WatchedReadiness {
  readonly #start: () => Promise<T>;
  readonly watchers: Set<() => void> = new Set();
  #inFlight: Promise<void> | undefined;
  /** Whether there is a result: a value or an error. Not an object, since each request would allocate one. */
  #ended = false;
  #failed = false;
  #result: unknown;

  /** @param start Begins the operation. */
  constructor(start: () => Promise<T>) {
    this.#start = start;
  }

  get ready(): boolean {
    return this.#ended;
  }

  /** Whether the operation is in flight, or its result waits. */
  get busy(): boolean {
    return this.#inFlight !== undefined || this.ready;
  }

  nextChange(): Promise<void> {
    if (this.#ended) return Promise.resolve();
    return this.#inFlight ??= begun(this.#start).then(
      this.#succeed,
      this.#fail,
    );
  }

  readonly #succeed = (value: T): void => this.#end(value, false);
  readonly #fail = (error: unknown): void => this.#end(error, true);

  #end(result: unknown, failed: boolean): void {
    this.#inFlight = undefined;
    this.#ended = true;
    this.#failed = failed;
    this.#result = result;
    callWatchers(this);
  }

  /** Takes the result, or throws the error. The operation must be ready. */
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

  /** Takes the value, if there is one. Drops an error. */
  drop(): T | undefined {
    const failed = this.#failed;
    const result = this.#clear();
    return failed ? undefined : result as T;
  }

  /**
   * Ends the use of the operation. Passes a value that still arrives to `discard`.
   *
   * @returns Resolves when no operation is in flight.
   */
  async abandon(discard: (value: T) => void): Promise<void> {
    await this.#inFlight;
    const value = this.drop();
    if (value !== undefined) discard(value);
  }
}
