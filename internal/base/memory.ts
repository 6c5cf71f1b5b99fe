/**
 * Memory for bytes: fresh, copied, and pooled.
 *
 * @module
 */

/**
 * Received bytes. They belong to the caller. Their `buffer` may hold other bytes of the same peer: `slice()` them
 * before you use the whole `buffer`.
 *
 * @category Sockets
 */
export type Bytes = Uint8Array<ArrayBuffer>;

/**
 * The offset of a view in its memory. Memory of 64 KiB and more begins 16 bytes after the start of a page (glibc's
 * `malloc`), and the pages of a file at the start of one. At this distance of 16 bytes some processors copy 1.3 GB/s
 * instead of 8 to 18 (`rep movsb` of an AMD EPYC, in any size), and sending a file of 1 GiB took twice as long.
 */
const INSET = 48;

/**
 * Allocates `size` bytes, as a view of a larger buffer. For speed, `recv` mostly returns such views. So a program that
 * takes `data.buffer` for the data should fail at the first bytes, and not only when a connection is busy.
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

/** Joins buffers into one. */
export function joinBytes(parts: readonly Uint8Array[]): Bytes {
  const joined = memory(parts.reduce((sum, part) => sum + part.length, 0));
  let start = 0;
  for (const part of parts) {
    joined.set(part, start);
    start += part.length;
  }
  return joined;
}

/** A pool of buffers of one size. A pooled buffer costs less than a new one. */
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

  /** Returns a buffer, which may hold old bytes. */
  take(): Uint8Array {
    return this.#free.pop() ?? new Uint8Array(this.size);
  }

  /** Takes a buffer back. The caller keeps no view of it. Drops a buffer of another size. */
  give(buffer: Uint8Array): void {
    if (buffer.length === this.size && this.#free.length < this.#max) {
      this.#free.push(buffer);
    }
  }
}
