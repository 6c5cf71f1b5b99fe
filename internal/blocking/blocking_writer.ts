/**
 * The `wfile` of a handler that blocks.
 *
 * @module
 */

import { encodeData } from "../files/file_arguments.ts";
import { closedFile } from "../files/read_errors.ts";
import { inBlocks, type WriteData, type Writer } from "../files/file_writer.ts";
import {
  type BufferedWriterOptions,
  recycle,
  WriterCore,
} from "../files/writer_core.ts";
import type { Blocking, BlockingBytes } from "./blocking_types.ts";

/**
 * Writes bytes to a blocking socket: the methods of {@linkcode Writer}, with its errors, but they block the worker and
 * return values. `socket.makefile("wb")` returns one, and `BlockingStreamRequestHandler` has one as `wfile`.
 *
 * Closing a writer leaves the socket open.
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
export interface BlockingWriter extends Blocking<Writer> {}

/** Moves the bytes of a {@linkcode BlockingWriter}. */
export class BlockingWriterShell implements BlockingWriter {
  readonly #sink: BlockingBytes;
  readonly #core: WriterCore;
  readonly #onClose: (() => void) | undefined;
  #closed = false;

  constructor(sink: BlockingBytes, options: BufferedWriterOptions = {}) {
    this.#sink = sink;
    this.#core = new WriterCore(options);
    this.#onClose = options.onClose;
  }

  get closed(): boolean {
    return this.#closed;
  }

  get pending(): number {
    return this.#core.length;
  }

  #checkOpen(): void {
    if (this.#closed) throw closedFile("write");
  }

  write(data: WriteData): number {
    const bytes = encodeData(data);
    this.#checkOpen();
    const capacity = this.#core.capacity();
    if (this.#core.length + bytes.length > capacity) this.sendHeld();
    if (bytes.length <= capacity) this.#core.collect(bytes);
    else this.#sink.sendall(bytes);
    return bytes.length;
  }

  writelines(lines: Iterable<WriteData>): void {
    for (const data of inBlocks(lines) as Iterable<WriteData>) this.write(data);
  }

  flush(): void {
    this.#checkOpen();
    this.sendHeld();
  }

  sendHeld(): void {
    const { length } = this.#core;
    if (length === 0) return;
    const buffer = this.#core.takeBuffer();
    this.#sink.sendall(buffer.subarray(0, length));
    recycle(buffer);
  }

  close(): void {
    if (this.#closed) return;
    try {
      this.flush();
    } finally {
      this.#closed = true;
      this.#onClose?.();
    }
  }

  readable(): boolean {
    this.#checkOpen();
    return false;
  }

  writable(): boolean {
    this.#checkOpen();
    return true;
  }

  seekable(): boolean {
    this.#checkOpen();
    return false;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
