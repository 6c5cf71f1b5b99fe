/**
 * What the files of a socket stand on.
 *
 * @module
 */

/** Where a reader gets its bytes from; a `Socket` is one. */
export interface ByteSource {
  /**
   * Receives what is there, at most `n` bytes. The array belongs to the caller.
   *
   * @param n The most bytes to receive; at least 1.
   * @returns The bytes; empty at the end of the stream.
   */
  recv(n: number): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * Receives what is there into `buffer`.
   *
   * @param buffer Where the bytes go; not empty.
   * @returns The count of bytes; 0 at the end of the stream.
   */
  recvInto(buffer: Uint8Array): Promise<number>;
}

/** Where a writer puts its bytes; a `Socket` is one. */
export interface ByteSink {
  /**
   * Sends all of `data`. Calls are carried out one after the other, awaited or not, and the
   * failure of one that nobody awaits is no unhandled rejection.
   *
   * @param data What to send; not to be changed until the promise is settled.
   */
  sendall(data: Uint8Array): Promise<void>;
}

/** A writer that may hold bytes back: what a reader is tied to. */
export interface Tied {
  /** Begins to send what it holds, and does not wait for it. */
  sendHeld(): void;
}
