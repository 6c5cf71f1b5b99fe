/**
 * The text file that reads and writes, of a handler that blocks.
 *
 * @module
 */

import type { BlockingTextReader } from "./blocking_text_reader.ts";
import type { BlockingTextWriter } from "./blocking_text_writer.ts";

/**
 * A {@linkcode BlockingTextReader} and a {@linkcode BlockingTextWriter} in one: what `makefile("rw")` of a
 * blocking socket returns. Each method is that of its half. Closing it leaves the socket open.
 */
export class BlockingTextRWPair implements Disposable {
  readonly #reader: BlockingTextReader;
  readonly #writer: BlockingTextWriter;

  /**
   * Joins two halves, which belong to this file from now on.
   *
   * @param reader The half that reads.
   * @param writer The half that writes.
   */
  constructor(reader: BlockingTextReader, writer: BlockingTextWriter) {
    this.#reader = reader;
    this.#writer = writer;
  }

  /** Whether the file is closed. */
  get closed(): boolean {
    return this.#writer.closed;
  }

  /**
   * Reads to the end, or a part: {@linkcode BlockingTextReader.read}.
   *
   * @param size How much; -1 for all.
   * @returns What was read; empty at the end of the stream.
   */
  read(size = -1): string {
    return this.#reader.read(size);
  }

  /**
   * Reads a line: {@linkcode BlockingTextReader.readline}.
   *
   * @param limit The most to return; -1 for the whole line.
   * @returns The line; empty at the end of the stream.
   */
  readline(limit = -1): string {
    return this.#reader.readline(limit);
  }

  /**
   * Reads lines: {@linkcode BlockingTextReader.readlines}.
   *
   * @param hint No further line is read when the lines are longer than this; -1 for all.
   * @returns The lines.
   */
  readlines(hint = -1): string[] {
    return this.#reader.readlines(hint);
  }

  /** The lines. */
  [Symbol.iterator](): IterableIterator<string> {
    return this.#reader[Symbol.iterator]();
  }

  /**
   * Writes: {@linkcode BlockingTextWriter.write}.
   *
   * @param data What to write.
   * @returns Its length.
   */
  write(data: string): number {
    return this.#writer.write(data);
  }

  /**
   * Writes one after the other, with nothing put between them.
   *
   * @param lines What to write.
   */
  writelines(lines: Iterable<string>): void {
    this.#writer.writelines(lines);
  }

  /** Sends all that was written. */
  flush(): void {
    this.#writer.flush();
  }

  /** Flushes, and closes both halves but not the socket. Closing twice is fine. */
  close(): void {
    try {
      this.#writer.close();
    } finally {
      this.#reader.close();
    }
  }

  /** Whether the file can be read: yes; a TypeError where it is closed. */
  readable(): boolean {
    return this.#writer.writable();
  }

  /** Whether the file can be written: yes; a TypeError where it is closed. */
  writable(): boolean {
    return this.#writer.writable();
  }

  /** Whether the file has positions: no; a TypeError where it is closed. */
  seekable(): boolean {
    return this.#writer.seekable();
  }

  /** Closes the file, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }
}
