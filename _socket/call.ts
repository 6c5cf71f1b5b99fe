/**
 * Calls that wait.
 *
 * @module
 */

import { quiet } from "./quiet.ts";

/** Ends a call. */
export type Resolve<T> = (value: T | Promise<T>) => void;

let resolve: Resolve<unknown>;

/** Hands the function of a promise to who makes it: one function for all, instead of a closure each. */
function handOver(resolveIt: Resolve<unknown>): void {
  resolve = resolveIt;
}

/** What the caller of a call holds; {@linkcode resolveNew}, called next, gives the function that ends it. */
export function newPromise(): Promise<unknown> {
  return new Promise(handOver);
}

/**
 * The function that resolves the promise made last. The one that would reject is not kept: every connection that
 * waits would have one.
 */
export function resolveNew(): Resolve<unknown> {
  return resolve;
}

/**
 * Ends a call with an error. A call may be one that nobody awaits: only a failure makes it quiet, so that a call
 * that succeeds costs no more than its promise.
 */
export function refuse<T>(
  promise: Promise<T>,
  resolve: Resolve<T>,
  error: unknown,
): void {
  quiet(promise);
  resolve(quiet(Promise.reject(error))); // quiet too where the call has ended already
}

/**
 * The promise of a call on a socket, and how it ends.
 *
 * @typeParam T What the call resolves to.
 */
export class Call<T> {
  /** What the caller holds. */
  readonly promise = newPromise() as Promise<T>;
  /** Ends the call. */
  readonly resolve: Resolve<T> = resolveNew();

  /** Ends the call with an error. */
  refuse(error: unknown): void {
    refuse(this.promise, this.resolve, error);
  }
}
