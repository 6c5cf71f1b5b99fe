/**
 * The text file that writes: what `makefile("w")` returns.
 *
 * @module
 */

import type { Encode } from "./codecs.ts";
import { textEncoder, type TextWriterOptions } from "./text_core.ts";
import { unawaited } from "../waiting/promises.ts";
import { writeEach, type Writer } from "./file_writer.ts";

/**
 * Writes text to a socket; the writing half of Python's `io.TextIOWrapper`. What is written is
 * sent when the buffer below is full, or at `flush` and `close`.
 *
 * Closing it closes the {@linkcode Writer} below, and leaves the socket open.
 */
export class TextWriter implements AsyncDisposable {
  readonly #writer: Writer;
  readonly #encode: Encode;

  /**
   * Opens a text file on a writer.
   *
   * @param writer Where the bytes go. It belongs to this file from now on.
   * @param options Encoding and line ends.
   * @throws {TypeError} if `errors` or `newline` is none of the values there are.
   * @throws {RangeError} if the encoding is none that can be written.
   */
  constructor(writer: Writer, options: TextWriterOptions = {}) {
    this.#writer = writer;
    this.#encode = textEncoder(options);
  }

  /** Whether the file is closed. */
  get closed(): boolean {
    return this.#writer.closed;
  }

  /**
   * Writes `text`.
   *
   * @param text What to write.
   * @returns The length of `text`, when it is in the buffer or sent.
   * @throws {TypeError} at once, if `text` is no string or the encoding does not have it; as a
   * rejection, if the file is closed.
   */
  write(text: string): Promise<number> {
    const written = this.#writer.write(this.#encode(text));
    return unawaited(written.then(() => text.length));
  }

  /**
   * Writes one after the other, with nothing put between them; see {@linkcode Writer.writelines}.
   *
   * @param lines What to write.
   * @throws {TypeError} as `write` does.
   */
  writelines(lines: Iterable<string> | AsyncIterable<string>): Promise<void> {
    return writeEach(lines, (line) => this.write(line));
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
   * Flushes, and closes the file but not the socket. Closing twice is fine.
   *
   * @throws The first failure since the last flush; the file is closed all the same.
   */
  close(): Promise<void> {
    return this.#writer.close();
  }

  /**
   * Whether the file can be read: no.
   *
   * @returns false
   * @throws {TypeError} if the file is closed.
   */
  readable(): boolean {
    return this.#writer.readable();
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
