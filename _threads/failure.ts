/**
 * Errors on their way between threads.
 *
 * @module
 */

import * as errors from "../_socket/errors.ts";
import { pack } from "./protocol.ts";

/** An error as plain data. */
export interface Failure {
  name: string;
  message: string;
  stack?: string;
  code?: string;
  errno?: number;
  syscall?: string;
  address?: string;
  /** What was thrown where it is no error, as text. */
  thrown?: string;
  cause?: Failure;
  /** The errors of an `AggregateError`. */
  errors?: Failure[];
  /** The parts of a `SuppressedError`. */
  error?: Failure;
  suppressed?: Failure;
}

/** How deep causes are followed, and how many errors of an `AggregateError` are told; arbitrary. */
const DEPTH_MAX = 4;
const ERRORS_MAX = 8;

/** The longest text that is told; arbitrary, far below what a frame holds. */
const TEXT_MAX = 4096;

/** The most bytes of a failure; of a longer one only the error itself is told, without what is behind it. */
const PACKED_MAX = 65_536;

function cut(text: unknown): string | undefined {
  if (typeof text !== "string") return undefined;
  return text.length <= TEXT_MAX ? text : `${text.slice(0, TEXT_MAX)}...`;
}

/** Makes plain data of an error, or of whatever was thrown. */
export function toFailure(error: unknown, depth = 0): Failure {
  if (!(error instanceof Error)) {
    const thrown = cut(inspect(error));
    return { name: "Error", message: `Uncaught value: ${thrown}`, thrown };
  }
  const { code, errno, syscall, address } = error as Partial<errors.OSError>;
  const failure: Failure = {
    name: cut(error.name) ?? "Error",
    message: cut(error.message) ?? "",
    stack: cut(error.stack),
    code: cut(code),
    errno: typeof errno === "number" ? errno : undefined,
    syscall: cut(syscall),
    address: cut(address),
  };
  if (depth < DEPTH_MAX) addParts(failure, error, depth + 1);
  return failure;
}

/** A payload that says what was thrown. */
export function packFailure(error: unknown): Uint8Array {
  const payload = pack(toFailure(error));
  return payload.length <= PACKED_MAX
    ? payload
    : pack(toFailure(error, DEPTH_MAX));
}

function addParts(failure: Failure, error: Error, depth: number): void {
  if (error.cause !== undefined) failure.cause = toFailure(error.cause, depth);
  if (error instanceof AggregateError) {
    failure.errors = error.errors.slice(0, ERRORS_MAX).map((e) =>
      toFailure(e, depth)
    );
  }
  if (error instanceof SuppressedError) {
    failure.error = toFailure(error.error, depth);
    failure.suppressed = toFailure(error.suppressed, depth);
  }
}

function inspect(value: unknown): string {
  try {
    return Deno.inspect(value);
  } catch {
    return String(typeof value);
  }
}

const BUILT_IN: Record<string, ErrorConstructor> = {
  TypeError,
  RangeError,
  SyntaxError,
  ReferenceError,
  EvalError,
  URIError,
};

/** Makes the error again: of its class, where that is one of this package's or of the language. */
export function fromFailure(failure: Failure): Error {
  const error = bare(failure);
  const { name, stack, code } = failure;
  if (error.name !== name) define(error, "name", name);
  define(error, "stack", stack ?? `${name}: ${failure.message}`);
  if (code !== undefined && !(error instanceof errors.OSError)) {
    define(error, "code", code);
  }
  return error;
}

function bare(failure: Failure): Error {
  const { name, message, code, syscall, address } = failure;
  const options = failure.cause && { cause: fromFailure(failure.cause) };
  if (failure.errors !== undefined) {
    return new AggregateError(
      failure.errors.map(fromFailure),
      message,
      options,
    );
  }
  if (failure.error !== undefined && failure.suppressed !== undefined) {
    const { error, suppressed } = failure;
    return new SuppressedError(
      fromFailure(error),
      fromFailure(suppressed),
      message,
    );
  }
  if (name === "GaiError") {
    const known = { code, syscall, address, ...options };
    return new errors.GaiError(message, failure.errno ?? 0, known);
  }
  const Class = family(name);
  if (Class !== undefined) {
    return new Class(message, { code, syscall, address, ...options });
  }
  return new (BUILT_IN[name] ?? Error)(message, options);
}

function define(error: Error, name: string, value: unknown): void {
  const how = { value, configurable: true, writable: true, enumerable: false };
  Object.defineProperty(error, name, how);
}

/** The class of that name, if it is one of Python's family. */
function family(name: string): typeof errors.OSError | undefined {
  const known: Record<string, unknown> = { ...errors };
  const Class = Object.hasOwn(known, name) ? known[name] : undefined;
  const isFamily = typeof Class === "function" &&
    (Class === errors.OSError || Class.prototype instanceof errors.OSError);
  return isFamily ? Class as typeof errors.OSError : undefined;
}
