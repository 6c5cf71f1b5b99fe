/**
 * Reading lines where reading blocks, of bytes or of text.
 *
 * @module
 */

import { LimitOverrunError } from "../_stream/errors.ts";
import type { LineQueue } from "../_stream/lines.ts";

/** What a {@linkcode BlockingLines} is made of. */
export interface BlockingLinesParts<T> {
  /** Where the data waits. */
  queue: LineQueue<T>;
  /** Brings more data into the queue, for a line or a part of it; false at the end of the stream. */
  fill: () => boolean;
  /** The longest line. */
  limit: number;
  /** What is counted, for messages. */
  unit: "bytes" | "characters";
}

/**
 * Takes lines from a queue, as `LineReader` does where reading waits.
 *
 * @typeParam T A line: bytes or a string.
 */
export class BlockingLines<T extends { readonly length: number }> {
  readonly #parts: BlockingLinesParts<T>;
  /** Whether the stream stands inside of a line that was too long, whose rest is to be skipped. */
  #inside = false;

  constructor(parts: BlockingLinesParts<T>) {
    this.#parts = parts;
  }

  /** To be called where something else than lines is read: the stream goes on where it stands. */
  leaveLine(): void {
    this.#inside = false;
  }

  /** The next line; its first `most` elements where `most` is not negative. */
  line(most: number): T {
    if (this.#inside) this.#skip();
    return this.#parts.queue.take(
      most < 0 ? this.#whole(true) : this.#part(most),
    );
  }

  /**
   * The lines to the end, or until they have more than `hint` elements where `hint` is positive.
   * Where that fails all of them stay.
   */
  lines(hint: number): T[] {
    const { queue } = this.#parts;
    const lines: T[] = [];
    if (this.#inside) this.#skip();
    try {
      for (let total = 0; hint <= 0 || total <= hint;) {
        const line = queue.take(this.#whole(false));
        if (line.length === 0) break;
        lines.push(line);
        total += line.length;
      }
      return lines;
    } catch (error) {
      queue.putBack(lines);
      throw error;
    }
  }

  #part(most: number): number {
    const end = this.#find(most);
    return Math.min(most, end < 0 ? this.#parts.queue.length : end);
  }

  #skip(): void {
    this.#parts.queue.drop(this.#whole(true));
    this.#inside = false;
  }

  /** Where the line ends; one that is too long is forgotten if `discard` says so. */
  #whole(discard: boolean): number {
    const { queue, limit, unit } = this.#parts;
    const found = this.#find(limit + 1);
    const end = found < 0 ? queue.length : found;
    if (end <= limit) return end;
    if (discard) {
      queue.drop(end);
      this.#inside = found < 0;
    }
    throw new LimitOverrunError(
      `Cannot read a line: no line end within ${limit} ${unit}`,
      discard ? end : 0,
    );
  }

  /** Where the line ends; -1 where `enough` elements, or the stream's last, show no line end. */
  #find(enough: number): number {
    const { queue, fill } = this.#parts;
    for (let from = 0;;) {
      const end = queue.lineEnd(from);
      if (end >= 0 || queue.length >= enough) return end;
      from = queue.length;
      if (!fill()) return -1;
    }
  }
}

/** The lines to the end of the stream. */
export function* eachLine<T extends { readonly length: number }>(
  readline: () => T,
): IterableIterator<T> {
  for (;;) {
    const line = readline();
    if (line.length === 0) return;
    yield line;
  }
}
