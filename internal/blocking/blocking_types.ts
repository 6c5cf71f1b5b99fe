/**
 * The types of blocking files, derived from those of the asynchronous ones, and of the sockets below them.
 *
 * @module
 */

import type { AbortOptions } from "../waiting/abort.ts";

/**
 * The methods of `T`, but they block the worker and return the values that the promises of `T` resolve to. Use `for`
 * instead of `for await`, and `using` instead of `await using`. No method takes an async iterable.
 *
 * @typeParam T The type whose methods return promises.
 * @category Files
 */
export type Blocking<T> = {
  [
    K in keyof T as K extends typeof Symbol.asyncIterator
      ? typeof Symbol.iterator
      : K extends typeof Symbol.asyncDispose ? typeof Symbol.dispose
      : K
  ]: T[K] extends (...args: infer A) => infer R ? (
      ...args: { [I in keyof A]: Exclude<A[I], AsyncIterable<unknown>> }
    ) => R extends PromiseLike<infer V> ? V
      : R extends AsyncIterableIterator<infer V> ? IterableIterator<V>
      : R
    : T[K];
};

/**
 * The source and destination of the bytes of a blocking file, such as a `BlockingSocket`.
 *
 * @category Files
 */
export interface BlockingBytes {
  /** Receives at most `size` bytes; empty at the end of the stream. Has options if the read has a signal. */
  recv(size: number, options?: AbortOptions): Uint8Array<ArrayBuffer>;
  /** Sends all of `data`. */
  sendall(data: Uint8Array): void;
}
