/**
 * Errors on their way between threads and between processes.
 *
 * @module
 */

import {
  IncompleteReadError,
  LimitOverrunError,
} from "../files/read_errors.ts";
import type { OSError } from "../base/errors.ts";
import { inspect } from "../runtime/deno.ts";
import { mayRenderStack } from "../runtime/scarce.ts";
import { define, kindOf, makeError } from "./error_classes.ts";

/** An error as plain data, for JSON or a structured clone. */
export interface Failure {
  /** What was thrown if it is no error: a string, or any other value as text. */
  thrown?: string;
  /** The nearest class that both sides know; left out for `Error`. */
  kind?: string;
  name: string;
  message: string;
  stack?: string;
  code?: string;
  errno?: number;
  syscall?: string;
  address?: string;
  /** The bytes of an `IncompleteReadError`, as Base64. */
  partial?: string;
  /** How many bytes an `IncompleteReadError` asked for. */
  expected?: number;
  /** The count of a `LimitOverrunError`. */
  consumed?: number;
  cause?: Failure;
  /** The errors of an `AggregateError`; the error and the suppressed one of a `SuppressedError`. */
  errors?: Failure[];
}

/** How many errors are told in one, itself included; arbitrary, more than any real chain of causes. */
const ERRORS_MAX = 16;

/** The longest text that is told; arbitrary. */
const TEXT_MAX = 4096;

/** How long all texts may be together: as JSON, with an escape for each character, 144,000 bytes. */
const TEXTS_MAX = 24_000;

/**
 * How many bytes of partial data are told: as many as `readuntil` collects by default. As Base64 they are 87,384, so
 * that all together fits into one frame of a worker, which takes 262,136.
 */
const PARTIAL_MAX = 65_536;

/** Colours, which Deno puts into the message of a failed import. */
// deno-lint-ignore no-control-regex
const COLOUR = /\x1b\[[\d;]*m/g;

/** How much may still be told. */
class Budget {
  errors = ERRORS_MAX;
  #text = TEXTS_MAX;
  #partial = PARTIAL_MAX;

  /** Returns a text, or the start of it. */
  cut(text: unknown): string | undefined {
    if (typeof text !== "string") return undefined;
    const plain = text.replaceAll(COLOUR, "");
    const most = Math.min(TEXT_MAX, this.#text);
    this.#text -= Math.min(plain.length, most);
    return plain.length <= most ? plain : `${plain.slice(0, most)}...`;
  }

  /** Returns bytes as Base64, or the start of them. */
  base64(bytes: Uint8Array): string {
    const told = bytes.subarray(0, this.#partial);
    this.#partial -= told.length;
    return told.toBase64();
  }
}

/** Makes plain data, of a bounded size, of whatever was thrown. */
export function toFailure(error: unknown): Failure {
  return told(error, new Budget());
}

function told(error: unknown, budget: Budget): Failure {
  budget.errors--;
  try {
    if (error instanceof Error) return facts(error, budget);
    const thrown = typeof error === "string" ? error : inspect(error);
    return { thrown: budget.cut(thrown), name: "", message: "" };
  } catch {
    return { thrown: "a value that cannot be shown", name: "", message: "" };
  }
}

function facts(error: Error, budget: Budget): Failure {
  const { code, errno, syscall, address } = error as Partial<OSError>;
  const failure: Failure = {
    kind: kindOf(error),
    name: budget.cut(error.name) ?? "Error",
    message: budget.cut(error.message) ?? "",
    stack: mayRenderStack(error) ? budget.cut(error.stack) : undefined,
    code: budget.cut(code),
    errno: typeof errno === "number" ? errno : undefined,
    syscall: budget.cut(syscall),
    address: budget.cut(address),
  };
  if (error instanceof IncompleteReadError) {
    failure.partial = budget.base64(error.partial);
    failure.expected = error.expected;
  } else if (error instanceof LimitOverrunError) {
    failure.consumed = error.consumed;
  }
  tellInner(error, failure, budget);
  return failure;
}

/** Tells of the errors behind an error, as far as the budget goes. */
function tellInner(error: Error, failure: Failure, budget: Budget): void {
  const inner = innerOf(error);
  if (inner !== undefined) failure.errors = [];
  for (const each of inner ?? []) {
    if (budget.errors > 0) failure.errors!.push(told(each, budget));
  }
  if (error.cause !== undefined && budget.errors > 0) {
    failure.cause = told(error.cause, budget);
  }
}

function innerOf(error: Error): unknown[] | undefined {
  if (error instanceof AggregateError) return error.errors;
  if (error instanceof SuppressedError) return [error.error, error.suppressed];
}

/** Makes an error again: of the nearest class that both sides know, under its own name. */
export function fromFailure(failure: Failure): unknown {
  if (failure.thrown !== undefined) return failure.thrown;
  const { name, message, kind, partial, cause, errors } = failure;
  const error = makeError(kind, {
    ...failure,
    partial: bytesOf(partial),
    errors: errors?.map(fromFailure),
    options: cause && { cause: fromFailure(cause) },
  });
  define(error, "stack", failure.stack ?? `${name}: ${message}`);
  if (error.name !== name) define(error, "name", name);
  for (const part of ["code", "errno", "syscall", "address"] as const) {
    if (failure[part] === undefined) continue;
    if ((error as Partial<OSError>)[part] !== failure[part]) {
      define(error, part, failure[part]);
    }
  }
  return error;
}

/** Returns the bytes in Base64; what a child process sends may be anything. */
function bytesOf(base64: string | undefined): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.fromBase64(base64 ?? "");
  } catch {
    return new Uint8Array(0);
  }
}
