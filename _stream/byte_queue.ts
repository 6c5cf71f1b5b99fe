/**
 * Received bytes that nobody has read yet.
 *
 * @module
 */

import { ChunkQueue } from "./chunk_queue.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/**
 * A chunk below this many bytes is copied to its neighbour: a typed array costs about 200 bytes, so
 * that a peer who sends single bytes would cost two hundred times what it sends. The number is
 * arbitrary: well above that cost, well below what costs time to copy.
 */
const SMALL = 512;

/** The size of the block in which small chunks are gathered; arbitrary, a few times `SMALL`. */
const BLOCK = 4096;

const LINE_FEED = 10;

/** Whether `chunk` is one line, with its end and nothing else. */
export function isLine(chunk: Bytes): boolean {
  return chunk.indexOf(LINE_FEED) === chunk.length - 1 && chunk.length > 0;
}

function findLineEnd(chunk: Bytes, start: number): number {
  const at = chunk.indexOf(LINE_FEED, start);
  return at < 0 ? -1 : at + 1;
}

/** A queue of bytes. What is taken out of the inside of a chunk is a view of it. */
export class ByteQueue extends ChunkQueue<Bytes> {
  /** The block at the end of the queue, into which nobody but this queue writes. */
  #block: ArrayBuffer | undefined;

  protected override slice(chunk: Bytes, start: number, end: number): Bytes {
    return chunk.subarray(start, end);
  }

  protected override join(parts: Bytes[], length: number): Bytes {
    const whole = new Uint8Array(length);
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }

  protected override merge(tail: Bytes, chunk: Bytes): Bytes | undefined {
    if (chunk.length >= SMALL) return undefined;
    const length = tail.length + chunk.length;
    if (tail.buffer !== this.#block || tail.byteOffset + length > BLOCK) {
      if (tail.length >= SMALL) return undefined;
      this.#block = new ArrayBuffer(BLOCK);
      new Uint8Array(this.#block).set(tail);
      tail = new Uint8Array(this.#block, 0, tail.length);
    }
    const merged = new Uint8Array(tail.buffer, tail.byteOffset, length);
    merged.set(chunk, tail.length);
    return merged;
  }

  override clear(): void {
    super.clear();
    this.#block = undefined;
  }

  /** Moves bytes into `target`, as many as there are and as it holds; returns how many. */
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

  /** A copy of the first `count` bytes, or of all where there are less. */
  copy(count: number): Bytes {
    const copied = new Uint8Array(Math.min(count, this.length));
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

  /** Where the line that begins at or before `from` ends, its line end included; -1 if unknown. */
  lineEnd(from: number): number {
    return this.scan(from, findLineEnd);
  }

  /** The position of `pattern` at or after `from`, or -1. */
  indexOf(pattern: Uint8Array, from: number): number {
    return this.scan(from, (chunk, start, index) => {
      let at = chunk.indexOf(pattern[0], start);
      while (at >= 0 && !this.#matches(pattern, at, index)) {
        at = chunk.indexOf(pattern[0], at + 1);
      }
      return at;
    });
  }

  /** Whether `pattern` is what stands at `at` in chunk `index`, going on into the next chunks. */
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
