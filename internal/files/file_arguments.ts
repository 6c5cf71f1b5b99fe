/**
 * Checks the arguments of files, with messages that name the value.
 *
 * @module
 */

import { bytesOf } from "../base/arguments.ts";
import { awaitHint } from "../base/message_hints.ts";

const encoder = new TextEncoder();

/**
 * Throws unless `value` is a non-negative integer, or -1 if that means "all" or "default".
 *
 * @param value The argument.
 * @param subject The beginning of the message, such as `Cannot read: size`.
 * @param minusOne Whether -1 is valid.
 */
export function checkCount(
  value: unknown,
  subject: string,
  minusOne: boolean,
): number {
  if (typeof value !== "number") {
    throw new TypeError(`${subject} must be a number, got ${typeName(value)}`);
  }
  if (!Number.isInteger(value) || value < (minusOne ? -1 : 0)) {
    const range = minusOne
      ? "-1 or a non-negative integer"
      : "a non-negative integer";
    throw new RangeError(`${subject} must be ${range}, got ${value}`);
  }
  return value;
}

/** Throws unless `value` is a positive integer or `Infinity`. */
export function checkLimit(value: unknown, subject: string): number {
  if (typeof value !== "number") {
    throw new TypeError(`${subject} must be a number, got ${typeName(value)}`);
  }
  if (value !== Infinity && !(Number.isInteger(value) && value > 0)) {
    throw new RangeError(
      `${subject} must be a positive integer or Infinity, got ${value}`,
    );
  }
  return value;
}

/** Returns the bytes of a separator; throws if it is neither bytes nor a string, or is empty. */
export function checkSeparator(value: unknown): Uint8Array {
  const bytes = typeof value === "string" ? encoder.encode(value) : value;
  if (!(bytes instanceof Uint8Array)) {
    throw new TypeError(
      `Cannot read until a separator: it must be a Uint8Array or a string, got ${
        typeName(value)
      }`,
    );
  }
  if (bytes.length === 0) {
    throw new RangeError("Cannot read until a separator: it must not be empty");
  }
  return bytes;
}

/** Returns the memory of a buffer as bytes; throws if the argument is not a view. */
export function checkBuffer(value: unknown): Uint8Array {
  if (ArrayBuffer.isView(value)) return bytesOf(value)!;
  throw new TypeError(
    `Cannot read into a buffer: it must be a view, got ${typeName(value)}`,
  );
}

/** Returns the bytes of data to write; throws if it is neither bytes nor a string. */
export function encodeData(data: unknown): Uint8Array {
  if (typeof data === "string") return encoder.encode(data);
  const bytes = bytesOf(data);
  if (bytes !== undefined) return bytes;
  throw new TypeError(
    `Cannot write: data must be bytes or a string, got ${typeName(data)}${
      awaitHint(data)
    }`,
  );
}

/** Returns the name of a value's type for a message: `"null"`, `"Date"`, `"number"`. */
export function typeName(value: unknown): string {
  if (typeof value !== "object") return typeof value;
  return value === null ? "null" : value.constructor?.name ?? "object";
}
