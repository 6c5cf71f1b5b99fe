/**
 * The text file that reads, of a handler that blocks.
 *
 * @module
 */

import { checkCount, checkLimit } from "../_stream/checks.ts";
import { type Decode, decoderFor } from "../_stream/codecs.ts";
import { DEFAULT_LINE_LIMIT, eachLine, LineReader } from "../_stream/lines.ts";
import { finishNow } from "../_stream/reads.ts";
import {
  checkNewline,
  type NewlineDecoder,
  newlineDecoder,
} from "../_stream/newlines.ts";
import { TextQueue } from "../_stream/queues.ts";
import type { TextReaderOptions } from "../_stream/text_reader.ts";
import type { BlockingReader } from "./reader.ts";

/**
 * Reads text from a blocking socket: the methods of {@linkcode TextReader}, but they block the worker and return
 * values. `makefile("r")` makes it; closing it leaves the socket open.
 */
export class BlockingTextReader implements Disposable {
  readonly #reader: BlockingReader;
  readonly #decode: Decode;
  readonly #newlines: NewlineDecoder;
  readonly #queue: TextQueue;
  readonly #lines: LineReader<string>;

  /**
   * Opens a text file on a reader; nothing is received yet.
   *
   * @param reader Where the bytes come from. It belongs to this file from now on.
   * @param options Encoding and line ends.
   */
  constructor(reader: BlockingReader, options: TextReaderOptions = {}) {
    const { encoding = "utf-8", errors = "strict", newline = null } = options;
    const { lineLimit = DEFAULT_LINE_LIMIT } = options;
    this.#reader = reader;
    this.#decode = decoderFor(encoding, errors);
    this.#newlines = newlineDecoder(checkNewline(newline));
    this.#queue = new TextQueue(this.#newlines.find);
    this.#lines = new LineReader({
      queue: this.#queue,
      limit: checkLimit(lineLimit, "Cannot open a reader: lineLimit"),
      unit: "characters",
    });
  }

  /** Whether the file is closed. */
  get closed(): boolean {
    return this.#reader.closed;
  }

  #check(size: number, subject: string): void {
    this.#reader.readable(); // throws where it is closed
    checkCount(size, subject, true);
  }

  /** Receives until there is more text; false at the end. */
  #fill(): boolean {
    for (;;) {
      const bytes = this.#reader.read1();
      const last = bytes.length === 0;
      const text = this.#newlines.translate(this.#decode(bytes, last), last);
      if (text !== "") this.#queue.push(text);
      if (text !== "" || last) return text !== "";
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
    this.#check(size, "Cannot read: size");
    const wanted = size < 0 ? Infinity : size;
    while (this.#queue.length < wanted && this.#fill());
    this.#lines.leaveLine();
    return this.#queue.take(Math.min(wanted, this.#queue.length));
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
    this.#check(limit, "Cannot read a line: limit");
    return finishNow(this.#lines.line(limit), () => this.#fill());
  }

  /**
   * Reads the lines to the end, or until they have more than `hint` characters.
   *
   * @param hint How many characters; -1 or 0: all.
   * @returns The lines.
   */
  readlines(hint = -1): string[] {
    this.#check(hint, "Cannot read lines: hint");
    return finishNow(this.#lines.lines(hint), () => this.#fill());
  }

  /** The lines. */
  [Symbol.iterator](): IterableIterator<string> {
    return eachLine(() => this.readline());
  }

  /** Closes the file, not the socket. What waits in it is lost. Closing twice is fine. */
  close(): void {
    this.#queue.clear();
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
