/**
 * `wfile`, which collects what it sends, or sends it at once.
 *
 * @module
 */

import { checkCount, toBytes } from "./checks.ts";
import { quiet } from "../_socket/quiet.ts";
import { Outbox } from "./outbox.ts";
import type { ByteSink } from "./types.ts";
import { inBlocks, type WriteData, writeEach, type Writer } from "./writer.ts";

export type { WriteData, Writer } from "./writer.ts";

/** The buffer where no size is given: `io.DEFAULT_BUFFER_SIZE` of CPython, up to 3.13. */
const DEFAULT_BUFFER_SIZE = 8192;

/** What a buffer begins with; it grows to the size given. Arbitrary: a short reply fits. */
const FIRST_SIZE = 512;

const NOTHING = new Uint8Array(0);

/** Options of a {@linkcode BufferedWriter}. */
export interface BufferedWriterOptions {
  /**
   * How many bytes are collected before they are sent; 0 sends each write at once; -1 is the default.
   *
   * @default {8192}
   */
  bufferSize?: number;
  /** Called once, when the writer is closed. */
  onClose?: () => void;
}

/**
 * Collects writes and sends them when the buffer is full, or at `flush` and `close`: `wfile`, and what
 * `makefile("wb")` returns. It is Python's `io.BufferedWriter`; without a buffer, as `wfile` is unless
 * `wbufsize` says otherwise, it is `socketserver`'s writer that sends all of each write at once.
 *
 * Small writes are copied. One that is larger than the buffer is sent from where it is, after what
 * was collected. What could not be sent is lost: how much of it the peer has cannot be known.
 *
 * Closing it leaves the socket open. Who opens it closes it; a request handler's is closed by
 * its `finish`. An idle writer holds no memory.
 */
export class BufferedWriter implements Writer {
  readonly #outbox: Outbox;
  readonly #bufferSize: number;
  #buffer: Uint8Array = NOTHING;
  #used = 0;

  /**
   * Opens a writer.
   *
   * @param sink What to send with.
   * @param options The size.
   * @throws {RangeError} if the size is no count, nor -1.
   */
  constructor(sink: ByteSink, options: BufferedWriterOptions = {}) {
    const { bufferSize = -1, onClose } = options;
    checkCount(bufferSize, "Cannot open a writer: bufferSize", true);
    this.#bufferSize = bufferSize < 0 ? DEFAULT_BUFFER_SIZE : bufferSize;
    this.#outbox = new Outbox(sink, onClose);
  }

  /** Whether the writer is closed. */
  get closed(): boolean {
    return this.#outbox.closed;
  }

  /** How many bytes were written and not yet sent, those in the buffer included. */
  get pending(): number {
    return this.#used + this.#outbox.pendingBytes;
  }

  /**
   * Takes all of `data`, and sends when the buffer would not hold it.
   *
   * @param data Bytes or a string. If there are more bytes than the buffer holds, they are not to be
   * changed until the promise is settled.
   * @returns The count of bytes, when they are in the buffer or sent.
   * @throws {TypeError} at once, if `data` is neither; as a rejection, if the writer is closed.
   */
  write(data: WriteData): Promise<number> {
    const bytes = toBytes(data);
    const count = bytes.length;
    if (this.#outbox.closed) return this.#outbox.refuse();
    if (this.#used + count <= this.#bufferSize) {
      this.#collect(bytes);
      return Promise.resolve(count);
    }
    const sent = this.#used > 0 ? this.#send(count) : undefined;
    if (count > this.#bufferSize) return this.#outbox.send(bytes, count);
    this.#collect(bytes);
    return sent!;
  }

  #collect(bytes: Uint8Array): void {
    const length = this.#used + bytes.length;
    if (length > this.#buffer.length) {
      const size = Math.max(length, this.#buffer.length * 2, FIRST_SIZE);
      const grown = new Uint8Array(Math.min(size, this.#bufferSize));
      grown.set(this.#buffer.subarray(0, this.#used));
      this.#buffer = grown;
    }
    this.#buffer.set(bytes, this.#used);
    this.#used = length;
  }

  /** Hands the buffer over to be sent. */
  #send(count: number): Promise<number> {
    const bytes = this.#buffer.subarray(0, this.#used);
    this.#buffer = NOTHING;
    this.#used = 0;
    return this.#outbox.send(bytes, count);
  }

  /**
   * Writes one after the other; see {@linkcode Writer.writelines}.
   *
   * @param lines What to write.
   * @throws {TypeError} if one of them is no data, or the writer is closed.
   */
  writelines(
    lines: Iterable<WriteData> | AsyncIterable<WriteData>,
  ): Promise<void> {
    return writeEach(inBlocks(lines), (data) => this.write(data));
  }

  /**
   * Sends what was collected, and waits until all that was written is sent.
   *
   * @throws The first failure since the last flush.
   * @throws {TypeError} if the writer is closed.
   */
  flush(): Promise<void> {
    if (this.#outbox.closed) return this.#outbox.refuse();
    if (this.#used > 0) this.#send(0);
    return quiet(this.#outbox.drain());
  }

  /**
   * Flushes, and closes the writer but not the socket. Closing twice is fine.
   *
   * @throws The first failure since the last flush; the writer is closed all the same.
   */
  close(): Promise<void> {
    return this.#outbox.close(() => this.flush());
  }

  /**
   * Whether the file can be read: no.
   *
   * @returns false
   * @throws {TypeError} if the writer is closed.
   */
  readable(): boolean {
    this.#outbox.checkOpen();
    return false;
  }

  /**
   * Whether the file can be written: yes.
   *
   * @returns true
   * @throws {TypeError} if the writer is closed.
   */
  writable(): boolean {
    this.#outbox.checkOpen();
    return true;
  }

  /**
   * Whether the file has positions: no.
   *
   * @returns false
   * @throws {TypeError} if the writer is closed.
   */
  seekable(): boolean {
    this.#outbox.checkOpen();
    return false;
  }

  /** Closes the writer. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
