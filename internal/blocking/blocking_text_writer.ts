/**
 * The text file that writes, of a handler that blocks.
 *
 * @module
 */

import type { Encode } from "../files/codecs.ts";
import { textEncoder, type TextWriterOptions } from "../files/text_core.ts";
import type { BlockingWriter } from "./blocking_writer.ts";

/**
 * Writes text to a blocking socket: the methods of {@linkcode TextWriter}, but they block the worker and return
 * values. `makefile("w")` makes it. What is written is sent when the buffer is full, or at
 * `flush` and `close`; closing it leaves the socket open.
 */
export class BlockingTextWriter implements Disposable {
  readonly #writer: BlockingWriter;
  readonly #encode: Encode;

  /**
   * Opens a text file on a writer.
   *
   * @param writer Where the bytes go. It belongs to this file from now on.
   * @param options Encoding and line ends.
   */
  constructor(writer: BlockingWriter, options: TextWriterOptions = {}) {
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
   * @returns The length of `text`.
   * @throws {TypeError} if `text` is no string, the encoding does not have it, or the file is closed.
   */
  write(text: string): number {
    this.#writer.write(this.#encode(text));
    return text.length;
  }

  /**
   * Writes one after the other, with nothing put between them.
   *
   * @param lines What to write.
   */
  writelines(lines: Iterable<string>): void {
    for (const line of lines) this.write(line);
  }

  /** Sends all that was written. */
  flush(): void {
    this.#writer.flush();
  }

  /** Flushes, and closes the file but not the socket. Closing twice is fine. */
  close(): void {
    this.#writer.close();
  }

  /** Whether the file can be read: no; a TypeError where it is closed. */
  readable(): boolean {
    return this.#writer.readable();
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
