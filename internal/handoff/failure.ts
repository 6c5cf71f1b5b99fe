/**
 * Converts errors to plain data and back, for other threads and processes.
 *
 * @module
 */

import {
  IncompleteReadError,
  LimitOverrunError,
} from "../files/read_errors.ts";
import type { OSError } from "../base/errors.ts";
import { SSLCertVerificationError, SSLError } from "../base/ssl_errors.ts";
import { inspect } from "../runtime/system/deno_api.ts";
import { mayRenderStack } from "../runtime/system/free_descriptors.ts";
import {
  defineHidden,
  errorKind,
  makeError,
  type PlainParts,
} from "./error_classes.ts";

/** An error as plain data, for JSON or a structured clone. */
export interface Failure extends PlainParts {
  /** The thrown value if it is not an error: a string, or another value as text. */
  thrown?: string;
  /** The name of the nearest class that both sides know; undefined for `Error`. */
  kind?: string;
  stack?: string;
  /** The bytes of an `IncompleteReadError`, as Base64. */
  partial?: string;
  cause?: Failure;
  /** The errors of an `AggregateError`; the error and the suppressed one of a `SuppressedError`. */
  errors?: Failure[];
}

/** The most errors in one failure, itself included. Arbitrary: more than any real chain of causes. */
const ERRORS_MAX = 16;

/** The longest text in a failure. Arbitrary. */
const TEXT_MAX = 4096;

/** The length of all texts of a failure together: 144,000 bytes as JSON, with an escape for each character. */
const TEXTS_MAX = 24_000;

/**
 * The most bytes of partial data in a failure: as many as `readuntil` collects by default. They are 87,384 bytes as
 * Base64, so that a whole failure fits into one frame of a worker, which holds 262,136.
 */
const PARTIAL_MAX = 65_536;

/** The escape codes of colours, which Deno puts into the message of a failed import. */
// deno-lint-ignore no-control-regex
const COLOUR = /\x1b\[[\d;]*m/g;

/** The errors, text and partial data that a failure may still hold. */
class Budget {
  errors = ERRORS_MAX;
  #text = TEXTS_MAX;
  #partial = PARTIAL_MAX;

  /** Returns the start of a text, as far as the budget goes. */
  cut(text: unknown): string | undefined {
    if (typeof text !== "string") return undefined;
    const plain = text.replaceAll(COLOUR, "");
    const most = Math.min(TEXT_MAX, this.#text);
    this.#text -= Math.min(plain.length, most);
    return plain.length <= most ? plain : `${plain.slice(0, most)}...`;
  }

  /** Returns the start of the bytes as Base64, as far as the budget goes. */
  base64(bytes: Uint8Array): string {
    const start = bytes.subarray(0, this.#partial);
    this.#partial -= start.length;
    return start.toBase64();
  }
}

/** Converts a thrown value to plain data of a bounded size. */
export function toFailure(error: unknown): Failure {
  return failureOf(error, new Budget());
}

function failureOf(error: unknown, budget: Budget): Failure {
  budget.errors--;
  try {
    if (error instanceof Error) return partsOf(error, budget);
    const thrown = typeof error === "string" ? error : inspect(error);
    return { thrown: budget.cut(thrown), name: "", message: "" };
  } catch {
    return { thrown: "a value that cannot be shown", name: "", message: "" };
  }
}

function partsOf(error: Error, budget: Budget): Failure {
  const { code, errno, syscall, address } = error as Partial<OSError>;
  const failure: Failure = {
    kind: errorKind(error),
    name: budget.cut(error.name) ?? "Error",
    message: budget.cut(error.message) ?? "",
    stack: mayRenderStack(error) ? budget.cut(error.stack) : undefined,
    code: budget.cut(code),
    errno: typeof errno === "number" ? errno : undefined,
    syscall: budget.cut(syscall),
    address: budget.cut(address),
  };
  addOwnParts(error, failure, budget);
  addInnerErrors(error, failure, budget);
  return failure;
}

/** Adds the properties that only the error's class has. */
function addOwnParts(error: Error, failure: Failure, budget: Budget): void {
  if (error instanceof IncompleteReadError) {
    failure.partial = budget.base64(error.partial);
    failure.expected = error.expected;
  } else if (error instanceof LimitOverrunError) {
    failure.consumed = error.consumed;
  } else if (error instanceof SSLError) {
    failure.reason = budget.cut(error.reason);
  }
  if (error instanceof SSLCertVerificationError) {
    failure.verifyCode = error.verifyCode;
    failure.verifyMessage = budget.cut(error.verifyMessage);
  }
}

/** Adds the inner errors and the cause to a failure, as far as the budget goes. */
function addInnerErrors(error: Error, failure: Failure, budget: Budget): void {
  const inner = innerOf(error);
  if (inner !== undefined) failure.errors = [];
  for (const each of inner ?? []) {
    if (budget.errors > 0) failure.errors!.push(failureOf(each, budget));
  }
  if (error.cause !== undefined && budget.errors > 0) {
    failure.cause = failureOf(error.cause, budget);
  }
}

function innerOf(error: Error): unknown[] | undefined {
  if (error instanceof AggregateError) return error.errors;
  if (error instanceof SuppressedError) return [error.error, error.suppressed];
}

/** Converts a failure back to an error of the nearest class that both sides know, with its own name. */
export function fromFailure(failure: Failure): unknown {
  if (failure.thrown !== undefined) return failure.thrown;
  const { name, message, kind, partial, cause, errors } = failure;
  const error = makeError(kind, {
    ...failure,
    partial: bytesOf(partial),
    errors: errors?.map(fromFailure),
    options: cause && { cause: fromFailure(cause) },
  });
  defineHidden(error, "stack", failure.stack ?? `${name}: ${message}`);
  if (error.name !== name) defineHidden(error, "name", name);
  for (const part of ["code", "errno", "syscall", "address"] as const) {
    if (failure[part] === undefined) continue;
    if ((error as Partial<OSError>)[part] !== failure[part]) {
      defineHidden(error, part, failure[part]);
    }
  }
  return error;
}

/** Decodes Base64. Returns no bytes for anything else, which a child process may send. */
function bytesOf(base64: string | undefined): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.fromBase64(base64 ?? "");
  } catch {
    return new Uint8Array(0);
  }
}

/** Returns a thrown value if it is an Error, or else an Error that shows it. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error
    ? thrown
    : new Error(`Uncaught value: ${thrown}`);
}
