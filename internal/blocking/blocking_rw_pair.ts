/**
 * The file that reads and writes, of a handler that blocks.
 *
 * @module
 */

import type { ReadUntilOptions } from "../files/reader_core.ts";
import type { WriteData } from "../files/file_writer.ts";
import type { BlockingReader } from "./blocking_reader.ts";
import type { BlockingWriter } from "./blocking_writer.ts";

/**
 * A {@linkcode BlockingReader} and a {@linkcode BlockingWriter} in one: what `makefile("rwb")` of a
 * blocking socket returns. Each method is that of its half. Closing it leaves the socket open.
 */
export class BlockingRWPair implements Disposable {
  readonly #reader: BlockingReader;
  readonly #writer: BlockingWriter;

  /**
   * Joins two halves, which belong to this file from now on.
   *
   * @param reader The half that reads.
   * @param writer The half that writes.
   */
  constructor(reader: BlockingReader, writer: BlockingWriter) {
    this.#reader = reader;
    this.#writer = writer;
  }

  /** Whether the file is closed. */
  get closed(): boolean {
    return this.#writer.closed;
  }

  /** How many bytes were written and not yet sent: {@linkcode BlockingWriter.pending}. */
  get pending(): number {
    return this.#writer.pending;
  }

  /**
   * Reads to the end, or a part: {@linkcode BlockingReader.read}.
   *
   * @param size How much; -1 for all.
   * @returns What was read; empty at the end of the stream.
   */
  read(size = -1): Uint8Array<ArrayBuffer> {
    return this.#reader.read(size);
  }

  /**
   * Reads what is there: {@linkcode BlockingReader.read1}.
   *
   * @param size The most bytes; -1 for as many as one `recv` brings.
   * @returns The bytes; empty at the end of the stream.
   */
  read1(size = -1): Uint8Array<ArrayBuffer> {
    return this.#reader.read1(size);
  }

  /**
   * Reads exactly `size` bytes: {@linkcode BlockingReader.readexactly}.
   *
   * @param size How many bytes.
   * @returns The bytes.
   */
  readexactly(size: number): Uint8Array<ArrayBuffer> {
    return this.#reader.readexactly(size);
  }

  /**
   * Reads into `buffer`: {@linkcode BlockingReader.readinto}.
   *
   * @param buffer Where the bytes go.
   * @returns How many bytes came.
   */
  readinto(buffer: ArrayBufferView): number {
    return this.#reader.readinto(buffer);
  }

  /**
   * Reads what is there into `buffer`: {@linkcode BlockingReader.readinto1}.
   *
   * @param buffer Where the bytes go.
   * @returns How many bytes came.
   */
  readinto1(buffer: ArrayBufferView): number {
    return this.#reader.readinto1(buffer);
  }

  /**
   * Looks at what comes next: {@linkcode BlockingReader.peek}.
   *
   * @param size How many bytes are wished for.
   * @returns A copy of the bytes; empty only at the end of the stream.
   */
  peek(size = 0): Uint8Array<ArrayBuffer> {
    return this.#reader.peek(size);
  }

  /**
   * Reads a line: {@linkcode BlockingReader.readline}.
   *
   * @param limit The most to return; -1 for the whole line.
   * @returns The line; empty at the end of the stream.
   */
  readline(limit = -1): Uint8Array<ArrayBuffer> {
    return this.#reader.readline(limit);
  }

  /**
   * Reads until `separator`, and it as well: {@linkcode BlockingReader.readuntil}.
   *
   * @param separator Bytes, or a string that stands for its UTF-8; "\n" by default.
   * @param options The limit.
   * @returns The bytes; they end with the separator.
   */
  readuntil(
    separator?: Uint8Array | string,
    options?: ReadUntilOptions,
  ): Uint8Array<ArrayBuffer> {
    return this.#reader.readuntil(separator, options);
  }

  /**
   * Reads lines: {@linkcode BlockingReader.readlines}.
   *
   * @param hint No further line is read when the lines are longer than this; -1 for all.
   * @returns The lines.
   */
  readlines(hint = -1): Uint8Array<ArrayBuffer>[] {
    return this.#reader.readlines(hint);
  }

  /** The lines. */
  [Symbol.iterator](): IterableIterator<Uint8Array<ArrayBuffer>> {
    return this.#reader[Symbol.iterator]();
  }

  /**
   * Writes: {@linkcode BlockingWriter.write}.
   *
   * @param data What to write.
   * @returns Its length.
   */
  write(data: WriteData): number {
    return this.#writer.write(data);
  }

  /**
   * Writes one after the other, with nothing put between them.
   *
   * @param lines What to write.
   */
  writelines(lines: Iterable<WriteData>): void {
    this.#writer.writelines(lines);
  }

  /** Sends all that was written. */
  flush(): void {
    this.#writer.flush();
  }

  /** Flushes, and closes both halves but not the socket. Closing twice is fine. */
  close(): void {
    try {
      this.#writer.close();
    } finally {
      this.#reader.close();
    }
  }

  /** Whether the file can be read: yes; a TypeError where it is closed. */
  readable(): boolean {
    return this.#writer.writable();
  }

  /** Whether the file can be written: yes; a TypeError where it is closed. */
  writable(): boolean {
    return this.#writer.writable();
  }

  /** Whether the file has positions: no; a TypeError where it is closed. */
  seekable(): boolean {
    return this.#writer.seekable();
  }

  /** Closes the file, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }
}
