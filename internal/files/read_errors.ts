/**
 * The errors of files: those of reads, named as in Python's asyncio, and the error of a closed file.
 *
 * @module
 */

import { noMistake } from "../waiting/promises.ts";

/**
 * Thrown if the stream ends before all the requested bytes have come.
 *
 * @category Files
 * @example
 * ```ts
 * import { ok, strictEqual } from "node:assert/strict";
 * import { IncompleteReadError, socketpair } from "@socketserver/socketserver";
 *
 * const [a, b] = await socketpair();
 * using file = b.makefile("rb");
 * await a.sendall(new TextEncoder().encode("half"));
 * a.close();
 * const error = await file.readexactly(8).catch((error) => error);
 * ok(error instanceof IncompleteReadError);
 * strictEqual(new TextDecoder().decode(error.partial), "half");
 * b.close();
 * ```
 */
export class IncompleteReadError extends Error {
  /** The name of the class. */
  override readonly name: string = "IncompleteReadError";
  /** The bytes that came before the end. They are no longer in the reader. */
  readonly partial: Uint8Array<ArrayBuffer>;
  /** The number of requested bytes; `undefined` if the read was for a separator. */
  readonly expected: number | undefined;

  /**
   * Creates the error.
   *
   * @param message The failed read and the reason.
   * @param partial The bytes that came before the end.
   * @param expected The number of requested bytes.
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

/**
 * Thrown if a line, or the data before a separator, is longer than the limit.
 *
 * @category Files
 */
export class LimitOverrunError extends Error {
  /** The name of the class. */
  override readonly name: string = "LimitOverrunError";
  /**
   * The number of bytes or characters of the line that `readline()` discarded. `readlines()` discards nothing: 0.
   * `readuntil()` discards nothing either: the number of bytes before the place where a separator is or may begin.
   */
  readonly consumed: number;

  /**
   * Creates the error.
   *
   * @param message The failed read and the reason.
   * @param consumed The number of bytes or characters that were, or can be, discarded.
   */
  constructor(message: string, consumed: number) {
    super(message);
    this.consumed = consumed;
  }
}

/** Returns the error of a call on a closed file, which a client that leaves can cause. */
export function closedFileError(doing: "read" | "write"): TypeError {
  const what = doing === "read" ? "read of" : "write to";
  return noMistake(new TypeError(`Cannot ${doing}: ${what} closed file`));
}

/** Returns the error of a read that the end of the stream cut short. */
export function incompleteReadError(
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

/**
 * Makes a `for` loop over an async file throw a TypeError that names `for await`. The types do not have this member, so
 * that the type checker refuses such a loop too.
 */
export function refuseSyncIteration(
  File: { readonly prototype: object },
): void {
  Object.defineProperty(File.prototype, Symbol.iterator, {
    value(): never {
      throw new TypeError(
        "Cannot iterate over a file with for: write for await (const line of file)",
      );
    },
    configurable: true,
    writable: true,
  });
}
