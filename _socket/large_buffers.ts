/**
 * The large read buffers of all connections of the process.
 *
 * A connection has one only while a read is in flight in it, or bytes wait in it, so that few buffers
 * serve many connections. A new one for each read would cost more than the read: allocating 64 KiB and
 * collecting it took a server that gets 1,500 bytes at a time from 166,000 of them a second to 1,500.
 *
 * @module
 */

import type { Bytes } from "./read_memory.ts";

/** The size: what one read of Deno's own streams takes. */
export const LARGE = 65536;

/**
 * How many may be in flight in reads that are likely to wait: 4 MiB. A read in flight cannot be taken
 * back, so a connection that was busy and went quiet keeps its buffer; with this, only so many can. The
 * number is arbitrary.
 */
const WAITING_MAX = 64;

/**
 * How many may be in flight at all, 16 MiB: reads that are likely to end at once, because the one before
 * filled its buffer, may have those that others wait in vain with. Arbitrary too, but there
 * must be a limit: whether data follows is the peer's to say.
 */
const FLYING_MAX = 256;

const free: Bytes[] = [];
let flying = 0;

/**
 * Takes a buffer for a read.
 *
 * @param more Whether more data is likely to be there already.
 * @returns The buffer; undefined where too many are in flight.
 */
export function takeLarge(more: boolean): Bytes | undefined {
  if (flying >= (more ? FLYING_MAX : WAITING_MAX)) return undefined;
  flying++;
  return free.pop() ?? new Uint8Array(LARGE);
}

/** The read is over; the buffer has what came. */
export function landLarge(): void {
  flying--;
}

/** Gives a buffer back, when nothing is left in it. */
export function giveLarge(buffer: Bytes): void {
  if (free.length + flying < WAITING_MAX) free.push(buffer);
}
