/**
 * The text file that reads, of a handler that blocks.
 *
 * @module
 */

import { eachLine } from "../files/lines.ts";
import { finishNow, type Steps } from "../files/reads.ts";
import { TextReaderCore, type TextReaderOptions } from "../files/text_core.ts";
import type { BlockingReader } from "./blocking_reader.ts";

/**
 * Reads text from a blocking socket: the methods of {@linkcode TextReader}, but they block the worker and return
 * values. `makefile("r")` makes it; closing it leaves the socket open.
 */
export class BlockingTextReader implements Disposable {
  readonly #reader: BlockingReader;
  readonly #core: TextReaderCore;

  /**
   * Opens a text file on a reader; nothing is received yet.
   *
   * @param reader Where the bytes come from. It belongs to this file from now on.
   * @param options Encoding and line ends.
   */
  constructor(reader: BlockingReader, options: TextReaderOptions = {}) {
    this.#reader = reader;
    this.#core = new TextReaderCore(options);
  }

  /** Whether the file is closed. */
  get closed(): boolean {
    return this.#reader.closed;
  }

  /** Carries out the steps of a read. */
  #read<T>(steps: () => Steps<T>): T {
    this.#reader.readable(); // throws where it is closed
    return finishNow(steps(), () => this.#fill());
  }

  /** Receives until there is more text; false at the end. */
  #fill(): boolean {
    for (;;) {
      const more = this.#core.decode(this.#reader.read1());
      if (more !== undefined) return more;
    }
  }

  /**
   * Reads `size` characters, or fewer if the stream ends before; without `size`, to the end.
   *
   * @param size How many characters, in UTF-16 units; -1 for all.
   * @returns The text; empty at the end of the stream.
   * @throws {TypeError} if data cannot be decoded, or the file is closed.
   */
  read(size = -1): string {
    return this.#read(() => this.#core.read(size));
  }

  /**
   * Reads a line, its line end included.
   *
   * @param limit The most characters; -1 for the whole line.
   * @returns The line; empty at the end of the stream.
   * @throws {LimitOverrunError} if it is longer than `lineLimit`; the rest of it is skipped.
   * @throws {TypeError} if data cannot be decoded, or the file is closed.
   */
  readline(limit = -1): string {
    return this.#read(() => this.#core.readline(limit));
  }

  /**
   * Reads the lines to the end, or until they have more than `hint` characters.
   *
   * @param hint How many characters; -1 or 0: all.
   * @returns The lines.
   */
  readlines(hint = -1): string[] {
    return this.#read(() => this.#core.readlines(hint));
  }

  /** The lines. */
  [Symbol.iterator](): IterableIterator<string> {
    return eachLine(() => this.readline());
  }

  /** Closes the file, not the socket. What waits in it is lost. Closing twice is fine. */
  close(): void {
    this.#core.queue.clear();
    this.#reader.close();
  }

  /** Whether the file can be read: yes; a TypeError where it is closed. */
  readable(): boolean {
    return this.#reader.readable();
  }

  /** Whether the file can be written: no; a TypeError where it is closed. */
  writable(): boolean {
    return this.#reader.writable();
  }

  /** Whether the file has positions: no; a TypeError where it is closed. */
  seekable(): boolean {
    return this.#reader.seekable();
  }

  /** Closes the file, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }
}
