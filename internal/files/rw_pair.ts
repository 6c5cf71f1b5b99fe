/**
 * The files that read and write: what `makefile("rwb")` and `makefile("rw")` return.
 *
 * @module
 */

import { unawaited } from "../waiting/promises.ts";
import type { BufferedReader } from "./buffered_reader.ts";
import type { Writer } from "./file_writer.ts";
import { refuseSyncIteration } from "./read_errors.ts";
import type { TextReader } from "./text_reader.ts";
import type { TextWriter } from "./text_writer.ts";

/**
 * Adds methods to a class that call those of a part of it, such as a half of a pair.
 *
 * @typeParam T The instances of the class.
 * @param Class The class.
 * @param names The names of the methods.
 * @param part Returns the part of an instance.
 */
export function delegate<T extends object>(
  Class: { prototype: T },
  names: readonly PropertyKey[],
  part: (instance: T) => object,
): void {
  for (const name of names) {
    const value = function (this: T, ...args: unknown[]): unknown {
      const callee = part(this);
      return Reflect.get(callee, name).apply(callee, args);
    };
    Object.defineProperty(value, "name", { value: name });
    Object.defineProperty(Class.prototype, name, {
      value,
      writable: true,
      configurable: true,
    });
  }
}

/** The methods that a pair of text files has from its reader. */
export const TEXT_READS = ["read", "readline", "readlines", "lines"] as const;

/** The methods that a pair of binary files has from its reader. */
export const BYTE_READS = [
  ...TEXT_READS,
  "read1",
  "readexactly",
  "readuntil",
  "readinto",
  "readinto1",
  "peek",
] as const;

/** The methods that a pair has from its writer. */
export const WRITES = [
  "write",
  "writelines",
  "flush",
  "writable",
  "seekable",
] as const;

/** Declares the methods that the pair has from its reader and its writer. */
export interface BufferedRWPair extends
  Pick<
    BufferedReader,
    | "read"
    | "read1"
    | "readexactly"
    | "readline"
    | "readuntil"
    | "readlines"
    | "readinto"
    | "readinto1"
    | "peek"
    | "lines"
    | typeof Symbol.asyncIterator
  >,
  Pick<
    Writer,
    "write" | "writelines" | "flush" | "writable" | "seekable"
  > {}

/**
 * Reads and writes bytes: a {@linkcode BufferedReader} and a {@linkcode Writer} in one, as Python's
 * `io.BufferedRWPair`. `socket.makefile("rwb")` returns one.
 *
 * `read`, `read1`, `readexactly`, `readline`, `readuntil`, `readlines`, `readinto`, `readinto1`, `peek`, `lines` and
 * `for await` are the reader's; `write`, `writelines`, `flush`, `writable` and `seekable` are the writer's.
 *
 * Closing a pair leaves the socket open. If you open a pair, close it.
 *
 * @example
 * ```ts
 * import { socketpair } from "@socketserver/socketserver";
 * import { strictEqual } from "node:assert/strict";
 *
 * const [a, b] = await socketpair();
 * await using file = a.makefile("rwb");
 * await file.write("ping\n");
 * await file.flush();
 * await b.sendall(await b.recv(100));
 * strictEqual((await file.readline()).length, 5);
 * a.close();
 * b.close();
 * ```
 *
 * @category Files
 */
export class BufferedRWPair implements AsyncDisposable {
  readonly #reader: BufferedReader;
  readonly #writer: Writer;

  static {
    const reads = [...BYTE_READS, Symbol.asyncIterator];
    delegate(BufferedRWPair, reads, (pair) => pair.#reader);
    delegate(BufferedRWPair, WRITES, (pair) => pair.#writer);
    refuseSyncIteration(BufferedRWPair);
  }

  /**
   * Joins a reader and a writer. Both belong to the pair from now on.
   *
   * @param reader The half that reads.
   * @param writer The half that writes.
   */
  constructor(reader: BufferedReader, writer: Writer) {
    this.#reader = reader;
    this.#writer = writer;
  }

  /** Whether the file is closed. */
  get closed(): boolean {
    return this.#writer.closed;
  }

  /** The number of bytes written and not yet sent; see {@linkcode Writer.pending}. */
  get pending(): number {
    return this.#writer.pending;
  }

  /**
   * Reports whether the file can be read.
   *
   * @returns true
   * @throws {TypeError} if the file is closed.
   */
  readable(): boolean {
    return this.#writer.writable(); // both halves close together
  }

  /**
   * Flushes and closes both halves, but not the socket. Closing twice is fine.
   *
   * @throws The first failure since the last flush; the file is closed all the same.
   */
  close(): Promise<void> {
    return unawaited(this.#writer.close().finally(() => this.#reader.close()));
  }

  /** Closes the file. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Declares the methods that the pair has from its reader and its writer. */
export interface TextRWPair extends
  Pick<
    TextReader,
    "read" | "readline" | "readlines" | "lines" | typeof Symbol.asyncIterator
  >,
  Pick<
    TextWriter,
    "write" | "writelines" | "flush" | "writable" | "seekable"
  > {}

/**
 * Reads and writes text: a {@linkcode TextReader} and a {@linkcode TextWriter} in one, as Python's
 * `io.TextIOWrapper` over a pair. `socket.makefile("rw")` returns one.
 *
 * `read`, `readline`, `readlines`, `lines` and `for await` are the reader's; `write`, `writelines`, `flush`, `writable`
 * and `seekable` are the writer's.
 *
 * Closing a pair leaves the socket open. If you open a pair, close it.
 *
 * @example
 * ```ts
 * import { socketpair } from "@socketserver/socketserver";
 * import { strictEqual } from "node:assert/strict";
 *
 * const [a, b] = await socketpair();
 * await using file = a.makefile("rw");
 * await file.write("ping\n");
 * await file.flush();
 * await b.sendall(await b.recv(100));
 * strictEqual(await file.readline(), "ping\n");
 * a.close();
 * b.close();
 * ```
 *
 * @category Files
 */
export class TextRWPair implements AsyncDisposable {
  readonly #reader: TextReader;
  readonly #writer: TextWriter;

  static {
    const reads = [...TEXT_READS, Symbol.asyncIterator];
    delegate(TextRWPair, reads, (pair) => pair.#reader);
    delegate(TextRWPair, WRITES, (pair) => pair.#writer);
    refuseSyncIteration(TextRWPair);
  }

  /**
   * Joins a reader and a writer. Both belong to the pair from now on.
   *
   * @param reader The half that reads.
   * @param writer The half that writes.
   */
  constructor(reader: TextReader, writer: TextWriter) {
    this.#reader = reader;
    this.#writer = writer;
  }

  /** Whether the file is closed. */
  get closed(): boolean {
    return this.#writer.closed;
  }

  /**
   * Reports whether the file can be read.
   *
   * @returns true
   * @throws {TypeError} if the file is closed.
   */
  readable(): boolean {
    return this.#writer.writable(); // both halves close together
  }

  /**
   * Flushes and closes both halves, but not the socket. Closing twice is fine.
   *
   * @throws The first failure since the last flush; the file is closed all the same.
   */
  close(): Promise<void> {
    return unawaited(this.#writer.close().finally(() => this.#reader.close()));
  }

  /** Closes the file. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
