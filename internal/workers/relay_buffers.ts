/**
 * The buffers of the relays.
 *
 * @module
 */

import { BufferPool } from "../base/memory.ts";

/** The bytes of a large buffer: what one read of Deno's own streams takes. */
export const LARGE_BUFFER = 65536;

/** How many of a size are kept for the next one: 1 MiB of large ones; arbitrary. */
const KEPT_MAX = 16;

/** 1 KiB is arbitrary, enough for most lines and headers. */
const small = new BufferPool(1024, KEPT_MAX);
const large = new BufferPool(LARGE_BUFFER, KEPT_MAX);

/** A buffer for at least `length` bytes, with anything in it. */
export function acquireBuffer(length: number): Uint8Array {
  if (length <= small.size) return small.take();
  return length <= LARGE_BUFFER ? large.take() : new Uint8Array(length);
}

/** Gives one back. */
export function releaseBuffer(buffer: Uint8Array): void {
  (buffer.length === small.size ? small : large).give(buffer);
}
