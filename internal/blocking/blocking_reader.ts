/**
 * The `rfile` of a handler that blocks.
 *
 * @module
 */

import type { Bytes } from "../base/memory.ts";
import {
  type AbortOptions,
  checkAborted,
  checkSignal,
} from "../waiting/abort.ts";
import type { BufferedReader } from "../files/buffered_reader.ts";
import { eachLine } from "../files/lines.ts";
import {
  type BufferedReaderOptions,
  ReaderCore,
  type ReadUntilOptions,
} from "../files/reader_core.ts";
import {
  readArguments,
  type ReadSteps,
  runStepsNow,
} from "../files/read_steps.ts";
import type { Tied } from "../files/raw_streams.ts";
import type { Blocking, BlockingBytes } from "./blocking_types.ts";

/**
 * Reads bytes from a blocking socket: the methods of {@linkcode BufferedReader}, with its errors, but they block the
 * worker and return values. `socket.makefile("rb")` returns one, and `BlockingStreamRequestHandler` has one as
 * `rfile`.
 *
 * Closing a reader leaves the socket open.
 *
 * @example
 * ```ts
 * import { BlockingStreamRequestHandler } from "@socketserver/socketserver";
 *
 * export class EchoLines extends BlockingStreamRequestHandler {
 *   static readonly moduleUrl = import.meta.url;
 *
 *   override handle() {
 *     for (const line of this.rfile) this.wfile.write(line);
 *   }
 * }
 * ```
 *
 * @category Files
 */
export interface BlockingReader extends Blocking<BufferedReader> {}

/** Moves the bytes of a {@linkcode BlockingReader}. */
export class BlockingReaderShell implements BlockingReader {
  readonly #source: BlockingBytes;
  readonly #tie: Tied | undefined;
  readonly #core: ReaderCore;

  constructor(source: BlockingBytes, options: BufferedReaderOptions = {}) {
    this.#source = source;
    this.#tie = options.tie;
    this.#core = new ReaderCore(options);
  }

  get closed(): boolean {
    return this.#core.closed;
  }

  /** Whether the reader has bytes that nobody has read. */
  get unread(): boolean {
    return this.#core.queue.length > 0;
  }

  #read<T>(steps: () => ReadSteps<T>, signal: AbortSignal | undefined): T {
    checkSignal(signal, "read");
    checkAborted(signal);
    this.#core.checkOpen();
    return runStepsNow(steps(), (wanted) => this.#fill(wanted, signal));
  }

  /** Receives once; returns false at the end of the stream. */
  #fill(wanted: number, signal: AbortSignal | undefined): boolean {
    this.#tie?.sendHeld();
    const size = this.#core.receiveSize(wanted);
    const data = signal === undefined
      ? this.#source.recv(size)
      : this.#source.recv(size, { signal });
    if (data.length > 0) this.#core.queue.push(data);
    return data.length > 0;
  }

  read(size: number | AbortOptions = -1, options?: AbortOptions): Bytes {
    const [count, signal] = readArguments(size, -1, options);
    return this.#read(() => this.#core.read(count), signal);
  }

  read1(size: number | AbortOptions = -1, options?: AbortOptions): Bytes {
    const [count, signal] = readArguments(size, -1, options);
    return this.#read(() => this.#core.read1(count), signal);
  }

  readexactly(size: number, options?: AbortOptions): Bytes {
    return this.#read(() => this.#core.readexactly(size), options?.signal);
  }

  readline(limit: number | AbortOptions = -1, options?: AbortOptions): Bytes {
    const [count, signal] = readArguments(limit, -1, options);
    return this.#read(() => this.#core.readline(count), signal);
  }

  readuntil(
    separator: Uint8Array | string = "\n",
    options: ReadUntilOptions = {},
  ): Bytes {
    const steps = () => this.#core.readuntil(separator, options);
    return this.#read(steps, options?.signal);
  }

  readlines(hint: number | AbortOptions = -1, options?: AbortOptions): Bytes[] {
    const [count, signal] = readArguments(hint, -1, options);
    return this.#read(() => this.#core.readlines(count), signal);
  }

  readinto(buffer: ArrayBufferView, options?: AbortOptions): number {
    const steps = () => this.#core.readinto(buffer, false);
    return this.#read(steps, options?.signal);
  }

  readinto1(buffer: ArrayBufferView, options?: AbortOptions): number {
    const steps = () => this.#core.readinto(buffer, true);
    return this.#read(steps, options?.signal);
  }

  peek(size: number | AbortOptions = 0, options?: AbortOptions): Bytes {
    const [count, signal] = readArguments(size, 0, options);
    return this.#read(() => this.#core.peek(count), signal);
  }

  lines(options: AbortOptions = {}): IterableIterator<Bytes> {
    return eachLine(() => this.readline(options));
  }

  [Symbol.iterator](): IterableIterator<Bytes> {
    return this.lines();
  }

  readable(): boolean {
    this.#core.checkOpen();
    return true;
  }

  writable(): boolean {
    this.#core.checkOpen();
    return false;
  }

  seekable(): boolean {
    this.#core.checkOpen();
    return false;
  }

  close(): void {
    this.#core.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
