/**
 * The `rfile` of a handler that blocks.
 *
 * @module
 */

import type { Bytes } from "../_socket/read_memory.ts";
import type {
  BufferedReaderOptions,
  ReadUntilOptions,
} from "../_stream/buffered_reader.ts";
import { ByteQueue } from "../_stream/queues.ts";
import {
  checkBuffer,
  checkCount,
  checkLimit,
  checkSeparator,
} from "../_stream/checks.ts";
import {
  closedFile,
  incomplete,
  LimitOverrunError,
} from "../_stream/errors.ts";
import { DEFAULT_LINE_LIMIT, eachLine, LineReader } from "../_stream/lines.ts";
import { finishNow } from "../_stream/reads.ts";
import type { Tied } from "../_stream/types.ts";
import type { BlockingBytes } from "./types.ts";

/** The most that one `recv` asks for where nothing else is given; as of `BufferedReader`. */
const BUFFER_SIZE = 65_536;

/**
 * Reads bytes from a blocking socket: {@linkcode BufferedReader}, where its errors are described, but its
 * methods block the worker and return values. `makefile("rb")` makes it; closing it leaves the socket open.
 */
export class BlockingReader implements Disposable {
  readonly #source: BlockingBytes;
  readonly #bufferSize: number;
  readonly #lineLimit: number;
  readonly #tie: Tied | undefined;
  readonly #onClose: (() => void) | undefined;
  readonly #queue = new ByteQueue();
  readonly #lines: LineReader<Bytes>;
  #closed = false;

  /**
   * Opens a reader; nothing is received yet.
   *
   * @param source What to read from.
   * @param options Sizes and limits.
   */
  constructor(source: BlockingBytes, options: BufferedReaderOptions = {}) {
    const { bufferSize = -1, lineLimit = DEFAULT_LINE_LIMIT } = options;
    checkCount(bufferSize, "Cannot open a reader: bufferSize", true);
    this.#source = source;
    this.#bufferSize = bufferSize < 0 ? BUFFER_SIZE : bufferSize;
    this.#lineLimit = checkLimit(lineLimit, "Cannot open a reader: lineLimit");
    this.#tie = options.tie;
    this.#onClose = options.onClose;
    this.#lines = new LineReader({
      queue: this.#queue,
      limit: this.#lineLimit,
      unit: "bytes",
    });
  }

  /** Whether the reader is closed. */
  get closed(): boolean {
    return this.#closed;
  }

  #check(size: number, subject = "Cannot read: size"): void {
    this.#checkOpen();
    checkCount(size, subject, true);
  }

  #checkOpen(): void {
    if (this.#closed) throw closedFile("read");
  }

  /** One receive; without a buffer it asks for `wanted` bytes. False at the end of the stream. */
  #fill(wanted: number): boolean {
    this.#tie?.sendHeld();
    const data = this.#source.recv(
      this.#bufferSize || Math.min(wanted, BUFFER_SIZE),
    );
    if (data.length > 0) this.#queue.push(data);
    return data.length > 0;
  }

  /** Receives until `count` bytes are there, or the end. */
  #gather(count: number): void {
    const queue = this.#queue;
    while (queue.length < count && this.#fill(count - queue.length));
  }

  /** Takes `most` bytes, or what there is. */
  #take(most: number): Bytes {
    this.#lines.leaveLine();
    return this.#queue.take(Math.min(most, this.#queue.length));
  }

  /**
   * Reads `size` bytes, or fewer if the stream ends before; without `size`, to the end.
   *
   * @param size How many bytes; -1 for all.
   * @returns The bytes; empty at the end of the stream.
   */
  read(size = -1): Uint8Array<ArrayBuffer> {
    this.#check(size);
    const count = size < 0 ? Infinity : size;
    this.#gather(count);
    return this.#take(count);
  }

  /**
   * Reads what is there, with at most one `recv`.
   *
   * @param size The most bytes; -1 for as many as one `recv` brings.
   * @returns The bytes; empty at the end of the stream.
   */
  read1(size = -1): Uint8Array<ArrayBuffer> {
    this.#check(size);
    const count = size < 0 ? Infinity : size;
    if (count > 0 && this.#queue.length === 0) this.#fill(count);
    return this.#take(count);
  }

  /**
   * Reads exactly `size` bytes.
   *
   * @param size How many bytes.
   * @returns The bytes.
   * @throws {IncompleteReadError} if the stream ends before; it has what came as `partial`.
   */
  readexactly(size: number): Uint8Array<ArrayBuffer> {
    this.#checkOpen();
    checkCount(size, "Cannot read: size", false);
    const data = this.read(size);
    if (data.length === size) return data;
    throw incomplete(`${size} bytes`, data, size);
  }

  /**
   * Reads a line, its "\n" included. Only the last line of a stream can be without one.
   *
   * @param limit The most bytes to return; a longer line comes in parts. -1 for the whole line.
   * @returns The line; empty at the end of the stream.
   * @throws {LimitOverrunError} if it is longer than `lineLimit`; the rest of it is skipped.
   */
  readline(limit = -1): Uint8Array<ArrayBuffer> {
    this.#check(limit, "Cannot read a line: limit");
    return finishNow(this.#lines.line(limit), () => this.#fill(1));
  }

  /**
   * Reads until `separator`, and it as well.
   *
   * @param separator Bytes, or a string that stands for its UTF-8.
   * @param options The limit.
   * @returns The bytes; they end with the separator.
   * @throws {IncompleteReadError} if the stream ends before; it has what came as `partial`.
   * @throws {LimitOverrunError} if the separator does not come within the limit; what came stays here.
   */
  readuntil(
    separator: Uint8Array | string = "\n",
    options: ReadUntilOptions = {},
  ): Uint8Array<ArrayBuffer> {
    this.#checkOpen();
    const pattern = checkSeparator(separator);
    const limit = checkLimit(
      options.limit ?? this.#lineLimit,
      "Cannot read until a separator: limit",
    );
    const start = this.#find(pattern, limit + 1);
    const end = start + pattern.length;
    if (start >= 0 && end <= limit) return this.#take(end);
    const name = JSON.stringify(new TextDecoder().decode(pattern));
    const { length } = this.#queue;
    if (start < 0 && length <= limit) {
      throw incomplete(`until ${name}`, this.#take(Infinity));
    }
    throw new LimitOverrunError(
      `Cannot read until ${name}: no such separator within ${limit} bytes`,
      start < 0 ? length + 1 - pattern.length : start,
    );
  }

  /** Where `pattern` is; -1 where `enough` bytes, or the stream's last, do not show it. */
  #find(pattern: Uint8Array, enough: number): number {
    const queue = this.#queue;
    for (let from = 0;;) {
      const start = queue.indexOf(pattern, from);
      if (start >= 0 || queue.length >= enough) return start;
      from = Math.max(0, queue.length + 1 - pattern.length);
      if (!this.#fill(1)) return -1;
    }
  }

  /**
   * Reads the lines to the end, or until they have more than `hint` bytes. Where that fails the lines
   * read until then stay in the reader.
   *
   * @param hint How many bytes; -1 or 0: all.
   * @returns The lines.
   */
  readlines(hint = -1): Uint8Array<ArrayBuffer>[] {
    this.#check(hint, "Cannot read lines: hint");
    return finishNow(this.#lines.lines(hint), () => this.#fill(1));
  }

  /**
   * Fills `buffer`, or less of it if the stream ends before.
   *
   * @param buffer Where the bytes go.
   * @returns The count of bytes; 0 at the end of the stream.
   */
  readinto(buffer: ArrayBufferView): number {
    this.#checkOpen();
    const target = checkBuffer(buffer);
    this.#gather(target.length);
    this.#lines.leaveLine();
    return this.#queue.takeInto(target);
  }

  /**
   * Reads what is there into `buffer`, with at most one receive.
   *
   * @param buffer Where the bytes go.
   * @returns The count of bytes; 0 at the end of the stream.
   */
  readinto1(buffer: ArrayBufferView): number {
    this.#checkOpen();
    const target = checkBuffer(buffer);
    if (this.#queue.length === 0 && target.length > 0) {
      this.#fill(target.length);
    }
    this.#lines.leaveLine();
    return this.#queue.takeInto(target);
  }

  /**
   * Shows what comes next and leaves it to be read, with at most one `recv`.
   *
   * @param size How many bytes are wished for; 0 for those that wait, or else come next.
   * @returns A copy of the bytes; empty only at the end of the stream.
   * @throws {TypeError} if the reader is unbuffered or closed.
   */
  peek(size = 0): Uint8Array<ArrayBuffer> {
    this.#checkOpen();
    checkCount(size, "Cannot peek: size", false);
    if (this.#bufferSize === 0) {
      throw new TypeError("Cannot peek: the reader is unbuffered");
    }
    if (this.#queue.length < Math.max(1, size)) this.#fill(1);
    return this.#queue.copy(Math.max(size, this.#bufferSize));
  }

  /** The lines to the end of the stream. Leaving the loop leaves the reader open. */
  [Symbol.iterator](): IterableIterator<Uint8Array<ArrayBuffer>> {
    return eachLine(() => this.readline());
  }

  /** Whether the file can be read: yes; a TypeError where it is closed. */
  readable(): boolean {
    this.#checkOpen();
    return true;
  }

  /** Whether the file can be written: no; a TypeError where it is closed. */
  writable(): boolean {
    this.#checkOpen();
    return false;
  }

  /** Whether the file has positions: no; a TypeError where it is closed. */
  seekable(): boolean {
    this.#checkOpen();
    return false;
  }

  /** Closes the reader, not the socket. What waits in it is lost. Closing twice is fine. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#queue.clear();
    this.#onClose?.();
  }

  /** Closes the reader, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }
}
