/**
 * Where the reads of a connection put their bytes.
 *
 * An array of its own for each read costs 400 to 800 ns for 64 bytes, most of that for its `ArrayBuffer`, where a
 * view of memory that exists costs 50: an echo of 64 bytes over 64 connections takes 5.6 percent more processor
 * time with such arrays. So a connection that is used reads into a slab, from the front to the back, and gives
 * away views of it: 48 messages of 64 bytes need one slab. What was given away is never written over, and all
 * that is in its `buffer` has come from one peer.
 *
 * What is given is a view from the first read on, also where it was copied; see {@linkcode memory}.
 *
 * @module
 */

import { type Bytes, memory, viewOf } from "../base/memory.ts";
import { giveLarge, landLarge, LARGE, takeLarge } from "../base/buffer_pool.ts";

export type { Bytes } from "../base/memory.ts";

/**
 * The buffer of a connection that is waiting or moves little. An idle connection costs about 7 KiB in
 * the runtime, so 1 KiB more is little. It is not 1024, because a peer that sends blocks of
 * just this size would look like one that has more to send.
 */
const SMALL = 1000;

/** After how many reads in a row that would have fitted the small buffer it is used again; arbitrary. */
const CALM = 4;

/**
 * After how many reads in all a connection gets a slab. A peer that sends single bytes, of which somebody
 * keeps each, then has a slab kept by 3,000 of them. Arbitrary; many connections end before.
 */
const USED = 8;

/** The size of a slab: a page. Twice as much makes no difference that could be measured. */
const SLAB = 4096;

/** How many slabs may wait for data at once: 4 MiB, as of the large buffers. Arbitrary. */
const SLABS_WAITING_MAX = 1024;

let slabsWaiting = 0;

/** The memory of one connection, for one read at a time. */
export class ReadMemory {
  #small: Bytes | undefined;
  /** The part of the slab that no read has filled yet. */
  #slab: Bytes | undefined;
  /** The large buffer, while a read in it is in flight or bytes wait in it. */
  #large: Bytes | undefined;
  /** How many reads in a row would have fitted the small buffer, as far as {@linkcode CALM}. */
  #calm = CALM;
  /** How many reads there were, as far as {@linkcode USED}. */
  #used = 0;
  /** Whether the last read filled its buffer, so that more is likely to be there. */
  #more = false;
  /** Memory that is from elsewhere, and was given away with what is in it, until all of that is taken. */
  #gift: Bytes | undefined;

  /** The memory for the next read. */
  next(): Bytes {
    if (this.#calm < CALM) {
      const large = this.#large = takeLarge(this.#more);
      if (large !== undefined) return large;
    }
    if (this.#used < USED || slabsWaiting >= SLABS_WAITING_MAX) {
      return this.#small ??= new Uint8Array(SMALL);
    }
    slabsWaiting++;
    const slab = this.#slab;
    this.#small = undefined;
    if (slab !== undefined && slab.length >= SMALL) return slab;
    return this.#slab = memory(SLAB); // also where somebody has transferred the last one
  }

  /** Memory from elsewhere is given away with what is in it, by a transport or by who puts bytes back. */
  receive(gift: Bytes): void {
    this.#gift = gift;
  }

  /**
   * A read is over, and brought `count` bytes; one into memory that is not from here does not count.
   *
   * @returns Whether the memory is from here, or was given away.
   */
  landed(target: Uint8Array, count: number): boolean {
    if (target === this.#gift) return true;
    if (target === this.#large) this.#landLarge(target, count);
    else if (target === this.#slab) this.#advance(count);
    else if (target !== this.#small) return false;
    else if (this.#used < USED) this.#used++;
    this.#more = count === target.length;
    if (count >= SMALL) this.#calm = 0;
    else if (this.#calm < CALM) this.#calm++;
    return true;
  }

  /** What may be given away has nothing of the connections that had the buffer before. */
  #landLarge(large: Uint8Array, count: number): void {
    landLarge();
    if (count > LARGE / 2 && count < large.length) large.fill(0, count);
  }

  /** The next read goes behind this one. */
  #advance(count: number): void {
    slabsWaiting--;
    const slab = this.#slab!;
    this.#slab = count < slab.length ? slab.subarray(count) : undefined;
  }

  /** A part of what a read brought, for the caller to keep: copied only where reads write over it. */
  give(data: Uint8Array, start: number, end: number): Bytes {
    if (data === this.#large) return this.#giveLarge(start, end);
    if (data === this.#small) return viewOf(data, start, end);
    if (data === this.#gift) return this.#giveGift(start, end);
    return data.subarray(start, end) as Bytes;
  }

  /** Gives the large buffer away with all that is in it, where copying would cost more than another. */
  #giveLarge(start: number, end: number): Bytes {
    const large = this.#large!;
    if (start > 0 || end <= LARGE / 2) return viewOf(large, start, end);
    this.#large = undefined;
    return large.subarray(0, end);
  }

  /** A gift is passed on where all of it is taken. */
  #giveGift(start: number, end: number): Bytes {
    const gift = this.#gift!;
    if (start === 0 && end === gift.length) return gift;
    return viewOf(gift, start, end);
  }

  /** Nothing is left of what was read; a large buffer goes back, unless a read is in flight in it. */
  empty(inFlight: Uint8Array | undefined): void {
    this.#gift = undefined;
    if (this.#large === undefined || this.#large === inFlight) return;
    giveLarge(this.#large);
    this.#large = undefined;
  }
}
