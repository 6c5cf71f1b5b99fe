/**
 * The reader of bytes: `rfile`, and what `makefile("rb")` returns.
 *
 * @module
 */

import type { Bytes } from "../base/memory.ts";
import type { AbortOptions } from "../waiting/abort.ts";
import { begun } from "../waiting/promises.ts";
import { BufferedWriter, holdWhile } from "./buffered_writer.ts";
import { iterateLines } from "./lines.ts";
import {
  type BufferedReaderOptions,
  ReaderCore,
  type ReadUntilOptions,
} from "./reader_core.ts";
import { refuseSyncIteration } from "./read_errors.ts";
import { readArguments, ReadTurns } from "./read_steps.ts";
import type { ByteQueue } from "./unread_queues.ts";
import type { ByteSource, Tied } from "./raw_streams.ts";

/** Returns the bytes that a reader has received and that nobody has read. */
export let unreadBytesOf: (reader: BufferedReader) => ByteQueue;

/**
 * Reads bytes from a socket through a buffer. `socket.makefile("rb")` returns one, and `StreamRequestHandler` has one
 * as `rfile`. The methods are those of Python's `io.BufferedReader`, with `readexactly` and `readuntil` of asyncio.
 *
 * A call that fails, for example with a timeout, loses nothing: the bytes received before stay in the reader, and the
 * next call begins with them. Calls made while another one waits run in order after it.
 *
 * A returned array belongs to the caller, but may be a view of a larger buffer with bytes still to be read:
 * `slice()` it before you use or transfer its `buffer`.
 *
 * Closing the reader leaves the socket open. If you open a reader, close it; the `finish` of a request handler closes
 * its `rfile`.
 *
 * @example
 * ```ts
 * import { socketpair } from "@socketserver/socketserver";
 * import { strictEqual } from "node:assert/strict";
 *
 * const [a, b] = await socketpair();
 * using file = b.makefile("rb");
 * await a.sendall(new TextEncoder().encode("GET /\n12345"));
 * strictEqual((await file.readline()).length, 6);
 * strictEqual((await file.readexactly(5)).length, 5);
 * a.close();
 * b.close();
 * ```
 *
 * @category Files
 */
export class BufferedReader implements Disposable {
  static {
    refuseSyncIteration(this);
    unreadBytesOf = (reader) => reader.#core.queue;
  }

  readonly #source: ByteSource;
  readonly #tie: Tied | undefined;
  readonly #core: ReaderCore;
  readonly #reads: ReadTurns;

  /**
   * Opens a reader. Nothing is received yet.
   *
   * @param source The source of the bytes.
   * @param options Sizes and limits.
   * @throws {RangeError} if a size or limit is out of range.
   */
  constructor(source: ByteSource, options: BufferedReaderOptions = {}) {
    const core = this.#core = new ReaderCore(options);
    const reads = this.#reads = new ReadTurns(
      core,
      (wanted, signal) => begun(() => this.#receive(wanted, signal)),
    );
    const { tie } = options;
    this.#source = source;
    this.#tie = tie;
    if (tie instanceof BufferedWriter) {
      holdWhile(tie, () => core.unread && reads.free);
    }
  }

  /** Whether the reader is closed. */
  get closed(): boolean {
    return this.#core.closed;
  }

  /**
   * Reads `size` bytes, or fewer if the stream ends before; without `size`, to the end.
   *
   * @param size The number of bytes; -1 for all. May be left out before `options`, as in each method.
   * @param options A signal that ends the wait.
   * @returns The bytes; empty at the end of the stream.
   * @throws {RangeError} if `size` is not -1 or a non-negative integer.
   * @throws {TypeError} if the reader is closed.
   */
  read(
    size: number | AbortOptions = -1,
    options?: AbortOptions,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const [count, signal] = readArguments(size, options);
    return this.#reads.run(() => this.#core.read(count), signal);
  }

  /**
   * Reads the bytes that are there, with at most one receive.
   *
   * @param size The most bytes; -1 for as many as one receive brings.
   * @param options A signal that ends the wait.
   * @returns The bytes; empty at the end of the stream.
   * @throws {RangeError} if `size` is not -1 or a non-negative integer.
   * @throws {TypeError} if the reader is closed.
   */
  read1(
    size: number | AbortOptions = -1,
    options?: AbortOptions,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const [count, signal] = readArguments(size, options);
    return this.#reads.run(() => this.#core.read1(count), signal);
  }

  /**
   * Reads exactly `size` bytes.
   *
   * @param size The number of bytes.
   * @param options A signal that ends the wait.
   * @returns The bytes.
   * @throws {IncompleteReadError} if the stream ends before; its `partial` holds the bytes that came.
   * @throws {RangeError} if `size` is not a non-negative integer.
   * @throws {TypeError} if the reader is closed.
   */
  readexactly(
    size: number,
    options?: AbortOptions,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const steps = () => this.#core.readexactly(size);
    return this.#reads.run(steps, options?.signal);
  }

  /**
   * Reads a line, its "\n" included. Only the last line of a stream can be without one.
   *
   * Without `limit`, a line longer than the reader's `lineLimit` is an error, so that an endless line does not fill
   * the memory. The call discards the beginning of such a line and the next call skips its rest, so that the inside
   * of a line is never taken for a line.
   *
   * @param limit The most bytes to return; a longer line comes in parts without an error.
   * @param options A signal that ends the wait.
   * @returns The line; empty at the end of the stream.
   * @throws {LimitOverrunError} if the line is longer than `lineLimit` and no `limit` is given.
   * @throws {RangeError} if `limit` is not -1 or a non-negative integer.
   * @throws {TypeError} if the reader is closed.
   */
  readline(
    limit: number | AbortOptions = -1,
    options?: AbortOptions,
  ): Promise<Uint8Array<ArrayBuffer>> {
    if (limit === -1 && options === undefined) {
      const line = this.#readyLine();
      if (line !== undefined) return Promise.resolve(line);
    }
    const [most, signal] = readArguments(limit, options);
    return this.#reads.run(() => this.#core.readline(most), signal);
  }

  /**
   * Reads up to `separator`, separator included.
   *
   * @param separator Bytes, or a string, which is encoded as UTF-8.
   * @param options The limit, and a signal that ends the wait.
   * @returns The bytes, which end with the separator.
   * @throws {IncompleteReadError} if the stream ends before; its `partial` holds the bytes that came.
   * @throws {LimitOverrunError} if the separator does not come within the limit; the bytes stay in the reader.
   * @throws {RangeError} if the separator is empty or the limit is not a positive integer or `Infinity`.
   * @throws {TypeError} if the reader is closed.
   */
  readuntil(
    separator: Uint8Array | string = "\n",
    options: ReadUntilOptions = {},
  ): Promise<Uint8Array<ArrayBuffer>> {
    const steps = () => this.#core.readuntil(separator, options);
    return this.#reads.run(steps, options?.signal);
  }

  /**
   * Reads lines, to the end of the stream or until they exceed `hint` bytes. If the call fails, the lines read before
   * stay in the reader.
   *
   * @param hint Stops once the lines have more bytes than this; -1 or 0 reads all.
   * @param options A signal that ends the wait.
   * @returns The lines, each with its "\n".
   * @throws {LimitOverrunError} if a line is longer than `lineLimit`.
   * @throws {RangeError} if `hint` is not -1 or a non-negative integer.
   * @throws {TypeError} if the reader is closed.
   */
  readlines(
    hint: number | AbortOptions = -1,
    options?: AbortOptions,
  ): Promise<Uint8Array<ArrayBuffer>[]> {
    const [most, signal] = readArguments(hint, options);
    return this.#reads.run(() => this.#core.readlines(most), signal);
  }

  /**
   * Fills `buffer`, or less of it if the stream ends before. Without a signal, receives directly into a large buffer,
   * without a copy.
   *
   * @param buffer The memory to fill.
   * @param options A signal that ends the wait.
   * @returns The number of bytes; 0 at the end of the stream.
   * @throws {TypeError} if `buffer` is not a view of memory, or the reader is closed.
   */
  readinto(buffer: ArrayBufferView, options?: AbortOptions): Promise<number> {
    return this.#readInto(buffer, false, options?.signal);
  }

  /**
   * Reads the bytes that are there into `buffer`, with at most one receive.
   *
   * @param buffer The memory to fill.
   * @param options A signal that ends the wait.
   * @returns The number of bytes; 0 at the end of the stream.
   * @throws {TypeError} if `buffer` is not a view of memory, or the reader is closed.
   */
  readinto1(buffer: ArrayBufferView, options?: AbortOptions): Promise<number> {
    return this.#readInto(buffer, true, options?.signal);
  }

  #readInto(
    buffer: ArrayBufferView,
    once: boolean,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    const direct = signal === undefined;
    const steps = () => this.#core.readinto(buffer, once, direct);
    return this.#reads.run(steps, signal);
  }

  /**
   * Returns the next bytes without taking them. Makes at most one receive, and only if fewer than `size` bytes wait;
   * may return more or fewer bytes than `size`.
   *
   * @param size The number of bytes wanted; 0 for those that wait, or else come next.
   * @param options A signal that ends the wait.
   * @returns A copy of the bytes; empty only at the end of the stream.
   * @throws {RangeError} if `size` is not a non-negative integer.
   * @throws {TypeError} if the reader is unbuffered or closed.
   */
  peek(
    size: number | AbortOptions = 0,
    options?: AbortOptions,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const [count, signal] = readArguments(size, options);
    return this.#reads.run(() => this.#core.peek(count), signal);
  }

  /**
   * Iterates over the lines to the end of the stream, as `readline()` returns them. Leaving the loop leaves the
   * reader open.
   *
   * @returns The iterator.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array<ArrayBuffer>> {
    return this.#lines();
  }

  /**
   * Iterates over the lines as `for await` does, until a signal aborts: then the loop throws the signal's reason.
   *
   * @param options A signal that ends the wait.
   * @returns The iterator.
   */
  lines(
    options: AbortOptions = {},
  ): AsyncIterableIterator<Uint8Array<ArrayBuffer>> {
    return this.#lines(options.signal);
  }

  #lines(signal?: AbortSignal): AsyncIterableIterator<Uint8Array<ArrayBuffer>> {
    const next = () => this.#core.lines.next();
    return iterateLines(
      () => signal?.aborted ? undefined : this.#readyLine(),
      () => this.#reads.run(next, signal),
    );
  }

  /**
   * Reports whether the file can be read.
   *
   * @returns true
   * @throws {TypeError} if the reader is closed.
   */
  readable(): boolean {
    this.#core.checkOpen();
    return true;
  }

  /**
   * Reports whether the file can be written.
   *
   * @returns false
   * @throws {TypeError} if the reader is closed.
   */
  writable(): boolean {
    this.#core.checkOpen();
    return false;
  }

  /**
   * Reports whether the file has positions.
   *
   * @returns false
   * @throws {TypeError} if the reader is closed.
   */
  seekable(): boolean {
    this.#core.checkOpen();
    return false;
  }

  /**
   * Closes the reader, not the socket. Unread bytes are lost, and a call that waits is rejected when its receive
   * ends. Closing twice is fine.
   */
  close(): void {
    this.#core.close();
  }

  /** Closes the reader. */
  [Symbol.dispose](): void {
    this.close();
  }

  #readyLine(): Bytes | undefined {
    return this.#reads.free ? this.#core.lines.ready() : undefined;
  }

  #receive(
    wanted: number | Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<Bytes | number> {
    this.#tie?.sendHeld();
    if (typeof wanted !== "number") return this.#source.recvInto(wanted);
    const size = this.#core.receiveSize(wanted);
    return signal === undefined
      ? this.#source.recv(size)
      : this.#source.recv(size, { signal });
  }
}
