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
 * Writes text to a socket, as the writing half of Python's `io.TextIOWrapper`. `socket.makefile("w")` returns one.
 * Text is sent when the buffer of its {@linkcode Writer} is full, and on `flush` and `close`.
 *
 * Closing the file closes its writer and leaves the socket open.
 *
 * @example
 * ```ts
 * import { socketpair } from "@socketserver/socketserver";
 * import { strictEqual } from "node:assert/strict";
 *
 * const [a, b] = await socketpair();
 * await using file = a.makefile("w", { newline: "\r\n" });
 * await file.write("hello\n");
 * await file.flush();
 * strictEqual(new TextDecoder().decode(await b.recv(100)), "hello\r\n");
 * a.close();
 * b.close();
 * ```
 *
 * @category Files
 */
export class TextWriter implements AsyncDisposable {
  readonly #writer: Writer;
  readonly #encode: Encode;

  /**
   * Opens a text file on a writer.
   *
   * @param writer The destination of the bytes. The writer belongs to this file from now on.
   * @param options Encoding and line ends.
   * @throws {TypeError} if `errors` or `newline` has none of its values.
   * @throws {RangeError} if the encoding cannot be written.
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
   * @param text The text to write.
   * @returns The length of `text`, once it is in the buffer or sent.
   * @throws {TypeError} at once, if `text` is not a string or the encoding lacks one of its characters; as a
   * rejection, if the file is closed.
   */
  write(text: string): Promise<number> {
    const written = this.#writer.write(this.#encode(text));
    return unawaited(written.then(() => text.length));
  }

  /**
   * Writes each of `lines` in order, with nothing between them; see {@linkcode Writer.writelines}.
   *
   * @param lines The text to write.
   * @throws {TypeError} as `write` does.
   */
  writelines(lines: Iterable<string> | AsyncIterable<string>): Promise<void> {
    return writeEach(lines, (line) => this.write(line));
  }

  /**
   * Sends the collected text and waits until all written text is sent.
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
   * Reports whether the file can be read.
   *
   * @returns false
   * @throws {TypeError} if the file is closed.
   */
  readable(): boolean {
    return this.#writer.readable();
  }

  /**
   * Reports whether the file can be written.
   *
   * @returns true
   * @throws {TypeError} if the file is closed.
   */
  writable(): boolean {
    return this.#writer.writable();
  }

  /**
   * Reports whether the file has positions.
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
