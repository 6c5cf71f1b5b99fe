/**
 * Data that has come and is not yet taken, in the pieces in which it came.
 *
 * @module
 */

/**
 * Finds something in one chunk.
 *
 * @param chunk Where to look.
 * @param start Where to begin.
 * @param index Which chunk of the queue it is.
 * @returns The position in the chunk, or -1.
 */
export type Finder<T> = (chunk: T, start: number, index: number) => number;

/**
 * A queue of chunks that reads as one sequence. Each element is copied at most twice, whatever
 * the sizes of the chunks and of what is taken, so that reading is linear.
 *
 * @typeParam T The chunk: bytes or a string.
 */
export abstract class ChunkQueue<T extends { readonly length: number }> {
  protected chunks: T[] = [];
  /** How much of the first chunk is taken. */
  protected offset = 0;
  #length = 0;

  /** How many elements wait. */
  get length(): number {
    return this.#length;
  }

  protected abstract slice(chunk: T, start: number, end: number): T;
  protected abstract join(parts: T[], length: number): T;
  /** `tail` and `chunk` in one where they are small; otherwise undefined. */
  protected abstract merge(tail: T, chunk: T): T | undefined;

  /** Adds `chunk` at the end. It belongs to the queue from now on. */
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
    for (let left = count; left > 0;) {
      const part = this.take(
        Math.min(left, this.chunks[0].length - this.offset),
      );
      parts.push(part);
      left -= part.length;
    }
    return this.join(parts, count);
  }

  /** Takes `count` elements and forgets them. */
  drop(count: number): void {
    for (let left = count; left > 0;) {
      left -=
        this.take(Math.min(left, this.chunks[0].length - this.offset)).length;
    }
  }

  /** Puts what was taken last back to where it was; `parts` belong to the queue again. */
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

  /** Forgets everything. */
  clear(): void {
    this.chunks = [];
    this.offset = 0;
    this.#length = 0;
  }

  /**
   * Asks `find` about each chunk from the position `from` on. The place is looked for from the
   * end, because a search goes on where the latest chunk begins.
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
