/**
 * The part of a blocking socket that its files call.
 *
 * @module
 */

/**
 * The source and destination of the bytes of a blocking file, such as a `BlockingSocket`.
 *
 * @category Files
 */
export interface BlockingBytes {
  /** Receives at most `size` bytes; empty at the end of the stream. */
  recv(size: number): Uint8Array<ArrayBuffer>;
  /** Sends all of `data`. */
  sendall(data: Uint8Array): void;
}
