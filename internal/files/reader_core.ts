/**
 * What a reader of bytes does, without how it receives: sizes, limits, lines and separators. Its shells, for `await`
 * and for blocking, only move bytes into it.
 *
 * @module
 */

import type { Bytes } from "../base/memory.ts";
import {
  checkBuffer,
  checkCount,
  checkLimit,
  checkSeparator,
} from "./file_arguments.ts";
import { closedFile, incomplete, LimitOverrunError } from "./read_errors.ts";
import { DEFAULT_LINE_LIMIT, LineReader } from "./lines.ts";
import { ByteQueue, isLine } from "./queues.ts";
import type { Tied } from "./raw_streams.ts";
import type { ReadSteps } from "./read_steps.ts";

/** The most that one receive asks for where nothing else is given; the socket adapts below it. */
const BUFFER_SIZE = 65_536;

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

/** The state of a reader, and its reads as steps, each of which needs more bytes. */
export class ReaderCore {
  /** The most bytes that one receive asks for; 0 where there is no buffer. */
  readonly bufferSize: number;
  /** The longest line. */
  readonly lineLimit: number;
  /** What has come and was not read yet. */
  readonly queue: ByteQueue = new ByteQueue();
  /** Reads lines. */
  readonly lines: LineReader<Bytes>;
  /** Whether the reader is closed. */
  closed = false;
  readonly #onClose: (() => void) | undefined;

  /** @param options Sizes and limits. */
  constructor(options: BufferedReaderOptions) {
    const { bufferSize = -1, lineLimit = DEFAULT_LINE_LIMIT } = options;
    checkCount(bufferSize, "Cannot open a reader: bufferSize", true);
    this.bufferSize = bufferSize < 0 ? BUFFER_SIZE : bufferSize;
    this.lineLimit = checkLimit(lineLimit, "Cannot open a reader: lineLimit");
    this.#onClose = options.onClose;
    const { queue } = this;
    this.lines = new LineReader({ queue, limit: lineLimit, unit: "bytes" });
  }

  /** Throws if the reader is closed. */
  checkOpen(): void {
    if (this.closed) throw closedFile("read");
  }

  /** Closes the reader; what waits in it is lost. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.queue.clear();
    this.#onClose?.();
  }

  /** How many bytes a receive asks for that is to bring `wanted`: without a buffer never more. */
  receiveSize(wanted: number): number {
    return this.bufferSize || Math.min(wanted, BUFFER_SIZE);
  }

  /** Whether nothing waits in an open reader with a buffer: one receive may bring all that a read wants. */
  get idle(): boolean {
    return this.queue.length === 0 && this.bufferSize > 0 && !this.closed &&
      !this.lines.skipping;
  }

  /** Takes the line that begins with what came to a fresh reader, if all of it has come. */
  firstLine(came: Bytes): Bytes | undefined {
    this.checkOpen();
    if (came.length === 0) return came;
    // Mostly it is just a line, which to pass through the queue would take 0.1 us.
    if (isLine(came) && came.length <= this.lineLimit) return came;
    this.queue.push(came);
    return this.lines.ready();
  }

  /** Takes `most` bytes, or what there is. */
  take(most: number): Bytes {
    this.lines.stopSkipping();
    return this.queue.take(Math.min(most, this.queue.length));
  }

  /** Reads `size` bytes, or to the end. */
  *read(size: number): ReadSteps<Bytes> {
    checkCount(size, "Cannot read: size", true);
    const count = size < 0 ? Infinity : size;
    const { queue } = this;
    while (queue.length < count && (yield count - queue.length));
    return this.take(count);
  }

  /** Reads what is there, with at most one receive. */
  *read1(size: number): ReadSteps<Bytes> {
    checkCount(size, "Cannot read: size", true);
    const count = size < 0 ? Infinity : size;
    if (count > 0 && this.queue.length === 0) yield count;
    return this.take(count);
  }

  /** Reads exactly `size` bytes. */
  *readexactly(size: number): ReadSteps<Bytes> {
    checkCount(size, "Cannot read: size", false);
    const { queue } = this;
    while (queue.length < size && (yield size - queue.length));
    const bytes = this.take(size);
    if (bytes.length === size) return bytes;
    throw incomplete(`${size} bytes`, bytes, size);
  }

  /** Fills `buffer` through the queue, or with `once` reads what is there with at most one receive. */
  *readinto(buffer: ArrayBufferView, once: boolean): ReadSteps<number> {
    const target = checkBuffer(buffer);
    const { queue } = this;
    const enough = once ? Math.min(1, target.length) : target.length;
    while (queue.length < enough && (yield target.length - queue.length));
    this.lines.stopSkipping();
    return queue.takeInto(target);
  }

  /** Reads a line. */
  readline(limit: number): ReadSteps<Bytes> {
    checkCount(limit, "Cannot read a line: limit", true);
    return this.lines.line(limit);
  }

  /** Reads lines. */
  readlines(hint: number): ReadSteps<Bytes[]> {
    checkCount(hint, "Cannot read lines: hint", true);
    return this.lines.lines(hint);
  }

  /** Reads until `separator`, and it as well. */
  *readuntil(
    separator: Uint8Array | string,
    options: ReadUntilOptions,
  ): ReadSteps<Bytes> {
    const pattern = checkSeparator(separator);
    const limit = checkLimit(
      options.limit ?? this.lineLimit,
      "Cannot read until a separator: limit",
    );
    const start = yield* this.#find(pattern, limit + 1);
    const end = start + pattern.length;
    if (start >= 0 && end <= limit) return this.take(end);
    const name = JSON.stringify(new TextDecoder().decode(pattern));
    const { length } = this.queue;
    if (start < 0 && length <= limit) {
      throw incomplete(`until ${name}`, this.take(Infinity));
    }
    throw new LimitOverrunError(
      `Cannot read until ${name}: no such separator within ${limit} bytes`,
      start < 0 ? length + 1 - pattern.length : start,
    );
  }

  /** Where `pattern` is; -1 where `enough` bytes, or the stream's last, do not show it. */
  *#find(pattern: Uint8Array, enough: number): ReadSteps<number> {
    const { queue } = this;
    for (let from = 0;;) {
      const start = queue.indexOf(pattern, from);
      if (start >= 0 || queue.length >= enough) return start;
      from = Math.max(0, queue.length + 1 - pattern.length);
      if (!(yield 1)) return -1;
    }
  }

  /** Shows what comes next, and leaves it. */
  *peek(size: number): ReadSteps<Bytes> {
    checkCount(size, "Cannot peek: size", false);
    if (this.bufferSize === 0) {
      throw new TypeError("Cannot peek: the reader is unbuffered");
    }
    if (this.queue.length < Math.max(1, size)) yield 1;
    return this.queue.copy(Math.max(size, this.bufferSize));
  }
}
