/**
 * The memory that a connection reads into.
 *
 * An array of its own for each read costs 400 to 800 ns for 64 bytes, most of that for its `ArrayBuffer`; a view
 * of existing memory costs 50. With such arrays an echo of 64 bytes over 64 connections takes 5.6 percent more
 * processor time. So a busy connection reads into a slab, from front to back, and hands out views of it: 48 messages
 * of 64 bytes need one slab. Bytes handed out are never overwritten, and all bytes of their `buffer` have come from
 * one peer.
 *
 * Even copies are views of a larger buffer, from the first read on; see {@linkcode memory}.
 *
 * @module
 */

import { type Bytes, copyOf, memory } from "../base/memory.ts";

export type { Bytes } from "../base/memory.ts";

/**
 * The size of the buffer of an idle or slow connection. An idle connection costs about 7 KiB in the runtime, so
 * 1 KiB more is little. Not 1024: a peer that sends blocks of just this size would look like one with more to send.
 */
const SMALL = 1000;

/** How many reads in a row must fit the small buffer before it is used again. Arbitrary. */
const CALM = 4;

/**
 * How many reads a connection does before it gets a slab. Of a peer that sends single bytes, a program that keeps
 * each then keeps a slab for 3,000 of them. Arbitrary; many connections end before.
 */
const USED = 8;

/** The size of a slab: a page. Twice as much makes no difference that could be measured. */
const SLAB = 4096;

/** How many slabs may wait for data at once: 4 MiB, as of the large buffers. Arbitrary. */
const SLABS_WAITING_MAX = 1024;

let slabsWaiting = 0;

/**
 * The size of the large buffers, which all connections share: what one read of Deno's own streams takes.
 *
 * A connection has one only while it reads into it, or bytes wait in it, so that few buffers serve many connections.
 * A new one for each read would cost more than the read: allocating 64 KiB and collecting it took a server that
 * gets 1,500 bytes at a time from 166,000 of them a second to 1,500.
 */
const LARGE = 65536;

/**
 * How many large buffers may be in reads that are likely to wait: 4 MiB. A read cannot be cancelled, so a
 * connection that was busy and went quiet keeps its buffer; this caps how many do. Arbitrary.
 */
const LARGE_WAITING_MAX = 64;

/**
 * How many large buffers may be in reads at all: 16 MiB. A read that follows one which filled its buffer is likely
 * to end at once, so it may have a buffer beyond the first cap. Arbitrary too, but there must be a cap: whether data
 * follows is up to the peer.
 */
const LARGE_READS_MAX = 256;

const freeLarge: Bytes[] = [];
let largeReads = 0;

/** Takes a large buffer for a read; undefined if too many are in use. `more`: more data is likely to be there. */
function takeLarge(more: boolean): Bytes | undefined {
  if (largeReads >= (more ? LARGE_READS_MAX : LARGE_WAITING_MAX)) {
    return undefined;
  }
  largeReads++;
  return freeLarge.pop() ?? memory(LARGE);
}

/** Gives an emptied large buffer back. */
function giveLarge(buffer: Bytes): void {
  if (freeLarge.length + largeReads < LARGE_WAITING_MAX) freeLarge.push(buffer);
}

/** Chooses the memory of one connection's reads, one at a time, and hands out the bytes. */
export class ReceiveMemory {
  #small: Bytes | undefined;
  /** The part of the slab that no read has filled yet. */
  #slab: Bytes | undefined;
  /** The large buffer, while a read into it is in flight or bytes wait in it. */
  #large: Bytes | undefined;
  /** How many reads in a row would have fitted the small buffer, up to {@linkcode CALM}. */
  #calm = CALM;
  /** How many reads there were, up to {@linkcode USED}. */
  #used = 0;
  /** Whether the last read filled its buffer, so that more is likely to be there. */
  #more = false;
  /** Memory from elsewhere, adopted with the bytes in it, until all of them are taken. */
  #adopted: Bytes | undefined;

  /** Returns the memory for the next read. */
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
    return this.#slab = memory(SLAB); // also if the program has transferred the last one
  }

  /** Takes over memory of a transport, or of bytes that are put back, with the bytes in it. */
  adopt(bytes: Bytes): void {
    this.#adopted = bytes;
  }

  /**
   * Notes that a read has put `count` bytes into `target`. A read into the caller's memory does not count.
   *
   * @returns Whether `target` belongs to this object.
   */
  filled(target: Uint8Array, count: number): boolean {
    if (target === this.#adopted) return true;
    if (target === this.#large) this.#largeFilled(target, count);
    else if (target === this.#slab) this.#advance(count);
    else if (target !== this.#small) return false;
    else if (this.#used < USED) this.#used++;
    this.#more = count === target.length;
    if (count >= SMALL) this.#calm = 0;
    else if (this.#calm < CALM) this.#calm++;
    return true;
  }

  /** Clears what earlier connections left in a buffer that may be handed out whole. */
  #largeFilled(large: Uint8Array, count: number): void {
    largeReads--;
    if (count > LARGE / 2 && count < large.length) large.fill(0, count);
  }

  /** Puts the next read behind this one. */
  #advance(count: number): void {
    slabsWaiting--;
    const slab = this.#slab!;
    this.#slab = count < slab.length ? slab.subarray(count) : undefined;
  }

  /** Hands out a part of `data`. It is copied only if a later read overwrites it. */
  handOut(data: Uint8Array, start: number, end: number): Bytes {
    if (data === this.#large) return this.#handOutLarge(start, end);
    if (data === this.#small) return copyOf(data, start, end);
    if (data === this.#adopted) return this.#handOutAdopted(start, end);
    return data.subarray(start, end) as Bytes;
  }

  /** Hands out the large buffer itself if copying the bytes would cost more than another buffer. */
  #handOutLarge(start: number, end: number): Bytes {
    const large = this.#large!;
    if (start > 0 || end <= LARGE / 2) return copyOf(large, start, end);
    this.#large = undefined;
    return large.subarray(0, end);
  }

  /** Hands out adopted memory itself if all of it is taken. */
  #handOutAdopted(start: number, end: number): Bytes {
    const bytes = this.#adopted!;
    if (start === 0 && end === bytes.length) return bytes;
    return copyOf(bytes, start, end);
  }

  /** Notes that all bytes are taken. A large buffer goes back, unless `target` of a read in flight is that. */
  emptied(target: Uint8Array | undefined): void {
    this.#adopted = undefined;
    if (this.#large === undefined || this.#large === target) return;
    giveLarge(this.#large);
    this.#large = undefined;
  }
}
