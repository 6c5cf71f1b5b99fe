/**
 * The `wfile` of a handler that blocks.
 *
 * @module
 */

import { joinBytes } from "../base/arguments.ts";
import type { BufferedWriterOptions } from "../files/buffered_writer.ts";
import { checkCount, toBytes } from "../files/file_arguments.ts";
import { closedFile } from "../files/read_errors.ts";
import { inBlocks, type WriteData } from "../files/file_writer.ts";
import type { BlockingBytes } from "./blocking_raw_streams.ts";

/** Python's `io.DEFAULT_BUFFER_SIZE`. */
const BUFFER_SIZE = 8192;

/**
 * Writes bytes to a blocking socket: {@linkcode BufferedWriter}, but its methods block the worker and return
 * values. `makefile("wb")` makes it; closing it leaves the socket open.
 */
export class BlockingWriter implements Disposable {
  readonly #sink: BlockingBytes;
  readonly #bufferSize: number;
  readonly #onClose: (() => void) | undefined;
  #parts: Uint8Array[] = [];
  #length = 0;
  #closed = false;

  /**
   * Opens a writer.
   *
   * @param sink What to write to.
   * @param options The size of the buffer.
   */
  constructor(sink: BlockingBytes, options: BufferedWriterOptions = {}) {
    const { bufferSize = -1, onClose } = options;
    checkCount(bufferSize, "Cannot open a writer: bufferSize", true);
    this.#sink = sink;
    this.#bufferSize = bufferSize < 0 ? BUFFER_SIZE : bufferSize;
    this.#onClose = onClose;
  }

  /** Whether the writer is closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /** How many bytes were written and not yet sent: those in the buffer. */
  get pending(): number {
    return this.#length;
  }

  #checkOpen(): void {
    if (this.#closed) throw closedFile("write");
  }

  /**
   * Writes all of `data`.
   *
   * @param data Bytes, or a string, which stands for its UTF-8.
   * @returns The count of bytes, which are in the buffer or sent.
   * @throws {TypeError} if `data` is neither, or the writer is closed.
   */
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

  /**
   * Writes one after the other, with nothing put between them.
   *
   * @param lines What to write.
   */
  writelines(lines: Iterable<WriteData>): void {
    for (const data of inBlocks(lines) as Iterable<WriteData>) this.write(data);
  }

  /** Sends all that was written. */
  flush(): void {
    this.#checkOpen();
    this.sendHeld();
  }

  /** Sends what was collected. */
  sendHeld(): void {
    if (this.#length === 0) return;
    const parts = this.#parts;
    this.#parts = [];
    this.#length = 0;
    this.#sink.sendall(joinBytes(parts));
  }

  /** Flushes, and closes the writer but not the socket. Closing twice is fine. */
  close(): void {
    if (this.#closed) return;
    try {
      this.flush();
    } finally {
      this.#closed = true;
      this.#onClose?.();
    }
  }

  /** Whether the file can be read: no; a TypeError where it is closed. */
  readable(): boolean {
    this.#checkOpen();
    return false;
  }

  /** Whether the file can be written: yes; a TypeError where it is closed. */
  writable(): boolean {
    this.#checkOpen();
    return true;
  }

  /** Whether the file has positions: no; a TypeError where it is closed. */
  seekable(): boolean {
    this.#checkOpen();
    return false;
  }

  /** Closes the writer, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }
}
