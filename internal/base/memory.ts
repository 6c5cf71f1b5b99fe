/**
 * Memory for what is received.
 *
 * @module
 */

/** Bytes received. They are the caller's; their `buffer` may hold more of what the same peer has sent. */
export type Bytes = Uint8Array<ArrayBuffer>;

/**
 * Where a view begins in its memory. Memory of 64 KiB and more begins 16 bytes behind the beginning of a page
 * (glibc's `malloc`), and what is copied out of a file begins with a page. With just these 16 bytes between
 * them some processors copy 1.3 GB/s and not 8 to 18 (`rep movsb` of an AMD EPYC, in any size): to send a
 * file of 1 GiB then took twice the time.
 */
const INSET = 48;

/**
 * New memory for `size` bytes, as a view of a larger buffer. Most of what `recv` gives is such a view, for speed. A
 * program that mistakes `data.buffer` for the data is to meet that with the first bytes that it receives, and not
 * when a connection has become busy.
 */
export function memory(size: number): Bytes {
  return new Uint8Array(INSET + size).subarray(INSET);
}

/** A copy of a part of `data`. */
export function viewOf(data: Uint8Array, start: number, end: number): Bytes {
  const copy = memory(end - start);
  copy.set(data.subarray(start, end));
  return copy;
}
