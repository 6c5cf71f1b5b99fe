/**
 * The logic of a reader of bytes without its I/O: sizes, limits, lines and separators. The two shells, async and
 * blocking, only move bytes into it.
 *
 * @module
 */

import type { Bytes } from "../base/memory.ts";
import type { AbortOptions } from "../waiting/abort.ts";
import {
  checkBuffer,
  checkCount,
  checkLimit,
  checkSeparator,
} from "./file_arguments.ts";
import {
  closedFileError,
  incompleteReadError,
  LimitOverrunError,
} from "./read_errors.ts";
import { DEFAULT_LINE_LIMIT, LineReader, noteLongLine } from "./lines.ts";
import { ByteQueue } from "./unread_queues.ts";
import type { Tied } from "./raw_streams.ts";
import type { ReadSteps, ReceivingCore } from "./read_steps.ts";

/** The most bytes that one receive asks for by default. The socket adapts its own buffer below that. */
const BUFFER_SIZE = 65_536;

/**
 * Options of a {@linkcode BufferedReader}.
 *
 * @category Files
 */
export interface BufferedReaderOptions {
  /**
   * The most bytes that one receive asks for. 0 reads without a buffer: the reader never receives more than the caller
   * asked for, and receives lines byte by byte. -1 is the default, 65536.
   *
   * @default {-1}
   */
  bufferSize?: number;
  /**
   * The longest line in bytes, its line end included; also the limit of `readuntil`. A longer line throws
   * {@linkcode LimitOverrunError}. `Infinity` is no limit.
   *
   * @default {65536}
   */
  lineLimit?: number;
  /**
   * A writer whose bytes are sent before the reader receives more, so that no answer is held back while the handler
   * waits for the next question. A tied writer without a buffer holds small writes while the reader has more, so that
   * the answers leave together. C++ calls this a tied stream.
   */
  tie?: Tied;
  /** Called once, when the reader is closed. */
  onClose?: () => void;
}

/** The options of a reader, with those that only this module sets. */
export interface OwnedReaderOptions extends BufferedReaderOptions {
  /** The handler that reads. */
  handler?: object;
}

/**
 * Options of {@linkcode BufferedReader.readuntil}.
 *
 * @category Files
 */
export interface ReadUntilOptions extends AbortOptions {
  /**
   * The most bytes to read, separator included.
   *
   * @default {65536, or the reader's `lineLimit`}
   */
  limit?: number;
}

/** The state of a reader and the steps of its reads. */
export class ReaderCore implements ReceivingCore {
  /** The most bytes that one receive asks for; 0 without a buffer. */
  readonly bufferSize: number;
  /** Received bytes that were not read yet. */
  readonly queue: ByteQueue = new ByteQueue();
  /** Reads lines. */
  readonly lines: LineReader<Bytes>;
  /** Whether the reader is closed. */
  closed = false;
  readonly #lineLimit: number;
  readonly #onClose: (() => void) | undefined;

  /** @param options Sizes and limits. */
  constructor(options: OwnedReaderOptions) {
    const { bufferSize = -1, lineLimit = DEFAULT_LINE_LIMIT } = options;
    checkCount(bufferSize, "Cannot open a reader: bufferSize", true);
    this.bufferSize = bufferSize < 0 ? BUFFER_SIZE : bufferSize;
    this.#lineLimit = checkLimit(lineLimit, "Cannot open a reader: lineLimit");
    this.#onClose = options.onClose;
    const { queue } = this;
    const { handler } = options;
    const limits = { limit: lineLimit, unit: "bytes" } as const;
    this.lines = new LineReader({ queue, ...limits, handler });
  }

  /** Whether bytes were received and not read yet. */
  get unread(): boolean {
    return this.queue.length > 0;
  }

  /** Throws if the reader is closed. */
  checkOpen(): void {
    if (this.closed) throw closedFileError("read");
  }

  /** Keeps received bytes; see {@linkcode ReceivingCore.keep}. */
  keep(received: Bytes | number): number {
    this.checkOpen();
    if (typeof received === "number") return received;
    if (received.length > 0) this.queue.push(received);
    return received.length;
  }

  /** Closes the reader and drops the unread bytes. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.queue.clear();
    this.#onClose?.();
  }

  /** Returns how many bytes to receive if a read wants `wanted`; without a buffer never more. */
  receiveSize(wanted: number): number {
    return this.bufferSize || Math.min(wanted, BUFFER_SIZE);
  }

  /** Takes at most `most` bytes from the queue. */
  take(most: number): Bytes {
    this.lines.stopSkipping();
    return this.queue.take(Math.min(most, this.queue.length));
  }

  /** Reads `size` bytes, or to the end. */
  *read(size = -1): ReadSteps<Bytes> {
    checkCount(size, "Cannot read: size", true);
    const count = size < 0 ? Infinity : size;
    const { queue } = this;
    while (queue.length < count && (yield count - queue.length));
    return this.take(count);
  }

  /** Reads the bytes that are there, with at most one receive. */
  *read1(size = -1): ReadSteps<Bytes> {
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
    throw incompleteReadError(`${size} bytes`, bytes, size);
  }

  /**
   * Fills `buffer`, or less of it at the end of the stream. If a receive fails, the bytes received before go back into
   * the queue.
   *
   * @param buffer The memory to fill.
   * @param once Whether the bytes that are there, or those of one receive, are enough.
   * @param direct Whether to receive into a large buffer without a copy. Bytes that come after an abort would be lost.
   */
  *readinto(
    buffer: ArrayBufferView,
    once: boolean,
    direct = false,
  ): ReadSteps<number> {
    const target = checkBuffer(buffer);
    let filled = this.queue.takeInto(target);
    try {
      while (filled < target.length && !(once && filled > 0)) {
        const rest = target.subarray(filled);
        const whole = direct && rest.length >= this.bufferSize;
        const count = yield whole ? rest : rest.length;
        if (count === 0) break;
        filled += whole ? count : this.queue.takeInto(rest);
      }
      this.lines.stopSkipping();
      return filled;
    } catch (error) {
      const lost = target.length === 0; // the program has transferred the memory
      if (!lost) this.queue.putBack([target.slice(0, filled)]);
      throw error;
    }
  }

  /** Reads a line. */
  readline(limit = -1): ReadSteps<Bytes> {
    checkCount(limit, "Cannot read a line: limit", true);
    return this.lines.line(limit);
  }

  /** Reads lines. */
  readlines(hint = -1): ReadSteps<Bytes[]> {
    checkCount(hint, "Cannot read lines: hint", true);
    return this.lines.lines(hint);
  }

  /** Reads up to `separator`, separator included. */
  *readuntil(
    separator: Uint8Array | string = "\n",
    options: ReadUntilOptions = {},
  ): ReadSteps<Bytes> {
    const pattern = checkSeparator(separator);
    const limit = checkLimit(
      options.limit ?? this.#lineLimit,
      "Cannot read until a separator: limit",
    );
    const start = yield* this.#find(pattern, limit + 1);
    const end = start + pattern.length;
    if (start >= 0 && end <= limit) return this.take(end);
    const name = JSON.stringify(new TextDecoder().decode(pattern));
    const { length } = this.queue;
    if (start < 0 && length <= limit) {
      throw incompleteReadError(`until ${name}`, this.take(Infinity));
    }
    if (options.limit === undefined) noteLongLine(this.lines.handler);
    throw new LimitOverrunError(
      `Cannot read until ${name}: no such separator within ${limit} bytes`,
      start < 0 ? length + 1 - pattern.length : start,
    );
  }

  /** Returns the position of `pattern`; -1 if it is not among `enough` bytes or the rest of the stream. */
  *#find(pattern: Uint8Array, enough: number): ReadSteps<number> {
    const { queue } = this;
    for (let from = 0;;) {
      const start = queue.indexOf(pattern, from);
      if (start >= 0 || queue.length >= enough) return start;
      from = Math.max(0, queue.length + 1 - pattern.length);
      if (!(yield 1)) return -1;
    }
  }

  /** Returns the next bytes without taking them. */
  *peek(size = 0): ReadSteps<Bytes> {
    checkCount(size, "Cannot peek: size", false);
    if (this.bufferSize === 0) {
      throw new TypeError("Cannot peek: the reader is unbuffered");
    }
    if (this.queue.length < Math.max(1, size)) yield 1;
    return this.queue.copy(Math.max(size, this.bufferSize));
  }
}
