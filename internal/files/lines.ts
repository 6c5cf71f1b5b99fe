/**
 * Reading lines, of bytes or of text.
 *
 * @module
 */

import { LimitOverrunError } from "./read_errors.ts";
import type { ReadSteps } from "./read_steps.ts";

/** The longest line by default, 64 KiB: the default limit of Python's asyncio streams. */
export const DEFAULT_LINE_LIMIT = 65536;

/** A queue that lines are taken from. */
export interface LineQueue<T> {
  /** The number of elements that wait. */
  readonly length: number;
  /** Returns the end of the line that begins at or before `from`; -1 if no line end has come. */
  lineEnd(from: number): number;
  /** Takes `count` elements. */
  take(count: number): T;
  /** Drops `count` elements. */
  drop(count: number): void;
  /** Puts back the parts taken last. */
  putBack(parts: readonly T[]): void;
}

/** The parts of a {@linkcode LineReader}. */
export interface LineReaderParts<T> {
  /** The data that has come. */
  queue: LineQueue<T>;
  /** The longest line. */
  limit: number;
  /** The unit of the limit, for messages. */
  unit: "bytes" | "characters";
  /** The handler that reads: passed to the listener of {@linkcode onLongLine}. */
  handler?: object;
}

let longLineListener: (handler: object) => void = () => {};

/** Sets the one listener that is called with the handler of a reader that meets a line longer than its limit. */
export function onLongLine(listener: (handler: object) => void): void {
  longLineListener = listener;
}

/** Notes that a reader has met a line longer than its limit. */
export function noteLongLine(handler: object | undefined): void {
  if (handler !== undefined) longLineListener(handler);
}

/**
 * Takes lines from a queue that each step fills.
 *
 * @typeParam T A line: bytes or a string.
 */
export class LineReader<T extends { readonly length: number }> {
  readonly #parts: LineReaderParts<T>;
  /** Whether the stream is inside a line that was too long. The next read skips the rest of the line. */
  #skipping = false;

  constructor(parts: LineReaderParts<T>) {
    this.#parts = parts;
  }

  /** The handler that reads, if there is one. */
  get handler(): object | undefined {
    return this.#parts.handler;
  }

  /**
   * Stops skipping the rest of a line that was too long, so that the next read returns it. Call this when something
   * other than a line is read.
   */
  stopSkipping(): void {
    this.#skipping = false;
  }

  /** Takes the next line if all of it has come. */
  ready(): T | undefined {
    if (this.#skipping) return undefined;
    const { queue, limit } = this.#parts;
    const end = queue.lineEnd(0);
    return end < 0 || end > limit ? undefined : queue.take(end);
  }

  /** Reads a line, or its first `most` elements if `most` is not negative. */
  line(most: number): ReadSteps<T> {
    return this.#read(most, (line) => line);
  }

  /** Reads a line for an iterator. */
  next(): ReadSteps<IteratorResult<T>> {
    return this.#read(-1, toResult);
  }

  /**
   * Reads a line and converts it. `convert` is a parameter, because a second generator around this one would add 0.1
   * microseconds to a line.
   */
  *#read<R>(most: number, convert: (line: T) => R): ReadSteps<R> {
    const { queue } = this.#parts;
    if (this.#skipping) yield* this.#skip();
    else if (most < 0 && queue.length === 0) { // one receive is most often enough
      const line = (yield 1) ? this.ready() : queue.take(0);
      if (line !== undefined) return convert(line);
    }
    const end = yield* most < 0 ? this.#whole(true) : this.#part(most);
    return convert(queue.take(end));
  }

  /**
   * Reads the lines to the end, or until they have more than `hint` elements if `hint` is positive. If that fails,
   * all lines stay in the queue.
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

  /** Returns the end of the line. Throws if the line is too long, and drops it if `discard` is set. */
  *#whole(discard: boolean): ReadSteps<number> {
    const { queue, limit, unit, handler } = this.#parts;
    const found = yield* this.#find(limit + 1);
    const end = found < 0 ? queue.length : found;
    if (end <= limit) return end;
    if (discard) {
      queue.drop(end);
      this.#skipping = found < 0;
    }
    noteLongLine(handler);
    throw new LimitOverrunError(
      `Cannot read a line: no line end within ${limit} ${unit}`,
      discard ? end : 0,
    );
  }

  /** Returns the end of the line; -1 if no line end is among `enough` elements or the rest of the stream. */
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

/** Returns the result of an iterator, which ends at an empty line. */
function toResult<T extends { readonly length: number }>(
  line: T,
): IteratorResult<T> {
  return line.length === 0
    ? { done: true, value: undefined }
    : { done: false, value: line };
}

/**
 * Iterates over lines without waiting, and without extra promises, while lines have come.
 *
 * @param ready Takes the next line if all of it has come.
 * @param next Waits for the next line.
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
