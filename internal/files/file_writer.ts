/**
 * The interface of writers of bytes, and how they write lines.
 *
 * @module
 */

import { encodeData } from "./file_arguments.ts";
import { checkIterable } from "../base/arguments.ts";
import { joinBytes } from "../base/memory.ts";
import { quiet, unawaited } from "../waiting/promises.ts";

/**
 * Data to write: bytes in any form, or a string, which is encoded as UTF-8.
 *
 * @category Files
 */
export type WriteData = string | ArrayBufferView | ArrayBufferLike;

/**
 * Writes bytes to a socket. `socket.makefile("wb")` returns a writer, and `StreamRequestHandler` has one as `wfile`;
 * {@linkcode BufferedWriter} is the class that implements it.
 *
 * Writes arrive in order, awaited or not. The failure of a call that nobody awaits does not end the process: `flush`
 * and `close` throw the first one.
 *
 * @category Files
 */
export interface Writer extends AsyncDisposable {
  /** Whether the writer is closed. */
  readonly closed: boolean;
  /**
   * The number of bytes written and not yet sent, because the peer reads slowly or not at all. If you write without
   * awaiting, for example to many clients, check this number and stop writing or cut the client off.
   */
  readonly pending: number;
  /**
   * Writes all of `data`.
   *
   * @param data Bytes or a string. Do not change bytes until the promise settles.
   * @returns The number of bytes.
   * @throws {TypeError} at once, if `data` is neither; as a rejection, if the writer is closed.
   */
  write(data: WriteData): Promise<number>;
  /**
   * Writes each of `lines` in order, with nothing between them.
   *
   * An iterable is read at once, so that it keeps its place before later writes. An async iterable is read as it
   * comes; await the call before the next write.
   *
   * @param lines The data to write.
   * @throws {TypeError} if one of them is neither bytes nor a string, or the writer is closed.
   */
  writelines(
    lines: Iterable<WriteData> | AsyncIterable<WriteData>,
  ): Promise<void>;
  /**
   * Sends the collected bytes and waits until all written bytes are sent.
   *
   * @throws The first failure since the last flush.
   * @throws {TypeError} if the writer is closed.
   */
  flush(): Promise<void>;
  /**
   * Begins to send the collected bytes without waiting. The next write, `flush` or `close` throws a failure.
   */
  sendHeld(): void;
  /**
   * Flushes, and closes the writer but not the socket. Closing twice is fine.
   *
   * @throws The first failure since the last flush; the writer is closed all the same.
   */
  close(): Promise<void>;
  /**
   * Reports whether the file can be read.
   *
   * @returns false
   * @throws {TypeError} if the writer is closed.
   */
  readable(): boolean;
  /**
   * Reports whether the file can be written.
   *
   * @returns true
   * @throws {TypeError} if the writer is closed.
   */
  writable(): boolean;
  /**
   * Reports whether the file has positions.
   *
   * @returns false
   * @throws {TypeError} if the writer is closed.
   */
  seekable(): boolean;
}

/** The most bytes that `writelines` joins to one write: the default size of a `recv`. */
const BLOCK = 65536;

/** Writes `lines` in order: an iterable at once, an async iterable as it comes. */
export function writeEach<T>(
  lines: Iterable<T> | AsyncIterable<T>,
  write: (data: T) => Promise<unknown>,
): Promise<void> {
  if (isAsync(lines)) return unawaited(writeAsTheyCome(lines, write));
  checkIterable(lines, "write", "lines");
  return quiet(Promise.all(Array.from(lines, write)).then(() => {}));
}

async function writeAsTheyCome<T>(
  lines: AsyncIterable<T>,
  write: (data: T) => Promise<unknown>,
): Promise<void> {
  for await (const line of lines) await write(line);
}

function isAsync<T>(
  lines: Iterable<T> | AsyncIterable<T>,
): lines is AsyncIterable<T> {
  return Symbol.asyncIterator in Object(lines);
}

/** Joins the small data of an iterable to arrays of up to `BLOCK` bytes. */
export function inBlocks(
  lines: Iterable<WriteData> | AsyncIterable<WriteData>,
): Iterable<WriteData> | AsyncIterable<WriteData> {
  if (isAsync(lines)) return lines;
  checkIterable(lines, "write", "lines");
  const whole: Uint8Array[] = [];
  let parts: Uint8Array[] = [];
  let length = 0;
  const join = () => {
    if (length > 0) {
      whole.push(parts.length === 1 ? parts[0] : joinBytes(parts));
    }
    parts = [];
    length = 0;
  };
  for (const line of lines) {
    const bytes = encodeData(line);
    if (length + bytes.length > BLOCK) join();
    parts.push(bytes);
    length += bytes.length;
  }
  join();
  return whole;
}
