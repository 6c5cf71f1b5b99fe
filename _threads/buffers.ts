/**
 * The buffers of the relays, which pass from one connection to the next.
 *
 * @module
 */

/** The bytes of a large buffer: what one read of Deno's own streams takes. */
export const LARGE = 65536;

/** The bytes of a small one; arbitrary, enough for most lines and headers. */
const SMALL = 1024;

/** How many of a size are kept for the next one: 1 MiB of large ones; arbitrary. */
const KEPT_MAX = 16;

const large: Uint8Array[] = [];
const small: Uint8Array[] = [];

/** A buffer for at least `length` bytes, with anything in it. */
export function takeBuffer(length: number): Uint8Array {
  if (length <= SMALL) return small.pop() ?? new Uint8Array(SMALL);
  if (length <= LARGE) return large.pop() ?? new Uint8Array(LARGE);
  return new Uint8Array(length);
}

/** Gives one back. */
export function giveBuffer(buffer: Uint8Array): void {
  const kept = buffer.length === SMALL ? small : large;
  if (buffer.length <= LARGE && kept.length < KEPT_MAX) kept.push(buffer);
}
