/**
 * Pooled buffers for relayed connections.
 *
 * @module
 */

import { BufferPool } from "../base/memory.ts";

/** The size of a large buffer in bytes: as much as one read of Deno's own streams takes. */
export const LARGE_BUFFER = 65536;

/** The most unused buffers kept of each size: 1 MiB of large ones. Arbitrary. */
const KEPT_MAX = 16;

/** Small buffers. 1 KiB is arbitrary, enough for most lines and headers. */
const small = new BufferPool(1024, KEPT_MAX);
const large = new BufferPool(LARGE_BUFFER, KEPT_MAX);

/** Returns a buffer of at least `length` bytes. It may hold old bytes. */
export function acquireBuffer(length: number): Uint8Array {
  if (length <= small.size) return small.take();
  return length <= LARGE_BUFFER ? large.take() : new Uint8Array(length);
}

/** Gives a buffer back to its pool. */
export function releaseBuffer(buffer: Uint8Array): void {
  (buffer.length === small.size ? small : large).give(buffer);
}
