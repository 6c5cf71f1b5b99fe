/**
 * The memory that a connection reads into, and the bytes that wait in it.
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

import type { OSError } from "../base/errors.ts";
import { type Bytes, copyOf, memory } from "../base/memory.ts";
import { osError } from "../base/translate_error.ts";

/**
 * The size of the buffer of an idle or slow connection. An idle connection costs about 7 KiB in the runtime, so 1 KiB
 * more is little. It is not 1024, because a peer that sends blocks of this size would seem to have more to send.
 */
const SMALL = 1000;

/** The number of reads in a row that must fit the small buffer before it is used again. Arbitrary. */
const SMALL_READS = 4;

/** The number of reads after which a connection gets a slab. Many connections end earlier. Arbitrary. */
const READS_BEFORE_SLAB = 8;

/** The size of a slab: a page. A size of two pages made no measurable difference. */
const SLAB = 4096;

/** The most slabs that wait for data at a time: 4 MiB, as for the large buffers. Arbitrary. */
const SLABS_WAITING_MAX = 1024;

let slabsWaiting = 0;

/**
 * The size of the large buffers, which all connections share: the size of one read of Deno's own streams.
 *
 * A connection has one only while a read into it is in flight or bytes wait in it, so a few buffers serve many
 * connections. A new buffer for each read costs more than the read: a server that gets 1,500 bytes at a time fell from
 * 166,000 reads a second to 1,500, for allocating and collecting 64 KiB each.
 */
const LARGE = 65536;

/**
 * The most large buffers in reads that are likely to wait: 4 MiB. A read cannot be cancelled, so a busy connection that
 * falls silent keeps its buffer. Arbitrary.
 */
const LARGE_WAITING_MAX = 64;

/**
 * The most large buffers in all reads: 16 MiB. A read after one that has filled its buffer is likely to end at once, so
 * the first limit does not apply to it. But whether more data follows is up to the peer, so there is this second limit.
 * Arbitrary.
 */
const LARGE_READS_MAX = 256;

const NOTHING: Bytes = new Uint8Array(0);

const freeLarge: Bytes[] = [];
let largeReads = 0;

/**
 * Returns a large buffer for a read; undefined if too many are in use. `more` means that the next read is likely to end
 * at once.
 */
function takeLarge(more: boolean): Bytes | undefined {
  if (largeReads >= (more ? LARGE_READS_MAX : LARGE_WAITING_MAX)) {
    return undefined;
  }
  largeReads++;
  return freeLarge.pop() ?? memory(LARGE);
}

/** Returns an emptied large buffer to the pool. */
function giveLarge(buffer: Bytes): void {
  if (freeLarge.length + largeReads < LARGE_WAITING_MAX) freeLarge.push(buffer);
}

/** Creates the error of bytes that are lost because the program has transferred the memory that they were read into. */
function lostError(): OSError {
  const reason =
    "the memory of the read was transferred; slice() what recv() gives before its buffer is";
  return osError("EFAULT", { syscall: "recv", reason });
}

/** Chooses the memory for each read of a connection, keeps the bytes that no call has taken, and hands them out. */
export class ReceiveMemory {
  #small: Bytes | undefined;
  /** The part of the slab that no read has filled yet. */
  #slab: Bytes | undefined;
  /** The large buffer, while a read into it is in flight or bytes wait in it. */
  #large: Bytes | undefined;
  #readingLarge = false;
  /** The number of reads in a row that would have fitted the small buffer, up to {@linkcode SMALL_READS}. */
  #smallReads = SMALL_READS;
  /** The number of reads so far, up to {@linkcode READS_BEFORE_SLAB}. */
  #reads = 0;
  /** Whether the last read filled its buffer, so that more data is likely to follow. */
  #more = false;
  /** Adopted memory, until all bytes in it are taken. */
  #adopted: Bytes | undefined;
  /** The bytes that wait: from `#start` to `#end` of `#data`. */
  #data: Uint8Array = NOTHING;
  #start = 0;
  #end = 0;

  /** The number of bytes that wait. */
  get available(): number {
    return this.#end - this.#start;
  }

  /** Whether bytes wait, in memory that the program has not transferred. */
  get hasBytes(): boolean {
    return this.#start < this.#end && this.#end <= this.#data.length;
  }

  /** Returns the memory for the next read. */
  next(): Bytes {
    if (this.#smallReads < SMALL_READS) {
      const large = this.#large = takeLarge(this.#more);
      this.#readingLarge = large !== undefined;
      if (large !== undefined) return large;
    }
    if (this.#reads < READS_BEFORE_SLAB || slabsWaiting >= SLABS_WAITING_MAX) {
      return this.#small ??= new Uint8Array(SMALL);
    }
    slabsWaiting++;
    const slab = this.#slab;
    this.#small = undefined;
    if (slab !== undefined && slab.length >= SMALL) return slab;
    return this.#slab = memory(SLAB); // also if the program has transferred the last one
  }

  /** Adopts the memory of a transport that has read into its own. */
  adopt(bytes: Bytes): void {
    this.#adopted = bytes;
  }

  /**
   * Ends a read, and keeps its bytes behind those that were put back meanwhile.
   *
   * @param target The memory of the read: from `next` or `adopt`, or the caller's.
   * @param count The number of bytes that the read has put there.
   * @param waits Whether the caller waits for bytes in its memory. Otherwise it may use that memory again, so the bytes
   *   in it are copied.
   */
  filled(target: Uint8Array, count: number, waits: boolean): void {
    const own = this.#note(target, count);
    if (count > 0) {
      const copies = !own && !waits && count <= target.length;
      this.#keep(copies ? copyOf(target, 0, count) : target, count);
    } else if (this.available === 0) this.clear();
  }

  /** Notes a read, and reports whether its memory is this object's. A read into the caller's memory does not count. */
  #note(target: Uint8Array, count: number): boolean {
    if (target === this.#adopted) return true;
    if (target === this.#large) this.#largeFilled(target, count);
    else if (target === this.#slab) this.#advance(count);
    else if (target === this.#small) this.#smallFilled();
    else return false;
    this.#more = count === target.length;
    if (count >= SMALL) this.#smallReads = 0;
    else if (this.#smallReads < SMALL_READS) this.#smallReads++;
    return true;
  }

  #smallFilled(): void {
    if (this.#reads < READS_BEFORE_SLAB) this.#reads++;
  }

  /** Clears the bytes of earlier connections in a buffer that may be handed out whole. */
  #largeFilled(large: Uint8Array, count: number): void {
    this.#readingLarge = false;
    largeReads--;
    if (count > LARGE / 2 && count < large.length) large.fill(0, count);
  }

  /** Moves the position of the next read. */
  #advance(count: number): void {
    slabsWaiting--;
    const slab = this.#slab!;
    this.#slab = count < slab.length ? slab.subarray(count) : undefined;
  }

  /** Keeps the first `count` bytes of `data`. The program may have transferred it: it has no bytes then. */
  #keep(data: Uint8Array, count: number): void {
    const before = this.available === 0
      ? undefined
      : this.#data.subarray(this.#start, this.#end);
    this.#data = data;
    this.#start = 0;
    this.#end = count;
    if (before !== undefined && this.hasBytes) this.putBack(before);
  }

  /** Puts bytes back in front of the others. */
  putBack(bytes: Uint8Array): void {
    const joined = memory(bytes.length + this.available);
    joined.set(bytes);
    joined.set(this.#data.subarray(this.#start, this.#end), bytes.length);
    this.clear();
    this.#adopted = this.#data = joined;
    this.#end = joined.length;
  }

  /** Reports whether bytes wait. Throws if the program has transferred their memory, and forgets them. */
  check(): boolean {
    if (this.hasBytes) return true;
    if (this.available === 0) return false;
    this.clear();
    throw lostError();
  }

  /** Takes at most `size` bytes. Copies them only if a later read overwrites them. */
  take(size: number): Bytes {
    const start = this.#start;
    const end = this.#start = Math.min(start + size, this.#end);
    if (start === end) return new Uint8Array(0); // not `NOTHING`: the program may transfer it
    const taken = this.#handOut(start, end);
    if (end === this.#end) this.clear();
    return taken;
  }

  #handOut(start: number, end: number): Bytes {
    const data = this.#data;
    if (data === this.#large) return this.#handOutLarge(start, end);
    if (data === this.#small) return copyOf(data, start, end);
    if (data === this.#adopted) {
      const whole = start === 0 && end === data.length;
      return whole ? data as Bytes : copyOf(data, start, end);
    }
    return data.subarray(start, end) as Bytes;
  }

  /** Hands out the large buffer itself if copying the bytes costs more than another buffer. */
  #handOutLarge(start: number, end: number): Bytes {
    const large = this.#large!;
    if (start > 0 || end <= LARGE / 2) return copyOf(large, start, end);
    this.#large = undefined;
    return large.subarray(0, end);
  }

  /** Moves as many bytes as fit to `target`, unless the read has put them there. Returns their number. */
  takeInto(target: Uint8Array): number {
    const start = this.#start;
    const end = this.#start = Math.min(start + target.length, this.#end);
    if (end > start && this.#data !== target) {
      target.set(this.#data.subarray(start, end));
    }
    if (end === this.#end) this.clear();
    return end - start;
  }

  /** Copies the next bytes, at most `size`, and leaves them in place. */
  peek(size: number): Bytes {
    const end = Math.min(this.#start + size, this.#end);
    return copyOf(this.#data, this.#start, end);
  }

  /** Forgets the bytes that wait. Returns the large buffer to the pool, unless a read into it is in flight. */
  clear(): void {
    this.#data = NOTHING;
    this.#start = this.#end = 0;
    this.#adopted = undefined;
    if (this.#large === undefined || this.#readingLarge) return;
    giveLarge(this.#large);
    this.#large = undefined;
  }
}
