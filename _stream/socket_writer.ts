/**
 * The `wfile` that sends at once.
 *
 * @module
 */

import { toBytes } from "./checks.ts";
import { quiet } from "../_socket/quiet.ts";
import { Outbox } from "./outbox.ts";
import type { ByteSink } from "./types.ts";
import { inBlocks, type WriteData, writeEach, type Writer } from "./writer.ts";

/** Options of a {@linkcode SocketWriter}. */
export interface SocketWriterOptions {
  /** Called once, when the writer is closed. */
  onClose?: () => void;
}

/**
 * Sends each write at once: `wfile` where `wbufsize` is 0, and what
 * `makefile("wb", { buffering: 0 })` returns.
 *
 * Closing it leaves the socket open. Who opens it closes it; a request handler's is closed by
 * its `finish`.
 */
export class SocketWriter implements Writer {
  readonly #outbox: Outbox;

  /**
   * Opens a writer.
   *
   * @param sink What to send with.
   * @param options What to do at the close.
   */
  constructor(sink: ByteSink, options: SocketWriterOptions = {}) {
    this.#outbox = new Outbox(sink, options.onClose);
  }

  /** Whether the writer is closed. */
  get closed(): boolean {
    return this.#outbox.closed;
  }

  /**
   * Sends all of `data`.
   *
   * @param data Bytes or a string. Bytes are not to be changed until the promise is settled.
   * @returns The count of bytes, when they are sent.
   * @throws {TypeError} at once, if `data` is neither; as a rejection, if the writer is closed.
   */
  write(data: WriteData): Promise<number> {
    const bytes = toBytes(data);
    if (this.#outbox.closed) return this.#outbox.refuse();
    if (bytes.length === 0) return Promise.resolve(0);
    return this.#outbox.send(bytes, bytes.length);
  }

  /**
   * Sends one after the other; see {@linkcode Writer.writelines}.
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
   * Waits until all that was written is sent.
   *
   * @throws The first failure since the last flush.
   * @throws {TypeError} if the writer is closed.
   */
  flush(): Promise<void> {
    return this.#outbox.closed
      ? this.#outbox.refuse()
      : quiet(this.#outbox.drain());
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
