/**
 * The `rfile` of a handler that blocks.
 *
 * @module
 */

import { checkBuffer } from "../files/file_arguments.ts";
import { eachLine } from "../files/lines.ts";
import {
  type BufferedReaderOptions,
  ReaderCore,
  type ReadUntilOptions,
} from "../files/reader_core.ts";
import { finishNow, type Steps } from "../files/reads.ts";
import type { Tied } from "../files/raw_streams.ts";
import type { BlockingBytes } from "./blocking_raw_streams.ts";

/**
 * Reads bytes from a blocking socket: {@linkcode BufferedReader}, where its errors are described, but its
 * methods block the worker and return values. `makefile("rb")` makes it; closing it leaves the socket open.
 */
export class BlockingReader implements Disposable {
  readonly #source: BlockingBytes;
  readonly #tie: Tied | undefined;
  readonly #core: ReaderCore;

  /**
   * Opens a reader; nothing is received yet.
   *
   * @param source What to read from.
   * @param options Sizes and limits.
   */
  constructor(source: BlockingBytes, options: BufferedReaderOptions = {}) {
    this.#source = source;
    this.#tie = options.tie;
    this.#core = new ReaderCore(options);
  }

  /** Whether the reader is closed. */
  get closed(): boolean {
    return this.#core.closed;
  }

  /** Carries out the steps of a read. */
  #read<T>(steps: () => Steps<T>): T {
    this.#core.checkOpen();
    return finishNow(steps(), (wanted) => this.#fill(wanted));
  }

  /** One receive; false at the end of the stream. */
  #fill(wanted: number): boolean {
    this.#tie?.sendHeld();
    const data = this.#source.recv(this.#core.most(wanted));
    if (data.length > 0) this.#core.queue.push(data);
    return data.length > 0;
  }

  /**
   * Reads `size` bytes, or fewer if the stream ends before; without `size`, to the end.
   *
   * @param size How many bytes; -1 for all.
   * @returns The bytes; empty at the end of the stream.
   */
  read(size = -1): Uint8Array<ArrayBuffer> {
    return this.#read(() => this.#core.read(size));
  }

  /**
   * Reads what is there, with at most one `recv`.
   *
   * @param size The most bytes; -1 for as many as one `recv` brings.
   * @returns The bytes; empty at the end of the stream.
   */
  read1(size = -1): Uint8Array<ArrayBuffer> {
    return this.#read(() => this.#core.read1(size));
  }

  /**
   * Reads exactly `size` bytes.
   *
   * @param size How many bytes.
   * @returns The bytes.
   * @throws {IncompleteReadError} if the stream ends before; it has what came as `partial`.
   */
  readexactly(size: number): Uint8Array<ArrayBuffer> {
    return this.#read(() => this.#core.readexactly(size));
  }

  /**
   * Reads a line, its "\n" included. Only the last line of a stream can be without one.
   *
   * @param limit The most bytes to return; a longer line comes in parts. -1 for the whole line.
   * @returns The line; empty at the end of the stream.
   * @throws {LimitOverrunError} if it is longer than `lineLimit`; the rest of it is skipped.
   */
  readline(limit = -1): Uint8Array<ArrayBuffer> {
    return this.#read(() => this.#core.readline(limit));
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
    return this.#read(() => this.#core.readuntil(separator, options));
  }

  /**
   * Reads the lines to the end, or until they have more than `hint` bytes. Where that fails the lines
   * read until then stay in the reader.
   *
   * @param hint How many bytes; -1 or 0: all.
   * @returns The lines.
   */
  readlines(hint = -1): Uint8Array<ArrayBuffer>[] {
    return this.#read(() => this.#core.readlines(hint));
  }

  /**
   * Fills `buffer`, or less of it if the stream ends before.
   *
   * @param buffer Where the bytes go.
   * @returns The count of bytes; 0 at the end of the stream.
   */
  readinto(buffer: ArrayBufferView): number {
    return this.#readInto(buffer, false);
  }

  /**
   * Reads what is there into `buffer`, with at most one receive.
   *
   * @param buffer Where the bytes go.
   * @returns The count of bytes; 0 at the end of the stream.
   */
  readinto1(buffer: ArrayBufferView): number {
    return this.#readInto(buffer, true);
  }

  #readInto(buffer: ArrayBufferView, once: boolean): number {
    this.#core.checkOpen();
    const { queue, lines } = this.#core;
    const target = checkBuffer(buffer);
    if (!once) {
      finishNow(
        this.#core.gather(target.length),
        (wanted) => this.#fill(wanted),
      );
    } else if (queue.length === 0 && target.length > 0) {
      this.#fill(target.length);
    }
    lines.leaveLine();
    return queue.takeInto(target);
  }

  /**
   * Shows what comes next and leaves it to be read, with at most one `recv`.
   *
   * @param size How many bytes are wished for; 0 for those that wait, or else come next.
   * @returns A copy of the bytes; empty only at the end of the stream.
   * @throws {TypeError} if the reader is unbuffered or closed.
   */
  peek(size = 0): Uint8Array<ArrayBuffer> {
    return this.#read(() => this.#core.peek(size));
  }

  /** The lines to the end of the stream. Leaving the loop leaves the reader open. */
  [Symbol.iterator](): IterableIterator<Uint8Array<ArrayBuffer>> {
    return eachLine(() => this.readline());
  }

  /** Whether the file can be read: yes; a TypeError where it is closed. */
  readable(): boolean {
    this.#core.checkOpen();
    return true;
  }

  /** Whether the file can be written: no; a TypeError where it is closed. */
  writable(): boolean {
    this.#core.checkOpen();
    return false;
  }

  /** Whether the file has positions: no; a TypeError where it is closed. */
  seekable(): boolean {
    this.#core.checkOpen();
    return false;
  }

  /** Closes the reader, not the socket. What waits in it is lost. Closing twice is fine. */
  close(): void {
    this.#core.close();
  }

  /** Closes the reader, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }
}
