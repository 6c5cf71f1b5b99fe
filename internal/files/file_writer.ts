/**
 * What every writer has, and how lines are written.
 *
 * @module
 */

import { toBytes } from "./file_arguments.ts";
import { checkIterable, joinBytes } from "../base/arguments.ts";
import { quiet, unawaited } from "../waiting/promises.ts";

/** What can be written: bytes in any form, or a string, which stands for its UTF-8. */
export type WriteData = string | ArrayBufferView | ArrayBufferLike;

/**
 * Writes bytes to a socket; what `socket.makefile("wb")` returns and what `StreamRequestHandler`
 * has as `wfile`. {@linkcode BufferedWriter} is one.
 *
 * Writes arrive in order, awaited or not, and the failure of a call that nobody awaits does not
 * end the process: `flush` and `close` report the first.
 */
export interface Writer extends AsyncDisposable {
  /** Whether the writer is closed. */
  readonly closed: boolean;
  /**
   * How many bytes were written and not yet sent: the peer reads slowly, or not at all. Who writes
   * without awaiting, to many clients for example, looks at it, and stops or cuts the client off.
   */
  readonly pending: number;
  /**
   * Writes all of `data`.
   *
   * @param data Bytes or a string. Bytes are not to be changed until the promise is settled.
   * @returns The count of bytes.
   * @throws {TypeError} at once, if `data` is neither; as a rejection, if the writer is closed.
   */
  write(data: WriteData): Promise<number>;
  /**
   * Writes one after the other, with nothing put between them.
   *
   * An iterable is taken at once, so that it keeps its place before later writes. An async one is
   * taken as it comes; it is to be awaited before the next write.
   *
   * @param lines What to write.
   * @throws {TypeError} if one of them is no data, or the writer is closed.
   */
  writelines(
    lines: Iterable<WriteData> | AsyncIterable<WriteData>,
  ): Promise<void>;
  /**
   * Waits until all that was written is sent.
   *
   * @throws The first failure since the last flush.
   * @throws {TypeError} if the writer is closed.
   */
  flush(): Promise<void>;
  /**
   * Begins to send what was collected, and does not wait for it: a failure is thrown by the next write,
   * `flush` or `close`.
   */
  sendHeld(): void;
  /**
   * Flushes, and closes the writer but not the socket. Closing twice is fine.
   *
   * @throws The first failure since the last flush; the writer is closed all the same.
   */
  close(): Promise<void>;
  /**
   * Whether the file can be read: no.
   *
   * @returns false
   * @throws {TypeError} if the writer is closed.
   */
  readable(): boolean;
  /**
   * Whether the file can be written: yes.
   *
   * @returns true
   * @throws {TypeError} if the writer is closed.
   */
  writable(): boolean;
  /**
   * Whether the file has positions: no.
   *
   * @returns false
   * @throws {TypeError} if the writer is closed.
   */
  seekable(): boolean;
}

/** `writelines` joins pieces up to this size: what one `recv` of a peer takes by default. */
const BLOCK = 65536;

/** Writes `lines` in order; an iterable at once, an async one as it comes. */
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

/** The data of an iterable in arrays of up to `BLOCK` bytes where they are small. */
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
    const bytes = toBytes(line);
    if (length + bytes.length > BLOCK) join();
    parts.push(bytes);
    length += bytes.length;
  }
  join();
  return whole;
}
