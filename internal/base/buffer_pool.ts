/**
 * Buffers that pass from one connection to the next.
 *
 * @module
 */

import { type Bytes, memory } from "./memory.ts";

/** Buffers of one size, of which some are kept for whoever needs one next: a new one costs more. */
export class SpareBuffers {
  readonly #spare: Uint8Array[] = [];
  readonly #max: number;
  /** The bytes of each. */
  readonly size: number;

  /**
   * @param size The bytes of each.
   * @param max How many are kept at most.
   */
  constructor(size: number, max: number) {
    this.size = size;
    this.#max = max;
  }

  /** A buffer, with anything in it. */
  take(): Uint8Array {
    return this.#spare.pop() ?? new Uint8Array(this.size);
  }

  /** Takes one back of which nobody has a view any more; one of another size is dropped. */
  give(buffer: Uint8Array): void {
    if (buffer.length === this.size && this.#spare.length < this.#max) {
      this.#spare.push(buffer);
    }
  }
}

/**
 * The size of the large read buffers of all connections: what one read of Deno's own streams takes.
 *
 * A connection has one only while a read is in flight in it, or bytes wait in it, so that few buffers
 * serve many connections. A new one for each read would cost more than the read: allocating 64 KiB and
 * collecting it took a server that gets 1,500 bytes at a time from 166,000 of them a second to 1,500.
 */
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
  return free.pop() ?? memory(LARGE);
}

/** The read is over; the buffer has what came. */
export function landLarge(): void {
  flying--;
}

/** Gives a buffer back, when nothing is left in it. */
export function giveLarge(buffer: Bytes): void {
  if (free.length + flying < WAITING_MAX) free.push(buffer);
}
