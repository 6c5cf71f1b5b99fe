/**
 * Queues of unread data in the chunks in which it came: bytes, and decoded text.
 *
 * @module
 */

import { type Bytes, joinBytes, memory } from "../base/memory.ts";

/**
 * Finds something in one chunk.
 *
 * @param chunk The chunk to search.
 * @param start The position to start from.
 * @param index Which chunk of the queue it is.
 * @returns The position in the chunk, or -1.
 */
export type Finder<T> = (chunk: T, start: number, index: number) => number;

/**
 * A queue of chunks that reads as one sequence. Copies each element at most twice, so the cost of reading is linear for
 * all sizes.
 *
 * @typeParam T The chunk: bytes or a string.
 */
export abstract class ChunkQueue<T extends { readonly length: number }> {
  protected chunks: T[] = [];
  /** The number of elements of the first chunk that are taken. */
  protected offset = 0;
  #length = 0;

  /** The number of elements that wait. */
  get length(): number {
    return this.#length;
  }

  protected abstract slice(chunk: T, start: number, end: number): T;
  protected abstract join(parts: T[], length: number): T;
  /** Joins `tail` and `chunk` if they are small; returns undefined otherwise. */
  protected abstract merge(tail: T, chunk: T): T | undefined;

  /** Adds `chunk` at the end. The chunk belongs to the queue from now on. */
  push(chunk: T): void {
    this.#length += chunk.length;
    const last = this.chunks.length - 1;
    const merged = last < 0 ? undefined : this.merge(this.chunks[last], chunk);
    if (merged === undefined) this.chunks.push(chunk);
    else this.chunks[last] = merged;
  }

  /** Takes `count` elements, which must not be more than wait. */
  take(count: number): T {
    const head = this.chunks[0];
    const start = this.offset;
    const end = start + count;
    if (head === undefined || end > head.length) return this.#takeMany(count);
    this.#length -= count;
    if (end === head.length) {
      this.chunks.shift();
      this.offset = 0;
      if (start === 0) return head;
    } else this.offset = end;
    return this.slice(head, start, end);
  }

  #takeMany(count: number): T {
    const parts: T[] = [];
    let left = count;
    let whole = 0;
    for (let start = this.offset; left > 0; start = 0) {
      const chunk = this.chunks[whole];
      if (chunk.length - start > left) break;
      parts.push(start === 0 ? chunk : this.slice(chunk, start, chunk.length));
      left -= chunk.length - start;
      whole++;
    }
    this.chunks.splice(0, whole); // in one step, for each moves all that is left
    this.offset = 0;
    this.#length -= count - left;
    if (left > 0) parts.push(this.take(left));
    return this.join(parts, count);
  }

  /** Drops `count` elements. */
  drop(count: number): void {
    for (let left = count; left > 0;) {
      left -=
        this.take(Math.min(left, this.chunks[0].length - this.offset)).length;
    }
  }

  /** Puts the parts taken last back in front. They belong to the queue again. */
  putBack(parts: readonly T[]): void {
    if (this.offset > 0) {
      this.chunks[0] = this.slice(
        this.chunks[0],
        this.offset,
        this.chunks[0].length,
      );
      this.offset = 0;
    }
    this.chunks = parts.filter((part) => part.length > 0).concat(this.chunks);
    for (const part of parts) this.#length += part.length;
  }

  /** Drops all elements. */
  clear(): void {
    this.chunks = [];
    this.offset = 0;
    this.#length = 0;
  }

  /**
   * Searches each chunk from the position `from` on. Locates that position from the end, because a search continues
   * at the beginning of the latest chunk.
   *
   * @returns The position, or -1.
   */
  protected scan(from: number, find: Finder<T>): number {
    const { chunks, offset } = this;
    const start = from + offset;
    let index = chunks.length;
    let base = this.#length + offset;
    while (base > start) base -= chunks[--index].length;
    for (; index < chunks.length; index++) {
      const found = find(chunks[index], Math.max(0, start - base), index);
      if (found >= 0) return base + found - offset;
      base += chunks[index].length;
    }
    return -1;
  }
}

/**
 * The size below which a chunk is copied to its neighbour. A typed array costs about 200 bytes, so otherwise a peer
 * that sends single bytes would take two hundred times their memory. Arbitrary.
 */
const SMALL = 512;

/** The most bytes or characters to which small chunks are joined; a few times `SMALL`. Arbitrary. */
const BLOCK = 4096;

const LINE_FEED = 10;

function findLineEnd(chunk: Bytes, start: number): number {
  const at = chunk.indexOf(LINE_FEED, start);
  return at < 0 ? -1 : at + 1;
}

/** A queue of bytes. Bytes taken from inside a chunk are a view of it. */
export class ByteQueue extends ChunkQueue<Bytes> {
  /** The block at the end of the queue, which only this queue writes into. */
  #block: ArrayBuffer | undefined;

  protected override slice(chunk: Bytes, start: number, end: number): Bytes {
    return chunk.subarray(start, end);
  }

  protected override join(parts: Bytes[]): Bytes {
    return joinBytes(parts);
  }

  protected override merge(tail: Bytes, chunk: Bytes): Bytes | undefined {
    if (chunk.length >= SMALL) return undefined;
    const length = tail.length + chunk.length;
    if (tail.buffer !== this.#block || tail.byteOffset + length > BLOCK) {
      if (tail.length >= SMALL) return undefined;
      const block = memory(BLOCK);
      block.set(tail);
      this.#block = block.buffer;
      tail = block.subarray(0, tail.length);
    }
    const merged = new Uint8Array(tail.buffer, tail.byteOffset, length);
    merged.set(chunk, tail.length);
    return merged;
  }

  override clear(): void {
    super.clear();
    this.#block = undefined;
  }

  /** Moves bytes into `target` until it is full or the queue is empty; returns their number. */
  takeInto(target: Uint8Array): number {
    const count = Math.min(this.length, target.length);
    for (let at = 0; at < count;) {
      const part = this.take(
        Math.min(count - at, this.chunks[0].length - this.offset),
      );
      target.set(part, at);
      at += part.length;
    }
    return count;
  }

  /** Returns a copy of the first `count` bytes, or of all if there are fewer. */
  copy(count: number): Bytes {
    const copied = memory(Math.min(count, this.length));
    let at = -this.offset;
    for (const chunk of this.chunks) {
      if (at >= copied.length) break;
      const skip = Math.max(0, -at);
      const room = copied.length - at;
      copied.set(chunk.subarray(skip, Math.min(chunk.length, room)), at + skip);
      at += chunk.length;
    }
    return copied;
  }

  /** Returns the end of the line that begins at or before `from`, its line end included; -1 if no line end has come. */
  lineEnd(from: number): number {
    return this.scan(from, findLineEnd);
  }

  /** Returns the position of `pattern` at or after `from`, or -1. */
  indexOf(pattern: Uint8Array, from: number): number {
    return this.scan(from, (chunk, start, index) => {
      let at = chunk.indexOf(pattern[0], start);
      while (at >= 0 && !this.#matches(pattern, at, index)) {
        at = chunk.indexOf(pattern[0], at + 1);
      }
      return at;
    });
  }

  /** Reports whether `pattern` is at `at` in chunk `index`, continued in the next chunks. */
  #matches(pattern: Uint8Array, at: number, index: number): boolean {
    let chunk = this.chunks[index];
    for (const byte of pattern) {
      while (at >= chunk.length) {
        if (++index >= this.chunks.length) return false;
        at -= chunk.length;
        chunk = this.chunks[index];
      }
      if (chunk[at++] !== byte) return false;
    }
    return true;
  }
}

/** Finds the position after the first line end at or after `start`, or -1. */
export type LineEndFinder = (text: string, start: number) => number;

/** A queue of text, counted in UTF-16 units as JavaScript's strings are. */
export class TextQueue extends ChunkQueue<string> {
  readonly #find: LineEndFinder;

  /** @param find Finds line ends; none of them goes across two chunks. */
  constructor(find: LineEndFinder) {
    super();
    this.#find = find;
  }

  protected override slice(chunk: string, start: number, end: number): string {
    return chunk.slice(start, end);
  }

  protected override join(parts: string[]): string {
    return parts.join("");
  }

  protected override merge(tail: string, chunk: string): string | undefined {
    return tail.length + chunk.length <= BLOCK ? tail + chunk : undefined;
  }

  /** Returns the end of the line that begins at or before `from`, its line end included; -1 if no line end has come. */
  lineEnd(from: number): number {
    return this.scan(from, this.#find);
  }

  /** Takes `count` units, or one more rather than half of a surrogate pair. */
  override take(count: number): string {
    const end = this.offset + count;
    const splits = count > 0 && this.chunks[0]?.codePointAt(end - 1)! > 0xffff;
    return super.take(splits ? count + 1 : count);
  }
}
