/**
 * `wfile`, which collects what it sends, or sends it at once.
 *
 * @module
 */

import { PendingWrites } from "./pending_writes.ts";
import { toBytes } from "./file_arguments.ts";
import { quiet } from "../waiting/promises.ts";
import { cancelSend, scheduleSend } from "./tied_writes.ts";
import type { ByteSink, Tied } from "./raw_streams.ts";
import { type BufferedWriterOptions, WriterCore } from "./writer_core.ts";
import {
  inBlocks,
  type WriteData,
  writeEach,
  type Writer,
} from "./file_writer.ts";

export type { WriteData, Writer } from "./file_writer.ts";

/** Lets a writer without a buffer hold small writes while a reader has more; for the reader. */
export let holdWhile: (writer: BufferedWriter, unread: () => boolean) => void;

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
  readonly #core: WriterCore;
  readonly #writes: PendingWrites;
  readonly #onHold: ((writer: Tied) => void) | undefined;

  /**
   * Opens a writer.
   *
   * @param sink Where to send the bytes.
   * @param options The size of the buffer.
   * @throws {RangeError} if the size is not -1 or a non-negative integer.
   */
  constructor(sink: ByteSink, options: BufferedWriterOptions = {}) {
    const { onClose, onHold } = options;
    this.#core = new WriterCore(options);
    this.#onHold = onHold;
    this.#writes = new PendingWrites(sink, onClose);
  }

  static {
    holdWhile = (writer, hasMore) => writer.#core.readerHasMore = hasMore;
  }

  /** Whether the writer is closed. */
  get closed(): boolean {
    return this.#writes.closed;
  }

  /** How many bytes were written and not yet sent, those in the buffer included. */
  get pending(): number {
    return this.#core.length + this.#writes.pendingBytes;
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
    if (this.#writes.rejects) return this.#writes.reject();
    const core = this.#core;
    const count = bytes.length;
    const capacity = core.capacity();
    if (core.length + count <= capacity) {
      this.#collect(bytes);
      return this.#writes.pendingBytes > capacity // the peer is behind
        ? this.#writes.settled(count)
        : Promise.resolve(count);
    }
    if (capacity === 0 && core.joinsHeld(count)) {
      core.collect(bytes);
      return this.#send(count);
    }
    if (count > capacity) {
      this.sendHeld();
      return this.#writes.send(bytes, count);
    }
    const sent = this.#send(count);
    this.#collect(bytes);
    return sent;
  }

  /** Collects what waits; without a buffer, until the end of the turn at the latest. */
  #collect(bytes: Uint8Array): void {
    if (this.#core.bufferSize === 0 && bytes.length > 0) {
      if (this.#core.length === 0) this.#onHold?.(this);
      scheduleSend(this);
    }
    this.#core.collect(bytes);
  }

  /** Hands the buffer over to be sent. */
  #send(count: number, accepted = false): Promise<number> {
    const { length } = this.#core;
    const memory = this.#core.takeBuffer();
    if (this.#core.bufferSize === 0) cancelSend(this);
    const bytes = memory.subarray(0, length);
    return this.#writes.send(bytes, count, { accepted, memory });
  }

  /**
   * Begins to send what was collected, and does not wait for it: a failure is thrown by the next write,
   * `flush` or `close`.
   */
  sendHeld(): void {
    if (this.#core.length > 0) this.#send(0, true);
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
    if (this.#writes.closed) return this.#writes.reject();
    if (this.#core.length > 0) this.#send(0);
    return quiet(this.#writes.drain());
  }

  /**
   * Flushes, and closes the writer but not the socket. Closing twice is fine.
   *
   * @throws The first failure since the last flush; the writer is closed all the same.
   */
  close(): Promise<void> {
    return this.#writes.close(() => this.flush());
  }

  /**
   * Whether the file can be read: no.
   *
   * @returns false
   * @throws {TypeError} if the writer is closed.
   */
  readable(): boolean {
    this.#writes.checkOpen();
    return false;
  }

  /**
   * Whether the file can be written: yes.
   *
   * @returns true
   * @throws {TypeError} if the writer is closed.
   */
  writable(): boolean {
    this.#writes.checkOpen();
    return true;
  }

  /**
   * Whether the file has positions: no.
   *
   * @returns false
   * @throws {TypeError} if the writer is closed.
   */
  seekable(): boolean {
    this.#writes.checkOpen();
    return false;
  }

  /** Closes the writer. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
