/**
 * The writer of bytes: `wfile`, and what `makefile("wb")` returns.
 *
 * @module
 */

import { PendingWrites } from "./pending_writes.ts";
import { encodeData } from "./file_arguments.ts";
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

/** Lets a writer without a buffer hold small writes while a reader has more. The reader calls this. */
export let holdWhile: (writer: BufferedWriter, hasMore: () => boolean) => void;

/**
 * Collects writes and sends them when the buffer is full, and on `flush` and `close`. `socket.makefile("wb")` returns
 * one, and `StreamRequestHandler` has one as `wfile`. The methods are those of Python's `io.BufferedWriter`.
 *
 * Without a buffer, which is the default of `wfile`, each write is sent whole and at once, as by the writer of
 * CPython's `socketserver`. While a reader tied to the writer has more to read, small writes are held for the rest of
 * the turn of the event loop.
 *
 * Small writes are copied. A write larger than the buffer is sent without a copy, after the collected bytes. If sending
 * fails, the bytes are lost, and the number that the peer has received is unknown.
 *
 * Closing the writer leaves the socket open. If you open a writer, close it; the `finish` of a request handler closes
 * its `wfile`. An idle writer holds no memory.
 *
 * @example
 * ```ts
 * import { BufferedWriter, socketpair } from "@socketserver/socketserver";
 * import { strictEqual } from "node:assert/strict";
 *
 * const [a, b] = await socketpair();
 * await using file = new BufferedWriter(a, { bufferSize: 1024 });
 * await file.write("hello, ");
 * await file.write("world");
 * await file.flush();
 * strictEqual(new TextDecoder().decode(await b.recv(100)), "hello, world");
 * a.close();
 * b.close();
 * ```
 *
 * @category Files
 */
export class BufferedWriter implements Writer {
  readonly #core: WriterCore;
  readonly #writes: PendingWrites;
  readonly #onHold: ((writer: Tied) => void) | undefined;

  /**
   * Opens a writer.
   *
   * @param sink The destination of the bytes.
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

  /** The number of bytes written and not yet sent, including those in the buffer. */
  get pending(): number {
    return this.#core.length + this.#writes.pendingBytes;
  }

  /**
   * Collects all of `data`, or sends it if the buffer cannot hold it. Waits if much is still on its way.
   *
   * @param data Bytes or a string. Do not change bytes that exceed the buffer until the promise settles.
   * @returns The number of bytes, once they are in the buffer or sent.
   * @throws {TypeError} at once, if `data` is neither; as a rejection, if the writer is closed.
   */
  write(data: WriteData): Promise<number> {
    const bytes = encodeData(data);
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

  /** Collects bytes; without a buffer, until the end of the turn at the latest. */
  #collect(bytes: Uint8Array): void {
    if (this.#core.bufferSize === 0 && bytes.length > 0) {
      if (this.#core.length === 0) this.#onHold?.(this);
      scheduleSend(this);
    }
    this.#core.collect(bytes);
  }

  /** Sends the collected bytes. */
  #send(count: number, accepted = false): Promise<number> {
    const { length } = this.#core;
    const memory = this.#core.takeBuffer();
    if (this.#core.bufferSize === 0) cancelSend(this);
    const bytes = memory.subarray(0, length);
    return this.#writes.send(bytes, count, { accepted, memory });
  }

  /**
   * Begins to send the collected bytes without waiting. The next write, `flush` or `close` throws a failure.
   */
  sendHeld(): void {
    if (this.#core.length > 0) this.#send(0, true);
  }

  /**
   * Writes each of `lines` in order; see {@linkcode Writer.writelines}.
   *
   * @param lines The data to write.
   * @throws {TypeError} if one of them is neither bytes nor a string, or the writer is closed.
   */
  writelines(
    lines: Iterable<WriteData> | AsyncIterable<WriteData>,
  ): Promise<void> {
    return writeEach(inBlocks(lines), (data) => this.write(data));
  }

  /**
   * Sends the collected bytes and waits until all written bytes are sent.
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
   * Reports whether the file can be read.
   *
   * @returns false
   * @throws {TypeError} if the writer is closed.
   */
  readable(): boolean {
    this.#writes.checkOpen();
    return false;
  }

  /**
   * Reports whether the file can be written.
   *
   * @returns true
   * @throws {TypeError} if the writer is closed.
   */
  writable(): boolean {
    this.#writes.checkOpen();
    return true;
  }

  /**
   * Reports whether the file has positions.
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
