/**
 * The files that write, of a handler that blocks.
 *
 * @module
 */

import type { Encode } from "../files/codecs.ts";
import { encodeData } from "../files/file_arguments.ts";
import { inBlocks, type WriteData } from "../files/file_writer.ts";
import { closedFileError } from "../files/read_errors.ts";
import { delegate } from "../files/rw_pair.ts";
import { textEncoder, type TextWriterOptions } from "../files/text_core.ts";
import {
  type BufferedWriterOptions,
  recycle,
  WriterCore,
} from "../files/writer_core.ts";
import type {
  BlockingBytes,
  BlockingTextWriter,
  BlockingWriter,
} from "./blocking_types.ts";

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
    if (this.#closed) throw closedFileError("write");
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

/** Declares the methods that the file has from its writer. */
export interface BlockingTextWriterShell extends BlockingTextWriter {}

/** Encodes the text of a {@linkcode BlockingTextWriter}. */
export class BlockingTextWriterShell {
  readonly #writer: BlockingWriter;
  readonly #encode: Encode;

  static {
    const names = ["flush", "close", "readable", "writable", "seekable"];
    const own = [...names, Symbol.dispose];
    delegate(BlockingTextWriterShell, own, (file) => file.#writer);
  }

  constructor(writer: BlockingWriter, options: TextWriterOptions = {}) {
    this.#writer = writer;
    this.#encode = textEncoder(options);
  }

  get closed(): boolean {
    return this.#writer.closed;
  }

  write(text: string): number {
    this.#writer.write(this.#encode(text));
    return text.length;
  }

  writelines(lines: Iterable<string>): void {
    for (const line of lines) this.write(line);
  }
}
