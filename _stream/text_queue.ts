/**
 * Decoded text that nobody has read yet.
 *
 * @module
 */

import { ChunkQueue } from "./chunk_queue.ts";

/** Small chunks are joined up to this many characters, so that a slow sender costs little. */
const BLOCK = 4096;

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

  /** Where the line that begins at or before `from` ends, its line end included; -1 if unknown. */
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
