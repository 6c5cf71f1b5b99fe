/**
 * The file that reads and writes bytes: what `makefile("rwb")` returns.
 *
 * @module
 */

import type { BufferedReader } from "./buffered_reader.ts";
import type { ReadUntilOptions } from "./reader_core.ts";
import { unawaited } from "../waiting/promises.ts";
import type { WriteData, Writer } from "./file_writer.ts";

/**
 * A {@linkcode BufferedReader} and a {@linkcode Writer} in one, as Python's `io.BufferedRWPair`. Each
 * method is that of its half, where its errors are described.
 *
 * Closing it leaves the socket open. Who opens it closes it.
 */
export class BufferedRWPair implements AsyncDisposable {
  readonly #reader: BufferedReader;
  readonly #writer: Writer;

  /**
   * Joins two halves.
   *
   * @param reader The half that reads. It belongs to this file from now on.
   * @param writer The half that writes. It belongs to this file from now on.
   */
  constructor(reader: BufferedReader, writer: Writer) {
    this.#reader = reader;
    this.#writer = writer;
  }

  /** Whether the file is closed. */
  get closed(): boolean {
    return this.#writer.closed;
  }

  /** How many bytes were written and not yet sent: {@linkcode Writer.pending}. */
  get pending(): number {
    return this.#writer.pending;
  }

  /**
   * Reads `size` bytes, or to the end: {@linkcode BufferedReader.read}.
   *
   * @param size How many bytes; -1 for all.
   * @returns The bytes; empty at the end of the stream.
   */
  read(size = -1): Promise<Uint8Array<ArrayBuffer>> {
    return this.#reader.read(size);
  }

  /**
   * Reads what is there: {@linkcode BufferedReader.read1}.
   *
   * @param size The most bytes; -1 for as many as one `recv` brings.
   * @returns The bytes; empty at the end of the stream.
   */
  read1(size = -1): Promise<Uint8Array<ArrayBuffer>> {
    return this.#reader.read1(size);
  }

  /**
   * Reads exactly `size` bytes: {@linkcode BufferedReader.readexactly}.
   *
   * @param size How many bytes.
   * @returns The bytes.
   */
  readexactly(size: number): Promise<Uint8Array<ArrayBuffer>> {
    return this.#reader.readexactly(size);
  }

  /**
   * Reads a line: {@linkcode BufferedReader.readline}.
   *
   * @param limit The most bytes to return.
   * @returns The line; empty at the end of the stream.
   */
  readline(limit = -1): Promise<Uint8Array<ArrayBuffer>> {
    return this.#reader.readline(limit);
  }

  /**
   * Reads until `separator`, and it as well: {@linkcode BufferedReader.readuntil}.
   *
   * @param separator Bytes, or a string that stands for its UTF-8; "\n" by default.
   * @param options The limit.
   * @returns The bytes; they end with the separator.
   */
  readuntil(
    separator?: Uint8Array | string,
    options?: ReadUntilOptions,
  ): Promise<Uint8Array<ArrayBuffer>> {
    return this.#reader.readuntil(separator, options);
  }

  /**
   * Reads lines: {@linkcode BufferedReader.readlines}.
   *
   * @param hint No further line is read when the lines have more bytes than this.
   * @returns The lines, each with its "\n".
   */
  readlines(hint = -1): Promise<Uint8Array<ArrayBuffer>[]> {
    return this.#reader.readlines(hint);
  }

  /**
   * Fills `buffer`: {@linkcode BufferedReader.readinto}.
   *
   * @param buffer Where the bytes go.
   * @returns The count of bytes; 0 at the end of the stream.
   */
  readinto(buffer: ArrayBufferView): Promise<number> {
    return this.#reader.readinto(buffer);
  }

  /**
   * Reads what is there into `buffer`: {@linkcode BufferedReader.readinto1}.
   *
   * @param buffer Where the bytes go.
   * @returns The count of bytes; 0 at the end of the stream.
   */
  readinto1(buffer: ArrayBufferView): Promise<number> {
    return this.#reader.readinto1(buffer);
  }

  /**
   * Shows what comes next: {@linkcode BufferedReader.peek}.
   *
   * @param size How many bytes are wished for.
   * @returns A copy of the bytes; empty only at the end of the stream.
   */
  peek(size = 0): Promise<Uint8Array<ArrayBuffer>> {
    return this.#reader.peek(size);
  }

  /**
   * The lines to the end of the stream.
   *
   * @returns The iterator.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array<ArrayBuffer>> {
    return this.#reader[Symbol.asyncIterator]();
  }

  /**
   * Writes all of `data`: {@linkcode Writer.write}.
   *
   * @param data Bytes or a string.
   * @returns The count of bytes.
   */
  write(data: WriteData): Promise<number> {
    return this.#writer.write(data);
  }

  /**
   * Writes one after the other: {@linkcode Writer.writelines}.
   *
   * @param lines What to write.
   */
  writelines(
    lines: Iterable<WriteData> | AsyncIterable<WriteData>,
  ): Promise<void> {
    return this.#writer.writelines(lines);
  }

  /**
   * Sends what was collected, and waits until all that was written is sent.
   *
   * @throws The first failure since the last flush.
   * @throws {TypeError} if the file is closed.
   */
  flush(): Promise<void> {
    return this.#writer.flush();
  }

  /**
   * Flushes, and closes both halves but not the socket. Closing twice is fine.
   *
   * @throws The first failure since the last flush; the file is closed all the same.
   */
  close(): Promise<void> {
    return unawaited(this.#writer.close().finally(() => this.#reader.close()));
  }

  /**
   * Whether the file can be read: yes.
   *
   * @returns true
   * @throws {TypeError} if the file is closed.
   */
  readable(): boolean {
    return this.#writer.writable();
  }

  /**
   * Whether the file can be written: yes.
   *
   * @returns true
   * @throws {TypeError} if the file is closed.
   */
  writable(): boolean {
    return this.#writer.writable();
  }

  /**
   * Whether the file has positions: no.
   *
   * @returns false
   * @throws {TypeError} if the file is closed.
   */
  seekable(): boolean {
    return this.#writer.seekable();
  }

  /** Closes the file. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
