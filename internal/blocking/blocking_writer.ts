/**
 * The `wfile` of a handler that blocks.
 *
 * @module
 */

import { joinBytes } from "../base/arguments.ts";
import type { BufferedWriterOptions } from "../files/buffered_writer.ts";
import { checkCount, toBytes } from "../files/file_arguments.ts";
import { closedFile } from "../files/read_errors.ts";
import { inBlocks, type WriteData, type Writer } from "../files/file_writer.ts";
import type { BlockingBytes } from "./blocking_raw_streams.ts";
import type { Blocking } from "./blocking_type.ts";

/** Python's `io.DEFAULT_BUFFER_SIZE`. */
const BUFFER_SIZE = 8192;

/**
 * Writes bytes to a blocking socket: the methods of {@linkcode Writer}, with its errors, but they block the worker and
 * return values. `socket.makefile("wb")` returns one, and `BlockingStreamRequestHandler` has one as `wfile`.
 *
 * Closing a writer leaves the socket open.
 *
 * @category Files
 */
export interface BlockingWriter extends Blocking<Writer> {}

/** Moves the bytes of a {@linkcode BlockingWriter}. */
export class BlockingWriterShell implements BlockingWriter {
  readonly #sink: BlockingBytes;
  readonly #bufferSize: number;
  readonly #onClose: (() => void) | undefined;
  #parts: Uint8Array[] = [];
  #length = 0;
  #closed = false;

  constructor(sink: BlockingBytes, options: BufferedWriterOptions = {}) {
    const { bufferSize = -1, onClose } = options;
    checkCount(bufferSize, "Cannot open a writer: bufferSize", true);
    this.#sink = sink;
    this.#bufferSize = bufferSize < 0 ? BUFFER_SIZE : bufferSize;
    this.#onClose = onClose;
  }

  get closed(): boolean {
    return this.#closed;
  }

  get pending(): number {
    return this.#length;
  }

  #checkOpen(): void {
    if (this.#closed) throw closedFile("write");
  }

  write(data: WriteData): number {
    const bytes = toBytes(data);
    this.#checkOpen();
    if (this.#length + bytes.length <= this.#bufferSize) {
      this.#parts.push(bytes.slice());
      this.#length += bytes.length;
    } else {
      this.flush();
      this.#sink.sendall(bytes);
    }
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
    if (this.#length === 0) return;
    const parts = this.#parts;
    this.#parts = [];
    this.#length = 0;
    this.#sink.sendall(joinBytes(parts));
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

  /** Whether the file can be written: yes; a TypeError where it is closed. */
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
