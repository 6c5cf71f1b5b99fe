/**
 * The `rfile` of a handler that blocks.
 *
 * @module
 */

import type { Bytes } from "../_socket/read_buffer.ts";
import { ByteQueue } from "../_stream/byte_queue.ts";
import { checkBuffer, checkCount, checkLimit } from "../_stream/checks.ts";
import { IncompleteReadError, LimitOverrunError } from "../_stream/errors.ts";
import { DEFAULT_LINE_LIMIT } from "../_stream/lines.ts";
import type {
  BlockingBytes,
  BlockingMakefileOptions,
} from "./blocking_files.ts";

/** Python's `io.DEFAULT_BUFFER_SIZE`. */
const BUFFER_SIZE = 8192;

/**
 * Reads from a blocking socket: the methods of {@linkcode BufferedReader}, but they block the worker and return
 * values. `makefile("rb")` makes it; closing it leaves the socket open.
 */
export class BlockingReader implements Disposable {
  readonly #source: BlockingBytes;
  readonly #bufferSize: number;
  readonly #lineLimit: number;
  readonly #onClose: () => void;
  readonly #queue = new ByteQueue();
  /** Whether the stream stands inside of a line that was too long, whose rest is to be skipped. */
  #inside = false;
  #closed = false;

  /**
   * Opens a reader; nothing is received yet.
   *
   * @param source What to read from.
   * @param options Sizes and limits.
   */
  constructor(
    source: BlockingBytes,
    options: BlockingMakefileOptions & { onClose: () => void },
  ) {
    const { buffering = -1, lineLimit = DEFAULT_LINE_LIMIT } = options;
    this.#source = source;
    this.#bufferSize = buffering < 0 ? BUFFER_SIZE : buffering;
    this.#lineLimit = checkLimit(lineLimit, "Cannot open a reader: lineLimit");
    this.#onClose = options.onClose;
  }

  /** Whether the reader is closed. */
  get closed(): boolean {
    return this.#closed;
  }

  #check(size: number): number {
    if (this.#closed) throw new TypeError("Cannot read: read of closed file");
    checkCount(size, "Cannot read: size", true);
    return size < 0 ? Infinity : size;
  }

  /** Receives at least one byte, if there is one; false at the end of the stream. */
  #fill(most: number): boolean {
    const wanted = this.#bufferSize === 0
      ? Math.min(most, BUFFER_SIZE)
      : this.#bufferSize;
    const data = this.#source.recv(wanted);
    if (data.length > 0) this.#queue.push(data);
    return data.length > 0;
  }

  #gather(count: number): void {
    while (this.#queue.length < count) {
      if (!this.#fill(count - this.#queue.length)) return;
    }
  }

  #take(count: number): Bytes {
    return this.#queue.take(Math.min(count, this.#queue.length));
  }

  /**
   * Reads `size` bytes, or fewer if the stream ends before; without `size`, to the end.
   *
   * @param size How many bytes; -1 for all.
   * @returns The bytes; empty at the end of the stream.
   */
  read(size = -1): Bytes {
    const count = this.#check(size);
    this.#inside = false;
    this.#gather(count);
    return this.#take(count);
  }

  /**
   * Reads what is there, with at most one `recv`.
   *
   * @param size The most bytes; -1 for as many as one `recv` brings.
   * @returns The bytes; empty at the end of the stream.
   */
  read1(size = -1): Bytes {
    const count = this.#check(size);
    this.#inside = false;
    if (count > 0 && this.#queue.length === 0) this.#fill(count);
    return this.#take(count);
  }

  /**
   * Reads exactly `size` bytes.
   *
   * @param size How many bytes.
   * @returns The bytes.
   * @throws {IncompleteReadError} if the stream ends before.
   */
  readexactly(size: number): Bytes {
    checkCount(size, "Cannot read: size", false);
    const data = this.read(size);
    if (data.length === size) return data;
    throw new IncompleteReadError(
      `Cannot read ${size} bytes: the stream ended after ${data.length}`,
      data,
      size,
    );
  }

  /**
   * Reads into `buffer`, as much as fits or comes.
   *
   * @param buffer Where the bytes go.
   * @returns How many bytes came.
   */
  readinto(buffer: ArrayBufferView): number {
    const target = checkBuffer(buffer);
    const data = this.read(target.length);
    target.set(data);
    return data.length;
  }

  /**
   * Looks at what comes next, with at most one `recv`.
   *
   * @param size Has no effect beyond 0; as in Python.
   * @returns What is in the buffer.
   */
  peek(size = 1): Bytes {
    if (this.#check(size) > 0 && this.#queue.length === 0) this.#fill(1);
    return this.#queue.copy(this.#queue.length);
  }

  /**
   * Reads a line.
   *
   * @param limit The most bytes; -1 for the whole line.
   * @returns The line with its line end, which may be missing at the end of the stream; then empty.
   * @throws {LimitOverrunError} if it is longer than `lineLimit`; the rest of it is skipped.
   */
  readline(limit = -1): Bytes {
    const most = this.#check(limit);
    if (this.#inside) this.#skip();
    return this.#line(most);
  }

  #line(most: number): Bytes {
    const enough = Math.min(most, this.#lineLimit + 1);
    const end = this.#find(enough);
    const length = Math.min(end < 0 ? this.#queue.length : end, most);
    if (length <= this.#lineLimit || most < Infinity) return this.#take(length);
    this.#queue.drop(length);
    this.#inside = end < 0;
    throw new LimitOverrunError(
      `Cannot read a line: no line end within ${this.#lineLimit} bytes`,
      length,
    );
  }

  /** Where the line ends; -1 where `enough` bytes, or the last ones, show no line end. */
  #find(enough: number): number {
    for (let from = 0;;) {
      const end = this.#queue.lineEnd(from);
      if (end >= 0 || this.#queue.length >= enough) return end;
      from = this.#queue.length;
      // Without a buffer nothing behind the line may be taken.
      if (!this.#fill(1)) return -1;
    }
  }

  #skip(): void {
    for (;;) {
      const end = this.#queue.lineEnd(0);
      this.#queue.drop(end < 0 ? this.#queue.length : end);
      if (end >= 0 || !this.#fill(1)) break;
    }
    this.#inside = false;
  }

  /**
   * Reads the lines to the end, or until they have more than `hint` bytes.
   *
   * @param hint How many bytes; -1 for all.
   * @returns The lines.
   */
  readlines(hint = -1): Bytes[] {
    const lines: Bytes[] = [];
    for (let total = 0; hint <= 0 || total <= hint;) {
      const line = this.readline();
      if (line.length === 0) break;
      lines.push(line);
      total += line.length;
    }
    return lines;
  }

  /** The lines. */
  *[Symbol.iterator](): IterableIterator<Uint8Array<ArrayBuffer>> {
    for (;;) {
      const line = this.readline();
      if (line.length === 0) return;
      yield line;
    }
  }

  /** Closes the reader and leaves the socket open. Closing twice is fine. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#queue.clear();
    this.#onClose();
  }

  /** Closes the reader, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }
}
