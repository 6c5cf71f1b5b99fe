/**
 * The text file that reads: what `makefile("r")` returns.
 *
 * @module
 */

import { unawaited } from "../_socket/calls.ts";
import { Lock } from "../_socket/lock.ts";
import type { BufferedReader } from "./buffered_reader.ts";
import { checkCount, checkLimit } from "./checks.ts";
import { type Decode, decoderFor, type TextErrors } from "./codecs.ts";
import {
  DEFAULT_LINE_LIMIT,
  iterateLines,
  LineReader,
  toResult,
} from "./lines.ts";
import {
  checkNewline,
  type Newline,
  type NewlineDecoder,
  newlineDecoder,
} from "./newlines.ts";
import { TextQueue } from "./queues.ts";
import { finish } from "./reads.ts";

/** Options of a {@linkcode TextReader}. */
export interface TextReaderOptions {
  /**
   * `"ascii"`, `"latin-1"` (every byte is the character of that number, as in Python), or any label
   * that `TextDecoder` knows.
   *
   * @default {"utf-8"}
   */
  encoding?: string;
  /**
   * What is done with bytes that are no text: an error, U+FFFD, or nothing.
   *
   * @default {"strict"}
   */
  errors?: TextErrors;
  /**
   * Which line ends there are.
   *
   * @default {null}
   */
  newline?: Newline;
  /**
   * The longest line in UTF-16 units, its line end included. Beyond it
   * {@linkcode LimitOverrunError} is thrown. `Infinity` is no limit.
   *
   * @default {65536}
   */
  lineLimit?: number;
}

/**
 * Reads text from a socket; the reading half of Python's `io.TextIOWrapper`.
 *
 * Characters are counted as JavaScript's strings count, in UTF-16 units; a surrogate pair is
 * never divided, but returned whole where its first half was asked for.
 *
 * A call that fails with a timeout loses nothing. Where data cannot be decoded and `errors` is
 * `"strict"`, the chunk that the socket received with it is lost, as in Python; `"replace"` avoids that.
 *
 * Closing it closes the {@linkcode BufferedReader} below, and leaves the socket open.
 */
export class TextReader implements Disposable {
  readonly #reader: BufferedReader;
  readonly #decode: Decode;
  readonly #newlines: NewlineDecoder;
  readonly #queue: TextQueue;
  readonly #lines: LineReader<string>;
  readonly #turns = new Lock();

  /**
   * Opens a text file on a reader; nothing is received yet.
   *
   * @param reader Where the bytes come from. It belongs to this file from now on.
   * @param options Encoding and line ends.
   * @throws {TypeError} if `errors` or `newline` is none of the values there are.
   * @throws {RangeError} if the encoding is unknown, or the limit is out of range.
   */
  constructor(reader: BufferedReader, options: TextReaderOptions = {}) {
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

  /**
   * Reads `size` characters, or fewer if the stream ends before; without `size`, to the end.
   *
   * @param size How many characters; -1 for all.
   * @returns The text; empty at the end of the stream.
   * @throws {RangeError} if `size` is not -1 or a non-negative integer.
   * @throws {TypeError} if data cannot be decoded, or the file is closed.
   */
  read(size = -1): Promise<string> {
    return this.#run(async () => {
      const count = checkCount(size, "Cannot read: size", true);
      const wanted = count < 0 ? Infinity : count;
      while (this.#queue.length < wanted && await this.#fill());
      this.#lines.leaveLine();
      return this.#queue.take(Math.min(wanted, this.#queue.length));
    });
  }

  /**
   * Reads a line, its line end included. Only the last line of a stream can be without one.
   * Lines that are too long are handled as in {@linkcode BufferedReader.readline}.
   *
   * @param limit The most characters to return; a longer line comes in parts, and that is no error.
   * @returns The line; empty at the end of the stream.
   * @throws {LimitOverrunError} if the line is longer than `lineLimit` and no `limit` is given.
   * @throws {RangeError} if `limit` is not -1 or a non-negative integer.
   * @throws {TypeError} if data cannot be decoded, or the file is closed.
   */
  readline(limit = -1): Promise<string> {
    const line = limit === -1 ? this.#readyLine() : undefined;
    if (line !== undefined) return Promise.resolve(line);
    return this.#run(() => {
      checkCount(limit, "Cannot read a line: limit", true);
      return finish(this.#lines.line(limit), () => this.#fill());
    });
  }

  /**
   * Reads lines, to the end of the stream or until they exceed `hint` characters. Where that
   * fails the lines read until then stay in the reader.
   *
   * @param hint No further line is read when the lines are longer than this; -1 or 0: all.
   * @returns The lines, each with its line end.
   * @throws {LimitOverrunError} if a line is longer than `lineLimit`.
   * @throws {RangeError} if `hint` is not -1 or a non-negative integer.
   * @throws {TypeError} if data cannot be decoded, or the file is closed.
   */
  readlines(hint = -1): Promise<string[]> {
    return this.#run(() => {
      checkCount(hint, "Cannot read lines: hint", true);
      return finish(this.#lines.lines(hint), () => this.#fill());
    });
  }

  /**
   * The lines to the end of the stream, as `readline()` gives them. Leaving the loop leaves the
   * file open.
   *
   * @returns The iterator.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<string> {
    return iterateLines(
      () => this.#readyLine(),
      () => unawaited(this.readline().then(toResult)),
    );
  }

  /**
   * Whether the file can be read: yes.
   *
   * @returns true
   * @throws {TypeError} if the file is closed.
   */
  readable(): boolean {
    return this.#reader.readable();
  }

  /**
   * Whether the file can be written: no.
   *
   * @returns false
   * @throws {TypeError} if the file is closed.
   */
  writable(): boolean {
    return this.#reader.writable();
  }

  /**
   * Whether the file has positions: no.
   *
   * @returns false
   * @throws {TypeError} if the file is closed.
   */
  seekable(): boolean {
    return this.#reader.seekable();
  }

  /** Closes the file, not the socket. What waits in it is lost. Closing twice is fine. */
  close(): void {
    this.#queue.clear();
    this.#reader.close();
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    this.close();
  }

  #run<T>(operation: () => Promise<T>): Promise<T> {
    return unawaited(this.#turns.run(() => {
      this.#reader.readable(); // throws where it is closed
      return operation();
    }));
  }

  #readyLine(): string | undefined {
    return this.#turns.ready ? this.#lines.ready() : undefined;
  }

  /** Receives until there is more text; false at the end. */
  async #fill(): Promise<boolean> {
    for (;;) {
      const bytes = await this.#reader.read1();
      const last = bytes.length === 0;
      const text = this.#newlines.translate(this.#decode(bytes, last), last);
      if (text !== "") this.#queue.push(text);
      if (text !== "" || last) return text !== "";
    }
  }
}
