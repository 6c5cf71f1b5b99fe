/**
 * The types of blocking files, derived from those of the async files, which have the documentation of the methods.
 *
 * @module
 */

import type { BufferedReader } from "../files/buffered_reader.ts";
import type { Writer } from "../files/file_writer.ts";
import type { FileForMode } from "../files/makefile.ts";
import type { BufferedRWPair, TextRWPair } from "../files/rw_pair.ts";
import type { TextReader } from "../files/text_reader.ts";
import type { TextWriter } from "../files/text_writer.ts";
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

/**
 * Reads bytes from a blocking socket: the methods of {@linkcode BufferedReader}, with its errors, but they block the
 * worker and return values. `socket.makefile("rb")` returns one, and `BlockingStreamRequestHandler` has one as
 * `rfile`.
 *
 * Closing a reader leaves the socket open.
 *
 * @example
 * ```ts
 * import { BlockingStreamRequestHandler } from "@socketserver/socketserver";
 *
 * export class EchoLines extends BlockingStreamRequestHandler {
 *   static readonly moduleUrl = import.meta.url;
 *
 *   override handle() {
 *     for (const line of this.rfile) this.wfile.write(line);
 *   }
 * }
 * ```
 *
 * @category Files
 */
export interface BlockingReader extends Blocking<BufferedReader> {}

/**
 * Writes bytes to a blocking socket: the methods of {@linkcode Writer}, with its errors, but they block the worker and
 * return values. `socket.makefile("wb")` returns one, and `BlockingStreamRequestHandler` has one as `wfile`.
 *
 * Closing a writer leaves the socket open.
 *
 * @example
 * ```ts
 * import { BlockingStreamRequestHandler } from "@socketserver/socketserver";
 *
 * export class EchoLines extends BlockingStreamRequestHandler {
 *   static readonly moduleUrl = import.meta.url;
 *
 *   override handle() {
 *     for (const line of this.rfile) this.wfile.write(line);
 *   }
 * }
 * ```
 *
 * @category Files
 */
export interface BlockingWriter extends Blocking<Writer> {}

/**
 * Reads and writes bytes of a blocking socket: the methods of {@linkcode BufferedRWPair}, but they block the worker
 * and return values. `socket.makefile("rwb")` returns one.
 *
 * Closing it leaves the socket open.
 *
 * @category Files
 */
export interface BlockingRWPair extends Blocking<BufferedRWPair> {}

/**
 * Reads text from a blocking socket: the methods of {@linkcode TextReader}, with its errors, but they block the
 * worker and return values. `socket.makefile("r")` returns one.
 *
 * Closing it leaves the socket open.
 *
 * @category Files
 */
export interface BlockingTextReader extends Blocking<TextReader> {}

/**
 * Writes text to a blocking socket: the methods of {@linkcode TextWriter}, with its errors, but they block the worker
 * and return values. `socket.makefile("w")` returns one.
 *
 * Text is sent when the buffer of the writer below is full, and by `flush` and `close`. Closing it leaves the socket
 * open.
 *
 * @category Files
 */
export interface BlockingTextWriter extends Blocking<TextWriter> {}

/**
 * Reads and writes text of a blocking socket: the methods of {@linkcode TextRWPair}, but they block the worker and
 * return values. `socket.makefile("rw")` returns one.
 *
 * Closing it leaves the socket open.
 *
 * @category Files
 */
export interface BlockingTextRWPair extends Blocking<TextRWPair> {}

/**
 * The file of a blocking socket that has the methods of a file of `Socket`.
 *
 * @typeParam F The file of `Socket`.
 * @category Files
 */
export type BlockingFileOf<F> = F extends TextRWPair ? BlockingTextRWPair
  : F extends TextReader ? BlockingTextReader
  : F extends TextWriter ? BlockingTextWriter
  : F extends BufferedRWPair ? BlockingRWPair
  : F extends BufferedReader ? BlockingReader
  : F extends Writer ? BlockingWriter
  : never;

/**
 * The file that `makefile()` of a blocking socket returns for a mode; see {@linkcode FileForMode}.
 *
 * @typeParam M The mode.
 * @category Files
 */
export type BlockingFileForMode<M extends string> = BlockingFileOf<
  FileForMode<M>
>;
