/**
 * `wfile`, which collects what it sends, or sends it at once.
 *
 * @module
 */

import { blocks, Outbox } from "./write_buffer.ts";
import { checkCount, toBytes } from "./file_arguments.ts";
import { quiet } from "../waiting/promises.ts";
import { hold, letGo } from "./tied_writes.ts";
import type { ByteSink, Tied } from "./raw_streams.ts";
import {
  inBlocks,
  type WriteData,
  writeEach,
  type Writer,
} from "./file_writer.ts";

export type { WriteData, Writer } from "./file_writer.ts";

/** The buffer where no size is given: `io.DEFAULT_BUFFER_SIZE` of CPython, up to 3.13. */
const DEFAULT_BUFFER_SIZE = 8192;

/**
 * How much an unbuffered writer holds: as much as a buffer collects by default. What is beyond it waits until
 * it is sent, so that a client who does not read the answers is not asked for more.
 */
const HELD_MAX = DEFAULT_BUFFER_SIZE;

const NOTHING = new Uint8Array(0);

/** Lets a writer without a buffer hold small writes while a reader has more; for the reader. */
export let holdWhile: (writer: BufferedWriter, unread: () => boolean) => void;

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
  /**
   * Called when a writer without a buffer begins to hold bytes, because a reader that is tied to it has more.
   * They go before all that is sent on the sink from then on: whoever sends calls its `sendHeld` first.
   */
  onHold?: (writer: Tied) => void;
}

/**
 * Collects writes and sends them when the buffer is full, or at `flush` and `close`: `wfile`, and what
 * `makefile("wb")` returns. It is Python's `io.BufferedWriter`; without a buffer, as `wfile` is unless
 * `wbufsize` says otherwise, it is `socketserver`'s writer that sends all of each write at once. Where a
 * reader that is tied to it has more already, it holds small writes for the rest of the turn of the event loop.
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
  readonly #onHold: ((writer: Tied) => void) | undefined;
  #unread: (() => boolean) | undefined;
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
    const { bufferSize = -1, onClose, onHold } = options;
    checkCount(bufferSize, "Cannot open a writer: bufferSize", true);
    this.#bufferSize = bufferSize < 0 ? DEFAULT_BUFFER_SIZE : bufferSize;
    this.#onHold = onHold;
    this.#outbox = new Outbox(sink, onClose);
  }

  static {
    holdWhile = (writer, unread) => writer.#unread = unread;
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
   * Takes all of `data`, and sends when the buffer would not hold it. Where much is on its way still, it waits
   * for that.
   *
   * @param data Bytes or a string. If there are more bytes than the buffer holds, they are not to be
   * changed until the promise is settled.
   * @returns The count of bytes, when they are in the buffer or sent.
   * @throws {TypeError} at once, if `data` is neither; as a rejection, if the writer is closed.
   */
  write(data: WriteData): Promise<number> {
    const bytes = toBytes(data);
    if (this.#outbox.refuses) return this.#outbox.refuse();
    const count = bytes.length;
    const length = this.#used + count;
    const room = this.#room();
    if (length <= room) {
      this.#keep(bytes);
      return this.#outbox.pendingBytes > room // the peer is behind
        ? this.#outbox.settled(count)
        : Promise.resolve(count);
    }
    if (room === 0 && this.#used > 0 && length <= HELD_MAX) {
      this.#collect(bytes);
      return this.#send(count);
    }
    return this.#overflow(bytes, room);
  }

  /** How many bytes may wait. */
  #room(): number {
    return this.#bufferSize || (this.#unread?.() ? HELD_MAX : 0);
  }

  /** Sends what waits, and what does not fit. */
  #overflow(bytes: Uint8Array, room: number): Promise<number> {
    const count = bytes.length;
    if (count > room) {
      this.sendHeld();
      return this.#outbox.send(bytes, count);
    }
    const sent = this.#send(count);
    this.#keep(bytes);
    return sent;
  }

  /** Collects what waits; where there is no buffer, until the end of the turn at the latest. */
  #keep(bytes: Uint8Array): void {
    if (this.#bufferSize === 0 && bytes.length > 0) {
      if (this.#used === 0) this.#onHold?.(this);
      hold(this);
    }
    this.#collect(bytes);
  }

  #collect(bytes: Uint8Array): void {
    const length = this.#used + bytes.length;
    if (length > this.#buffer.length) this.#grow(length);
    this.#buffer.set(bytes, this.#used);
    this.#used = length;
  }

  #grow(length: number): void {
    const old = this.#buffer;
    this.#buffer = length <= blocks.size
      ? blocks.take()
      : new Uint8Array(Math.max(length, 2 * old.length));
    this.#buffer.set(old.subarray(0, this.#used));
    blocks.give(old);
  }

  /** Hands the buffer over to be sent. */
  #send(count: number, posted = false): Promise<number> {
    const memory = this.#buffer;
    const bytes = memory.subarray(0, this.#used);
    this.#buffer = NOTHING;
    this.#used = 0;
    if (this.#bufferSize === 0) letGo(this);
    return this.#outbox.send(bytes, count, { posted, memory });
  }

  /**
   * Begins to send what was collected, and does not wait for it: a failure is thrown by the next write,
   * `flush` or `close`.
   */
  sendHeld(): void {
    if (this.#used > 0) this.#send(0, true);
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
