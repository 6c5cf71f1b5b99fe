/**
 * Python's `rfile`: bytes out of a socket, by the line or by the count.
 *
 * @module
 */

import { begun, unawaited } from "../_socket/calls.ts";
import { Lock } from "../_socket/lock.ts";
import { BufferedWriter, holdWhile } from "./buffered_writer.ts";
import { ByteQueue, isLine } from "./queues.ts";
import {
  checkBuffer,
  checkCount,
  checkLimit,
  checkSeparator,
} from "./checks.ts";
import { closedFile, incomplete, LimitOverrunError } from "./errors.ts";
import {
  DEFAULT_LINE_LIMIT,
  iterateLines,
  LineReader,
  toResult,
} from "./lines.ts";
import { finish, Straight, type Use } from "./reads.ts";
import type { ByteSource, Tied } from "./types.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** The most that one `recv` asks for where nothing else is given; the socket adapts below it. */
const DEFAULT_BUFFER_SIZE = 65536;

const NEWLINE = new Uint8Array([10]);

/** Options of a {@linkcode BufferedReader}. */
export interface BufferedReaderOptions {
  /**
   * The most bytes that one `recv` asks for. 0: unbuffered, so that never more is received
   * than was asked for, at the price of receiving lines byte by byte. -1: the default, 65536.
   *
   * @default {-1}
   */
  bufferSize?: number;
  /**
   * The longest line in bytes, its line end included; also the limit of `readuntil`. Beyond it
   * {@linkcode LimitOverrunError} is thrown. `Infinity` is no limit.
   *
   * @default {65536}
   */
  lineLimit?: number;
  /**
   * A writer whose bytes are sent before the reader asks for more, so that no answer is held back while the
   * question after it is waited for; and which, where it has no buffer, holds small writes while the reader
   * has more, so that the answers leave together. What C++ calls a tied stream.
   */
  tie?: Tied;
  /** Called once, when the reader is closed. */
  onClose?: () => void;
}

/** Options of {@linkcode BufferedReader.readuntil}. */
export interface ReadUntilOptions {
  /**
   * The most bytes, separator included.
   *
   * @default {65536, or the reader's `lineLimit`}
   */
  limit?: number;
}

/**
 * Reads bytes from a socket through a buffer; what `socket.makefile("rb")` returns and what
 * `StreamRequestHandler` has as `rfile`. It is Python's `io.BufferedReader` with the
 * `readexactly` and `readuntil` of asyncio.
 *
 * A call that fails, with a timeout for example, loses nothing: what came before stays in the
 * reader, and the next call begins with it. Calls made while another waits take turns.
 *
 * An array that is returned belongs to the caller, but it may be a view of a larger buffer, parts
 * of which are still to be read: `slice()` it before its `buffer` is used or transferred.
 *
 * Closing the reader leaves the socket open. Who opens the reader closes it; a request handler's
 * is closed by its `finish`.
 */
export class BufferedReader implements Disposable {
  readonly #source: ByteSource;
  readonly #bufferSize: number;
  readonly #lineLimit: number;
  readonly #tie: Tied | undefined;
  readonly #onClose: (() => void) | undefined;
  readonly #queue = new ByteQueue();
  readonly #turns = new Lock();
  readonly #straight = new Straight<BufferedReader>(this, this.#turns);
  readonly #lines: LineReader<Bytes>;
  #closed = false;

  /**
   * Opens a reader; nothing is received yet.
   *
   * @param source What to read from.
   * @param options Sizes and limits.
   * @throws {RangeError} if a size or limit is out of range.
   */
  constructor(source: ByteSource, options: BufferedReaderOptions = {}) {
    const { bufferSize = -1, lineLimit = DEFAULT_LINE_LIMIT, onClose } =
      options;
    checkCount(bufferSize, "Cannot open a reader: bufferSize", true);
    this.#source = source;
    this.#bufferSize = bufferSize < 0 ? DEFAULT_BUFFER_SIZE : bufferSize;
    this.#lineLimit = checkLimit(lineLimit, "Cannot open a reader: lineLimit");
    const { tie } = options;
    this.#tie = tie;
    if (tie instanceof BufferedWriter) {
      holdWhile(tie, () => this.#queue.length > 0 && this.#turns.ready);
    }
    this.#onClose = onClose;
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

  /**
   * Reads `size` bytes, or fewer if the stream ends before; without `size`, to the end.
   *
   * @param size How many bytes; -1 for all.
   * @returns The bytes; empty at the end of the stream.
   * @throws {RangeError} if `size` is not -1 or a non-negative integer.
   * @throws {TypeError} if the reader is closed.
   */
  read(size = -1): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#has(size)) return Promise.resolve(this.#take(size));
    return this.#run(async () => {
      const count = checkCount(size, "Cannot read: size", true);
      await this.#gather(count < 0 ? Infinity : count);
      return this.#take(count < 0 ? Infinity : count);
    });
  }

  /**
   * Reads what is there, with at most one `recv`.
   *
   * @param size The most bytes; -1 for as many as one `recv` brings.
   * @returns The bytes; empty at the end of the stream.
   * @throws {RangeError} if `size` is not -1 or a non-negative integer.
   * @throws {TypeError} if the reader is closed.
   */
  read1(size = -1): Promise<Uint8Array<ArrayBuffer>> {
    const all = size === -1 ||
      size >= this.#bufferSize && Number.isInteger(size);
    if (all && this.#fresh) return this.#once(BufferedReader.#opened);
    return this.#run(async () => {
      const count = checkCount(size, "Cannot read: size", true);
      const most = count < 0 ? DEFAULT_BUFFER_SIZE : count;
      if (most > 0 && this.#queue.length === 0) await this.#fill(most);
      return this.#take(count < 0 ? Infinity : count);
    });
  }

  /**
   * Reads exactly `size` bytes.
   *
   * @param size How many bytes.
   * @returns The bytes.
   * @throws {IncompleteReadError} if the stream ends before; it has what came as `partial`.
   * @throws {RangeError} if `size` is not a non-negative integer.
   * @throws {TypeError} if the reader is closed.
   */
  readexactly(size: number): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#has(size)) return Promise.resolve(this.#take(size));
    return this.#run(async () => {
      checkCount(size, "Cannot read: size", false);
      await this.#gather(size);
      const bytes = this.#take(size);
      if (bytes.length === size) return bytes;
      throw incomplete(`${size} bytes`, bytes, size);
    });
  }

  /**
   * Reads a line, its "\n" included. Only the last line of a stream can be without one.
   *
   * Without `limit` a line longer than the reader's `lineLimit` is an error, so that an endless
   * line does not end in memory. What came of it is discarded, and the next call skips the rest of
   * it, so that the inside of a line is never taken for a line.
   *
   * @param limit The most bytes to return; a longer line comes in parts, and that is no error.
   * @returns The line; empty at the end of the stream.
   * @throws {LimitOverrunError} if the line is longer than `lineLimit` and no `limit` is given.
   * @throws {RangeError} if `limit` is not -1 or a non-negative integer.
   * @throws {TypeError} if the reader is closed.
   */
  readline(limit = -1): Promise<Uint8Array<ArrayBuffer>> {
    const line = limit === -1 ? this.#readyLine() : undefined;
    if (line !== undefined) return Promise.resolve(line);
    if (limit === -1 && this.#fresh) return this.#once(BufferedReader.#toLine);
    return this.#run(() => {
      checkCount(limit, "Cannot read a line: limit", true);
      return finish(this.#lines.line(limit), () => this.#fill(1));
    });
  }

  /**
   * Reads until `separator`, and it as well.
   *
   * @param separator Bytes, or a string that stands for its UTF-8.
   * @param options The limit.
   * @returns The bytes; they end with the separator.
   * @throws {IncompleteReadError} if the stream ends before; it has what came as `partial`.
   * @throws {LimitOverrunError} if the separator does not come within the limit; what came stays in
   * the reader.
   * @throws {RangeError} if the separator is empty or the limit is no positive integer.
   * @throws {TypeError} if the reader is closed.
   */
  readuntil(
    separator: Uint8Array | string = NEWLINE,
    options: ReadUntilOptions = {},
  ): Promise<Uint8Array<ArrayBuffer>> {
    return this.#run(() => {
      const { limit = this.#lineLimit } = options;
      return this.#readUntil(
        checkSeparator(separator),
        checkLimit(limit, "Cannot read until a separator: limit"),
      );
    });
  }

  async #readUntil(separator: Uint8Array, limit: number): Promise<Bytes> {
    const start = await this.#find(separator, limit + 1);
    const end = start + separator.length;
    if (start >= 0 && end <= limit) return this.#take(end);
    const name = JSON.stringify(new TextDecoder().decode(separator));
    if (start < 0 && this.#queue.length <= limit) {
      throw incomplete(`until ${name}`, this.#take(Infinity));
    }
    throw new LimitOverrunError(
      `Cannot read until ${name}: no such separator within ${limit} bytes`,
      start < 0 ? this.#queue.length + 1 - separator.length : start,
    );
  }

  /** Where `separator` is; -1 where `enough` bytes, or the stream's last, do not show it. */
  async #find(separator: Uint8Array, enough: number): Promise<number> {
    for (let from = 0;;) {
      const start = this.#queue.indexOf(separator, from);
      if (start >= 0 || this.#queue.length >= enough) return start;
      from = Math.max(0, this.#queue.length + 1 - separator.length);
      if (!await this.#fill(1)) return -1;
    }
  }

  /**
   * Reads lines, to the end of the stream or until they exceed `hint` bytes. Where that fails
   * the lines read until then stay in the reader.
   *
   * @param hint No further line is read when the lines have more bytes than this; -1 or 0: all.
   * @returns The lines, each with its "\n".
   * @throws {LimitOverrunError} if a line is longer than `lineLimit`.
   * @throws {RangeError} if `hint` is not -1 or a non-negative integer.
   * @throws {TypeError} if the reader is closed.
   */
  readlines(hint = -1): Promise<Uint8Array<ArrayBuffer>[]> {
    return this.#run(() => {
      checkCount(hint, "Cannot read lines: hint", true);
      return finish(this.#lines.lines(hint), () => this.#fill(1));
    });
  }

  /**
   * Fills `buffer`, or less of it if the stream ends before. A large buffer is received into
   * directly, without a copy.
   *
   * @param buffer Where the bytes go.
   * @returns The count of bytes; 0 at the end of the stream.
   * @throws {TypeError} if `buffer` is none, or the reader is closed.
   */
  readinto(buffer: ArrayBufferView): Promise<number> {
    return this.#run(() => this.#readInto(checkBuffer(buffer), false));
  }

  /**
   * Reads what is there into `buffer`, with at most one receive.
   *
   * @param buffer Where the bytes go.
   * @returns The count of bytes; 0 at the end of the stream.
   * @throws {TypeError} if `buffer` is none, or the reader is closed.
   */
  readinto1(buffer: ArrayBufferView): Promise<number> {
    if (
      buffer instanceof Uint8Array && buffer.length >= this.#bufferSize &&
      this.#fresh
    ) {
      return this.#straight.read(
        this.#receiveTo(buffer),
        BufferedReader.#opened,
      );
    }
    return this.#run(() => this.#readInto(checkBuffer(buffer), true));
  }

  async #readInto(target: Uint8Array, once: boolean): Promise<number> {
    let filled = this.#queue.takeInto(target);
    this.#lines.leaveLine();
    try {
      while (filled < target.length && !(once && filled > 0)) {
        const count = await this.#receiveInto(target.subarray(filled));
        if (count === 0) break;
        filled += count;
      }
      return filled;
    } catch (error) {
      this.#queue.putBack([new Uint8Array(target.subarray(0, filled))]);
      throw error;
    }
  }

  /** One receive into `rest`; the queue is empty. */
  async #receiveInto(rest: Uint8Array): Promise<number> {
    if (rest.length < this.#bufferSize) {
      await this.#fill(rest.length);
      return this.#queue.takeInto(rest);
    }
    const count = await this.#receiveTo(rest);
    this.#checkOpen();
    return count;
  }

  /**
   * Shows what comes next and leaves it to be read. At most one `recv` is made, and only where
   * fewer than `size` bytes wait; more or fewer bytes than `size` may be returned.
   *
   * @param size How many bytes are wished for; 0 for those that wait, or else come next.
   * @returns A copy of the bytes; empty only at the end of the stream.
   * @throws {RangeError} if `size` is not a non-negative integer.
   * @throws {TypeError} if the reader is unbuffered or closed.
   */
  peek(size = 0): Promise<Uint8Array<ArrayBuffer>> {
    return this.#run(async () => {
      checkCount(size, "Cannot peek: size", false);
      if (this.#bufferSize === 0) {
        throw new TypeError("Cannot peek: the reader is unbuffered");
      }
      if (this.#queue.length < Math.max(1, size)) await this.#fill(1);
      return this.#queue.copy(Math.max(size, this.#bufferSize));
    });
  }

  /**
   * The lines to the end of the stream, as `readline()` gives them. Leaving the loop leaves the
   * reader open.
   *
   * @returns The iterator.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array<ArrayBuffer>> {
    return iterateLines(() => this.#readyLine(), () => this.#nextLine());
  }

  #nextLine(): Promise<IteratorResult<Bytes>> {
    if (this.#fresh) return this.#once(BufferedReader.#toNext);
    return unawaited(this.readline().then(toResult));
  }

  /**
   * Whether the file can be read: yes.
   *
   * @returns true
   * @throws {TypeError} if the reader is closed.
   */
  readable(): boolean {
    this.#checkOpen();
    return true;
  }

  /**
   * Whether the file can be written: no.
   *
   * @returns false
   * @throws {TypeError} if the reader is closed.
   */
  writable(): boolean {
    this.#checkOpen();
    return false;
  }

  /**
   * Whether the file has positions: no.
   *
   * @returns false
   * @throws {TypeError} if the reader is closed.
   */
  seekable(): boolean {
    this.#checkOpen();
    return false;
  }

  /**
   * Closes the reader, not the socket. What waits in it is lost; a call that waits is rejected
   * when its receive ends. Closing twice is fine.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#queue.clear();
    this.#onClose?.();
  }

  /** Closes the reader. */
  [Symbol.dispose](): void {
    this.close();
  }

  #checkOpen(): void {
    if (this.#closed) throw closedFile("read");
  }

  /** Runs a read in its turn. */
  #run<T>(operation: () => Promise<T>): Promise<T> {
    return unawaited(this.#turns.run(() => {
      this.#checkOpen();
      return operation();
    }));
  }

  /** Whether `size` bytes can be taken at once. */
  #has(size: number): boolean {
    return size > 0 && size <= this.#queue.length && this.#turns.ready &&
      Number.isInteger(size);
  }

  /** Takes `most` bytes, or what there is. */
  #take(most: number): Bytes {
    this.#lines.leaveLine();
    return this.#queue.take(Math.min(most, this.#queue.length));
  }

  #readyLine(): Bytes | undefined {
    return this.#turns.ready ? this.#lines.ready() : undefined;
  }

  /** Whether nothing is in the reader, and nobody reads: then one receive may be all it takes. */
  get #fresh(): boolean {
    return this.#turns.ready && this.#queue.length === 0 &&
      this.#bufferSize > 0 && !this.#closed && !this.#lines.inside;
  }

  /** Receives once for a read of a fresh reader. */
  #once<T>(use: Use<BufferedReader, Bytes, T>): Promise<T> {
    return this.#straight.read(this.#receive(this.#bufferSize), use);
  }

  /** What came, unless the reader was closed meanwhile. */
  static #opened<T>(this: void, reader: BufferedReader, came: T): T {
    reader.#checkOpen();
    return came;
  }

  /** The line that begins with what came. */
  static #toLine(
    this: void,
    reader: BufferedReader,
    came: Bytes,
  ): Bytes | Promise<Bytes> {
    reader.#checkOpen();
    if (came.length === 0) return came;
    // Mostly it is just a line, which to pass through the queue would take 0.1 us.
    if (isLine(came) && came.length <= reader.#lineLimit) return came;
    reader.#queue.push(came);
    return reader.#lines.ready() ??
      finish(reader.#lines.line(-1), () => reader.#fill(1));
  }

  static #toNext(
    this: void,
    reader: BufferedReader,
    came: Bytes,
  ): IteratorResult<Bytes> | Promise<IteratorResult<Bytes>> {
    const line = BufferedReader.#toLine(reader, came);
    return line instanceof Promise ? line.then(toResult) : toResult(line);
  }

  #receive(size: number): Promise<Bytes> {
    this.#tie?.sendHeld();
    return begun(() => this.#source.recv(size));
  }

  #receiveTo(buffer: Uint8Array): Promise<number> {
    this.#tie?.sendHeld();
    return begun(() => this.#source.recvInto(buffer));
  }

  /** Waits until `count` bytes are there, or the end. */
  async #gather(count: number): Promise<void> {
    while (this.#queue.length < count) {
      if (
        !await this.#fill(
          Math.min(count - this.#queue.length, DEFAULT_BUFFER_SIZE),
        )
      ) return;
    }
  }

  /** One receive; an unbuffered reader asks for `wanted` bytes. False at the end. */
  async #fill(wanted: number): Promise<boolean> {
    const chunk = await this.#receive(this.#bufferSize || wanted);
    this.#checkOpen();
    if (chunk.length > 0) this.#queue.push(chunk);
    return chunk.length > 0;
  }
}
