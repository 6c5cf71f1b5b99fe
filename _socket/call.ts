/**
 * A call that waits.
 *
 * @module
 */

import { quiet } from "./quiet.ts";

let resolve: (value: unknown) => void;

/** Hands the function of a promise to who makes it: one function for all, instead of a closure each. */
function handOver(resolveIt: (value: unknown) => void): void {
  resolve = resolveIt;
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
  /** Ends the call. The function that would reject is not kept: every connection that waits would have one. */
  readonly resolve: (value: T | Promise<T>) => void = resolve;

  /** Ends the call with an error. */
  refuse(error: unknown): void {
    quiet(this.promise);
    this.resolve(quiet(Promise.reject(error))); // quiet too where the call has ended already
  }
}
