/**
 * A call that waits.
 *
 * @module
 */

import { quiet } from "./quiet.ts";

/**
 * The promise of a call on a socket, and how it ends. A call may be one that nobody awaits: only a failure
 * makes it quiet, so that a call that succeeds costs no more than its promise.
 *
 * @typeParam T What the call resolves to.
 */
export class Call<T> {
  /** What the caller holds. */
  readonly promise: Promise<T>;
  /** Ends the call. */
  resolve!: (value: T) => void;
  #reject!: (error: unknown) => void;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Ends the call with an error. */
  refuse(error: unknown): void {
    quiet(this.promise);
    this.#reject(error);
  }
}
