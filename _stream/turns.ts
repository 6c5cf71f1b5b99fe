/**
 * One operation at a time.
 *
 * @module
 */

/** Runs operations one after the other, in the order in which they were asked for. */
export class Turns {
  #last: Promise<void> | undefined;

  /** Whether nothing runs, so that the caller may go ahead by itself as long as it does not wait. */
  get idle(): boolean {
    return this.#last === undefined;
  }

  /** Runs `operation` when those before it have ended, however they ended. */
  async run<T>(operation: () => Promise<T>): Promise<T> {
    const before = this.#last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last = promise;
    try {
      if (before !== undefined) await before;
      return await operation();
    } finally {
      if (this.#last === promise) this.#last = undefined;
      resolve();
    }
  }
}
