/**
 * Reading lines, of bytes or of text.
 *
 * @module
 */

import { LimitOverrunError } from "./read_errors.ts";
import type { ReadSteps } from "./read_steps.ts";

/**
 * The longest line where no other limit is given, 64 KiB: the default limit of Python's
 * asyncio streams.
 */
export const DEFAULT_LINE_LIMIT = 65536;

/** What lines are taken from. */
export interface LineQueue<T> {
  /** How many elements wait. */
  readonly length: number;
  /** Where the line that begins at or before `from` ends; -1 if no line end has come. */
  lineEnd(from: number): number;
  /** Takes `count` elements. */
  take(count: number): T;
  /** Takes `count` elements and forgets them. */
  drop(count: number): void;
  /** Puts back what was taken last. */
  putBack(parts: readonly T[]): void;
}

/** What a {@linkcode LineReader} is made of. */
export interface LineReaderParts<T> {
  /** Where the data waits. */
  queue: LineQueue<T>;
  /** The longest line. */
  limit: number;
  /** What is counted, for messages. */
  unit: "bytes" | "characters";
}

/**
 * Takes lines from a queue, into which data comes at each step.
 *
 * @typeParam T A line: bytes or a string.
 */
export class LineReader<T extends { readonly length: number }> {
  readonly #parts: LineReaderParts<T>;
  /** Whether the stream stands inside of a line that was too long, whose rest is to be skipped. */
  #skipping = false;

  constructor(parts: LineReaderParts<T>) {
    this.#parts = parts;
  }

  /** To be called where something else than lines is read: the stream goes on where it stands. */
  stopSkipping(): void {
    this.#skipping = false;
  }

  /** Whether the stream stands inside of a line that was too long. */
  get skipping(): boolean {
    return this.#skipping;
  }

  /** The next line if all of it has come. */
  ready(): T | undefined {
    if (this.#skipping) return undefined;
    const { queue, limit } = this.#parts;
    const end = queue.lineEnd(0);
    return end < 0 || end > limit ? undefined : queue.take(end);
  }

  /** The next line; its first `most` elements where `most` is not negative. */
  *line(most: number): ReadSteps<T> {
    if (this.#skipping) yield* this.#skip();
    return this.#parts.queue.take(
      yield* most < 0 ? this.#whole(true) : this.#part(most),
    );
  }

  /**
   * The lines to the end, or until they have more than `hint` elements where `hint` is positive.
   * Where that fails all of them stay.
   */
  *lines(hint: number): ReadSteps<T[]> {
    const lines: T[] = [];
    if (this.#skipping) yield* this.#skip();
    try {
      for (let total = 0; hint <= 0 || total <= hint;) {
        const line = this.ready() ??
          this.#parts.queue.take(yield* this.#whole(false));
        if (line.length === 0) break;
        lines.push(line);
        total += line.length;
      }
      return lines;
    } catch (error) {
      this.#parts.queue.putBack(lines);
      throw error;
    }
  }

  *#part(most: number): ReadSteps<number> {
    const end = yield* this.#find(most);
    return Math.min(most, end < 0 ? this.#parts.queue.length : end);
  }

  *#skip(): ReadSteps<void> {
    this.#parts.queue.drop(yield* this.#whole(true));
    this.#skipping = false;
  }

  /** Where the line ends; one that is too long is forgotten if `discard` says so. */
  *#whole(discard: boolean): ReadSteps<number> {
    const { queue, limit, unit } = this.#parts;
    const found = yield* this.#find(limit + 1);
    const end = found < 0 ? queue.length : found;
    if (end <= limit) return end;
    if (discard) {
      queue.drop(end);
      this.#skipping = found < 0;
    }
    throw new LimitOverrunError(
      `Cannot read a line: no line end within ${limit} ${unit}`,
      discard ? end : 0,
    );
  }

  /** Where the line ends; -1 where `enough` elements, or the stream's last, show no line end. */
  *#find(enough: number): ReadSteps<number> {
    const { queue } = this.#parts;
    for (let from = 0;;) {
      const end = queue.lineEnd(from);
      if (end >= 0 || queue.length >= enough) return end;
      from = queue.length;
      if (!(yield 1)) return -1;
    }
  }
}

/** The step of an iterator over lines that ends with an empty line. */
export function toResult<T extends { readonly length: number }>(
  line: T,
): IteratorResult<T> {
  return line.length === 0
    ? { done: true, value: undefined }
    : { done: false, value: line };
}

/**
 * An iterator over lines that neither waits nor makes promises of its own where a line has come.
 *
 * @param ready Takes the next line if all of it has come.
 * @param next Waits for the next line, as {@linkcode toResult} gives it.
 */
export function iterateLines<T>(
  ready: () => T | undefined,
  next: () => Promise<IteratorResult<T>>,
): AsyncIterableIterator<T> {
  return {
    next(): Promise<IteratorResult<T>> {
      const line = ready();
      if (line === undefined) return next();
      return Promise.resolve({ done: false, value: line });
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** The lines to the end, where reading blocks. */
export function* eachLine<T extends { readonly length: number }>(
  readline: () => T,
): IterableIterator<T> {
  for (;;) {
    const line = readline();
    if (line.length === 0) return;
    yield line;
  }
}
