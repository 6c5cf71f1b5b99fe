/**
 * A call that waits.
 *
 * @module
 */

import { quiet } from "./quiet.ts";

let resolve: (value: unknown) => void;
let reject: (error: unknown) => void;

/** Hands the functions of a promise to who makes it: one function for all, instead of a closure each. */
function handOver(
  resolveIt: (value: unknown) => void,
  rejectIt: (error: unknown) => void,
): void {
  resolve = resolveIt;
  reject = rejectIt;
}

/**
 * The promise of a call on a socket, and how it ends. A call may be one that nobody awaits: only a failure
 * makes it quiet, so that a call that succeeds costs no more than its promise.
 *
 * @typeParam T What the call resolves to.
 */
export class Call<T> {
  /** What the caller holds. */
  readonly promise: Promise<T> = new Promise<unknown>(handOver) as Promise<T>;
  /** Ends the call. */
  readonly resolve: (value: T) => void = resolve;
  readonly #reject: (error: unknown) => void = reject;

  /** Ends the call with an error. */
  refuse(error: unknown): void {
    quiet(this.promise);
    this.#reject(error);
  }
}
