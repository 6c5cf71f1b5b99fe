/**
 * Memory for bytes: fresh, copied, and pooled.
 *
 * @module
 */

/**
 * Bytes received. They are the caller's; their `buffer` may hold more of what the same peer has sent.
 *
 * @category Sockets
 */
export type Bytes = Uint8Array<ArrayBuffer>;

/**
 * The offset of a view in its memory. Memory of 64 KiB and more begins 16 bytes behind the beginning of a page
 * (glibc's `malloc`), and what is copied out of a file begins with a page. With just these 16 bytes between
 * them some processors copy 1.3 GB/s and not 8 to 18 (`rep movsb` of an AMD EPYC, in any size): to send a
 * file of 1 GiB then took twice the time.
 */
const INSET = 48;

/**
 * Allocates `size` bytes, as a view of a larger buffer. Most of what `recv` returns is such a view, for speed. A
 * program that mistakes `data.buffer` for the data should fail with the first bytes that it receives, and not only
 * once a connection is busy.
 */
export function memory(size: number): Bytes {
  return new Uint8Array(INSET + size).subarray(INSET);
}

/** Copies a part of `data`. */
export function copyOf(data: Uint8Array, start: number, end: number): Bytes {
  const copy = memory(end - start);
  copy.set(data.subarray(start, end));
  return copy;
}

/** Buffers of one size, some of which are kept for the next user: a new one costs more. */
export class BufferPool {
  readonly #free: Uint8Array[] = [];
  readonly #max: number;
  /** The bytes of each. */
  readonly size: number;

  /**
   * @param size The bytes of each.
   * @param max The most buffers to keep.
   */
  constructor(size: number, max: number) {
    this.size = size;
    this.#max = max;
  }

  /** Returns a buffer. Its bytes are arbitrary. */
  take(): Uint8Array {
    return this.#free.pop() ?? new Uint8Array(this.size);
  }

  /** Takes a buffer back. No view of it may be left; one of another size is dropped. */
  give(buffer: Uint8Array): void {
    if (buffer.length === this.size && this.#free.length < this.#max) {
      this.#free.push(buffer);
    }
  }
}
