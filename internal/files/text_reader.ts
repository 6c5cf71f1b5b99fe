/**
 * The text file that reads: what `makefile("r")` returns.
 *
 * @module
 */

import type { AbortOptions } from "../waiting/abort.ts";
import type { TextQueue } from "./unread_queues.ts";
import type { BufferedReader } from "./buffered_reader.ts";
import { iterateLines } from "./lines.ts";
import { refuseSyncIteration } from "./read_errors.ts";
import { readArguments, ReadTurns } from "./read_steps.ts";
import { TextReaderCore, type TextReaderOptions } from "./text_core.ts";

/** Returns the text that a reader has decoded and that nobody has read. */
export let unreadTextOf: (reader: TextReader) => TextQueue;

/** Reports whether a reader has received anything that nobody has read, also a part of a character. */
export let hasUnreadText: (reader: TextReader) => boolean;

/**
 * Reads text from a socket, as the reading half of Python's `io.TextIOWrapper`. `socket.makefile("r")` returns one.
 *
 * Characters are counted in UTF-16 units, as JavaScript's strings count them. A surrogate pair is never divided: a read
 * that would end between its halves returns both.
 *
 * A call that fails with a timeout loses nothing. If data cannot be decoded and `errors` is `"strict"`, the chunk
 * received with it is lost, as in Python; `"replace"` avoids that.
 *
 * Closing the file closes its {@linkcode BufferedReader} and leaves the socket open.
 *
 * @example
 * ```ts
 * import { socketpair } from "@socketserver/socketserver";
 * import { strictEqual } from "node:assert/strict";
 *
 * const [a, b] = await socketpair();
 * using file = b.makefile("r");
 * await a.sendall(new TextEncoder().encode("hello\r\n"));
 * strictEqual(await file.readline(), "hello\n");
 * a.close();
 * b.close();
 * ```
 *
 * @category Files
 */
export class TextReader implements Disposable {
  static {
    refuseSyncIteration(this);
    unreadTextOf = (reader) => reader.#core.queue;
    hasUnreadText = (reader) => reader.#core.unread;
  }

  readonly #core: TextReaderCore;
  readonly #reads: ReadTurns;

  /**
   * Opens a text file on a reader. Nothing is received yet.
   *
   * @param reader The source of the bytes. The reader belongs to this file from now on.
   * @param options Encoding and line ends.
   * @throws {TypeError} if `errors` or `newline` has none of its values.
   * @throws {RangeError} if the encoding is unknown, or the limit is out of range.
   */
  constructor(reader: BufferedReader, options: TextReaderOptions = {}) {
    this.#core = new TextReaderCore(reader, options);
    this.#reads = new ReadTurns(
      this.#core,
      (_wanted, signal) => reader.read1(-1, signal && { signal }),
    );
  }

  /** Whether the file is closed. */
  get closed(): boolean {
    return this.#core.closed;
  }

  /**
   * Reads `size` characters, or fewer if the stream ends before; without `size`, to the end.
   *
   * @param size The number of characters; -1 for all. May be left out before `options`, as in each method.
   * @param options A signal that ends the wait.
   * @returns The text; empty at the end of the stream.
   * @throws {RangeError} if `size` is not -1 or a non-negative integer.
   * @throws {TypeError} if data cannot be decoded, or the file is closed.
   */
  read(
    size: number | AbortOptions = -1,
    options?: AbortOptions,
  ): Promise<string> {
    const [count, signal] = readArguments(size, options);
    return this.#reads.run(() => this.#core.read(count), signal);
  }

  /**
   * Reads a line, its line end included. Only the last line of a stream can be without one.
   * A line that is too long is skipped as in {@linkcode BufferedReader.readline}.
   *
   * @param limit The most characters to return; a longer line comes in parts without an error.
   * @param options A signal that ends the wait.
   * @returns The line; empty at the end of the stream.
   * @throws {LimitOverrunError} if the line is longer than `lineLimit` and no `limit` is given.
   * @throws {RangeError} if `limit` is not -1 or a non-negative integer.
   * @throws {TypeError} if data cannot be decoded, or the file is closed.
   */
  readline(
    limit: number | AbortOptions = -1,
    options?: AbortOptions,
  ): Promise<string> {
    if (limit === -1 && options === undefined) {
      const line = this.#readyLine();
      if (line !== undefined) return Promise.resolve(line);
    }
    const [most, signal] = readArguments(limit, options);
    return this.#reads.run(() => this.#core.readline(most), signal);
  }

  /**
   * Reads lines, to the end of the stream or until they exceed `hint` characters. If the call fails, the lines read
   * before stay in the file.
   *
   * @param hint Stops once the lines are longer than this; -1 or 0 reads all.
   * @param options A signal that ends the wait.
   * @returns The lines, each with its line end.
   * @throws {LimitOverrunError} if a line is longer than `lineLimit`.
   * @throws {RangeError} if `hint` is not -1 or a non-negative integer.
   * @throws {TypeError} if data cannot be decoded, or the file is closed.
   */
  readlines(
    hint: number | AbortOptions = -1,
    options?: AbortOptions,
  ): Promise<string[]> {
    const [most, signal] = readArguments(hint, options);
    return this.#reads.run(() => this.#core.readlines(most), signal);
  }

  /**
   * Iterates over the lines to the end of the stream, as `readline()` returns them. Leaving the loop leaves the
   * file open.
   *
   * @returns The iterator.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<string> {
    return this.#lines();
  }

  /**
   * Iterates over the lines as `for await` does, until a signal aborts: then the loop throws the signal's reason.
   *
   * @param options A signal that ends the wait.
   * @returns The iterator.
   */
  lines(options: AbortOptions = {}): AsyncIterableIterator<string> {
    return this.#lines(options.signal);
  }

  #lines(signal?: AbortSignal): AsyncIterableIterator<string> {
    const next = () => this.#core.lines.next();
    return iterateLines(
      () => signal?.aborted ? undefined : this.#readyLine(),
      () => this.#reads.run(next, signal),
    );
  }

  /**
   * Reports whether the file can be read.
   *
   * @returns true
   * @throws {TypeError} if the file is closed.
   */
  readable(): boolean {
    this.#core.checkOpen();
    return true;
  }

  /**
   * Reports whether the file can be written.
   *
   * @returns false
   * @throws {TypeError} if the file is closed.
   */
  writable(): boolean {
    this.#core.checkOpen();
    return false;
  }

  /**
   * Reports whether the file has positions.
   *
   * @returns false
   * @throws {TypeError} if the file is closed.
   */
  seekable(): boolean {
    this.#core.checkOpen();
    return false;
  }

  /** Closes the file, not the socket. Unread text is lost. Closing twice is fine. */
  close(): void {
    this.#core.close();
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    this.close();
  }

  #readyLine(): string | undefined {
    return this.#reads.free ? this.#core.lines.ready() : undefined;
  }
}
