/**
 * What the files of a blocking socket stand on.
 *
 * @module
 */

/** What a file reads from and writes to. */
export interface BlockingBytes {
  /** Receives at most `size` bytes; empty at the end of the stream. */
  recv(size: number): Uint8Array<ArrayBuffer>;
  /** Sends all of `data`. */
  sendall(data: Uint8Array): void;
}
