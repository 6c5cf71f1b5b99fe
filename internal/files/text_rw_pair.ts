/**
 * The text file that reads and writes: what `makefile("rw")` returns.
 *
 * @module
 */

import { unawaited } from "../waiting/promises.ts";
import type { TextReader } from "./text_reader.ts";
import type { TextWriter } from "./text_writer.ts";

/**
 * A {@linkcode TextReader} and a {@linkcode TextWriter} in one, as Python's `io.TextIOWrapper` over a
 * pair. Each method is that of its half, where its errors are described.
 *
 * Closing it leaves the socket open. Who opens it closes it.
 */
export class TextRWPair implements AsyncDisposable {
  readonly #reader: TextReader;
  readonly #writer: TextWriter;

  /**
   * Joins two halves.
   *
   * @param reader The half that reads. It belongs to this file from now on.
   * @param writer The half that writes. It belongs to this file from now on.
   */
  constructor(reader: TextReader, writer: TextWriter) {
    this.#reader = reader;
    this.#writer = writer;
  }

  /** Whether the file is closed. */
  get closed(): boolean {
    return this.#writer.closed;
  }

  /**
   * Reads `size` characters, or to the end: {@linkcode TextReader.read}.
   *
   * @param size How many characters; -1 for all.
   * @returns The text; empty at the end of the stream.
   */
  read(size = -1): Promise<string> {
    return this.#reader.read(size);
  }

  /**
   * Reads a line: {@linkcode TextReader.readline}.
   *
   * @param limit The most characters to return.
   * @returns The line; empty at the end of the stream.
   */
  readline(limit = -1): Promise<string> {
    return this.#reader.readline(limit);
  }

  /**
   * Reads lines: {@linkcode TextReader.readlines}.
   *
   * @param hint No further line is read when the lines are longer than this.
   * @returns The lines, each with its line end.
   */
  readlines(hint = -1): Promise<string[]> {
    return this.#reader.readlines(hint);
  }

  /**
   * The lines to the end of the stream.
   *
   * @returns The iterator.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<string> {
    return this.#reader[Symbol.asyncIterator]();
  }

  /**
   * Writes `text`: {@linkcode TextWriter.write}.
   *
   * @param text What to write.
   * @returns The length of `text`.
   */
  write(text: string): Promise<number> {
    return this.#writer.write(text);
  }

  /**
   * Writes one after the other: {@linkcode TextWriter.writelines}.
   *
   * @param lines What to write.
   */
  writelines(lines: Iterable<string> | AsyncIterable<string>): Promise<void> {
    return this.#writer.writelines(lines);
  }

  /**
   * Sends what was collected, and waits until all that was written is sent.
   *
   * @throws The first failure since the last flush.
   * @throws {TypeError} if the file is closed.
   */
  flush(): Promise<void> {
    return this.#writer.flush();
  }

  /**
   * Flushes, and closes both halves but not the socket. Closing twice is fine.
   *
   * @throws The first failure since the last flush; the file is closed all the same.
   */
  close(): Promise<void> {
    return unawaited(this.#writer.close().finally(() => this.#reader.close()));
  }

  /**
   * Whether the file can be read: yes.
   *
   * @returns true
   * @throws {TypeError} if the file is closed.
   */
  readable(): boolean {
    return this.#writer.writable();
  }

  /**
   * Whether the file can be written: yes.
   *
   * @returns true
   * @throws {TypeError} if the file is closed.
   */
  writable(): boolean {
    return this.#writer.writable();
  }

  /**
   * Whether the file has positions: no.
   *
   * @returns false
   * @throws {TypeError} if the file is closed.
   */
  seekable(): boolean {
    return this.#writer.seekable();
  }

  /** Closes the file. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
