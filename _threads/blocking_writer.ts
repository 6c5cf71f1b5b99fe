/**
 * The `wfile` of a handler that blocks.
 *
 * @module
 */

import { joinBytes } from "../_socket/check.ts";
import { toBytes } from "../_stream/checks.ts";
import type { WriteData } from "../_stream/writer.ts";
import type {
  BlockingBytes,
  BlockingMakefileOptions,
} from "./blocking_files.ts";

/** Python's `io.DEFAULT_BUFFER_SIZE`. */
const BUFFER_SIZE = 8192;

/**
 * Writes to a blocking socket: the methods of {@linkcode Writer}, but they block the worker and return
 * values. `makefile("wb")` makes it; closing it leaves the socket open.
 */
export class BlockingWriter implements Disposable {
  readonly #sink: BlockingBytes;
  readonly #bufferSize: number;
  readonly #onClose: () => void;
  #parts: Uint8Array[] = [];
  #length = 0;
  #closed = false;

  /**
   * Opens a writer.
   *
   * @param sink What to write to.
   * @param options The size of the buffer.
   */
  constructor(
    sink: BlockingBytes,
    options: BlockingMakefileOptions & { onClose: () => void },
  ) {
    const { buffering = -1 } = options;
    this.#sink = sink;
    this.#bufferSize = buffering < 0 ? BUFFER_SIZE : buffering;
    this.#onClose = options.onClose;
  }

  /** Whether the writer is closed. */
  get closed(): boolean {
    return this.#closed;
  }

  #checkOpen(): void {
    if (this.#closed) throw new TypeError("Cannot write: write to closed file");
  }

  /**
   * Writes all of `data`.
   *
   * @param data Bytes, or a string, which stands for its UTF-8.
   * @returns The count of bytes.
   */
  write(data: WriteData): number {
    this.#checkOpen();
    const bytes = toBytes(data);
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
    for (const line of lines) this.write(line);
  }

  /** Sends all that was written. */
  flush(): void {
    this.#checkOpen();
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
      this.#onClose();
    }
  }

  /** Closes the writer, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }
}
