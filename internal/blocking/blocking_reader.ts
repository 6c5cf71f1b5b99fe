/**
 * The `rfile` of a handler that blocks.
 *
 * @module
 */

import type { BufferedReader } from "../files/buffered_reader.ts";
import { eachLine } from "../files/lines.ts";
import {
  type BufferedReaderOptions,
  ReaderCore,
  type ReadUntilOptions,
} from "../files/reader_core.ts";
import { type ReadSteps, runStepsNow } from "../files/read_steps.ts";
import type { Tied } from "../files/raw_streams.ts";
import type { Blocking, BlockingBytes } from "./blocking_types.ts";

type Bytes = Uint8Array<ArrayBuffer>;

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

  #read<T>(steps: () => ReadSteps<T>): T {
    this.#core.checkOpen();
    return runStepsNow(steps(), (wanted) => this.#fill(wanted));
  }

  /** Receives once; returns false at the end of the stream. */
  #fill(wanted: number): boolean {
    this.#tie?.sendHeld();
    const data = this.#source.recv(this.#core.receiveSize(wanted));
    if (data.length > 0) this.#core.queue.push(data);
    return data.length > 0;
  }

  read(size = -1): Bytes {
    return this.#read(() => this.#core.read(size));
  }

  read1(size = -1): Bytes {
    return this.#read(() => this.#core.read1(size));
  }

  readexactly(size: number): Bytes {
    return this.#read(() => this.#core.readexactly(size));
  }

  readline(limit = -1): Bytes {
    return this.#read(() => this.#core.readline(limit));
  }

  readuntil(
    separator: Uint8Array | string = "\n",
    options: ReadUntilOptions = {},
  ): Bytes {
    return this.#read(() => this.#core.readuntil(separator, options));
  }

  readlines(hint = -1): Bytes[] {
    return this.#read(() => this.#core.readlines(hint));
  }

  readinto(buffer: ArrayBufferView): number {
    return this.#read(() => this.#core.readinto(buffer, false));
  }

  readinto1(buffer: ArrayBufferView): number {
    return this.#read(() => this.#core.readinto(buffer, true));
  }

  peek(size = 0): Bytes {
    return this.#read(() => this.#core.peek(size));
  }

  [Symbol.iterator](): IterableIterator<Bytes> {
    return eachLine(() => this.readline());
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
