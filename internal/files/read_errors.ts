/**
 * The errors of files: those of reading, named as in Python's asyncio, and that of a closed one.
 *
 * @module
 */

import { noMistake } from "../waiting/promises.ts";

/** The stream ended before all that was asked for had come. */
export class IncompleteReadError extends Error {
  /** The name of the class. */
  override readonly name: string = "IncompleteReadError";
  /** What came before the end; it is no longer in the reader. */
  readonly partial: Uint8Array<ArrayBuffer>;
  /** How many bytes were asked for; `undefined` where a separator was looked for. */
  readonly expected: number | undefined;

  /**
   * Makes the error.
   *
   * @param message What could not be read and why.
   * @param partial What came before the end.
   * @param expected How many bytes were asked for.
   */
  constructor(
    message: string,
    partial: Uint8Array<ArrayBuffer>,
    expected?: number,
  ) {
    super(message);
    this.partial = partial;
    this.expected = expected;
  }
}

/** A line, or what stands before a separator, is longer than the limit. */
export class LimitOverrunError extends Error {
  /** The name of the class. */
  override readonly name: string = "LimitOverrunError";
  /**
   * From `readline()`: how much of the line was discarded. From `readlines()`, which discards
   * nothing: 0. From `readuntil()`, which discards nothing either: how much may be read before the
   * place where a separator is or may begin.
   */
  readonly consumed: number;

  /**
   * Makes the error.
   *
   * @param message What could not be read and why.
   * @param consumed How much was discarded, or can be.
   */
  constructor(message: string, consumed: number) {
    super(message);
    this.consumed = consumed;
  }
}

/** The error of a call on a closed file, which a client that leaves can cause. */
export function closedFile(doing: "read" | "write"): TypeError {
  const what = doing === "read" ? "read of" : "write to";
  return noMistake(new TypeError(`Cannot ${doing}: ${what} closed file`));
}

/** The error of a read that the end of the stream cut short. */
export function incomplete(
  what: string,
  partial: Uint8Array<ArrayBuffer>,
  expected?: number,
): IncompleteReadError {
  return new IncompleteReadError(
    `Cannot read ${what}: the stream ended after ${partial.length} bytes`,
    partial,
    expected,
  );
}
