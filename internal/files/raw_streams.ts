/**
 * The part of a socket that its files call.
 *
 * @module
 */

import type { AbortOptions } from "../waiting/abort.ts";

/**
 * The source of a reader's bytes, such as a `Socket`.
 *
 * @category Files
 */
export interface ByteSource {
  /**
   * Receives the bytes that are there, at most `n`. The array belongs to the caller.
   *
   * @param n The most bytes to receive; at least 1.
   * @param options Given if the read has a signal, which ends the wait. Bytes that come later are for the next call.
   * @returns The bytes; empty at the end of the stream.
   */
  recv(n: number, options?: AbortOptions): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * Receives the bytes that are there into `buffer`.
   *
   * @param buffer The memory to fill; not empty.
   * @returns The number of bytes; 0 at the end of the stream.
   */
  recvInto(buffer: Uint8Array): Promise<number>;
}

/**
 * The destination of a writer's bytes, such as a `Socket`.
 *
 * @category Files
 */
export interface ByteSink {
  /**
   * Sends all of `data`. Calls run in order, awaited or not, and the failure of a call that nobody awaits is no
   * unhandled rejection.
   *
   * @param data The bytes to send. Do not change them until the promise settles.
   */
  sendall(data: Uint8Array): Promise<void>;
}

/**
 * A writer that may hold bytes back until the reader that is tied to it has to wait.
 *
 * @category Files
 */
export interface Tied {
  /** Begins to send the held bytes without waiting. */
  sendHeld(): void;
}
