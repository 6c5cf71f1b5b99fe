/**
 * Errors on their way between threads and between processes.
 *
 * @module
 */

import * as family from "../_socket/errors.ts";

/** An error as plain data, for JSON or a structured clone. */
export interface Failure {
  /** What was thrown where it is no error: a string, or any other value as text. */
  thrown?: string;
  name: string;
  message: string;
  stack?: string;
  code?: string;
  errno?: number;
  syscall?: string;
  address?: string;
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

/** Colours, which Deno puts into the message of a failed import. */
// deno-lint-ignore no-control-regex
const COLOUR = /\x1b\[[\d;]*m/g;

/** How much may still be told. */
class Budget {
  errors = ERRORS_MAX;
  #text = TEXTS_MAX;

  /** A text, or the start of it. */
  cut(text: unknown): string | undefined {
    if (typeof text !== "string") return undefined;
    const plain = text.replaceAll(COLOUR, "");
    const most = Math.min(TEXT_MAX, this.#text);
    this.#text -= Math.min(plain.length, most);
    return plain.length <= most ? plain : `${plain.slice(0, most)}...`;
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
    const thrown = typeof error === "string" ? error : Deno.inspect(error);
    return { thrown: budget.cut(thrown), name: "", message: "" };
  } catch {
    return { thrown: "a value that cannot be shown", name: "", message: "" };
  }
}

function facts(error: Error, budget: Budget): Failure {
  const { code, errno, syscall, address } = error as Partial<family.OSError>;
  const failure: Failure = {
    name: budget.cut(error.name) ?? "Error",
    message: budget.cut(error.message) ?? "",
    stack: budget.cut(error.stack),
    code: budget.cut(code),
    errno: typeof errno === "number" ? errno : undefined,
    syscall: budget.cut(syscall),
    address: budget.cut(address),
  };
  const inner = innerOf(error);
  if (inner.length > 0) failure.errors = [];
  for (const each of inner) {
    if (budget.errors > 0) failure.errors!.push(told(each, budget));
  }
  if (error.cause !== undefined && budget.errors > 0) {
    failure.cause = told(error.cause, budget);
  }
  return failure;
}

function innerOf(error: Error): unknown[] {
  if (error instanceof AggregateError) return error.errors;
  if (error instanceof SuppressedError) return [error.error, error.suppressed];
  return [];
}

type OSErrorClass = typeof family.OSError;
type ErrorClass = new (message: string, options?: ErrorOptions) => Error;

const OS_ERRORS: Record<string, OSErrorClass> = Object.fromEntries(
  Object.entries(family).filter(([name, value]) =>
    name !== "GaiError" && typeof value === "function" &&
    (value === family.OSError || value.prototype instanceof family.OSError)
  ),
) as unknown as Record<string, OSErrorClass>;

const BUILT_IN: Record<string, ErrorClass> = {
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
};

/** Makes it again: of its class, where that is one of this package's or of the language. */
export function fromFailure(failure: Failure): unknown {
  if (failure.thrown !== undefined) return failure.thrown;
  const error = instance(failure);
  define(
    error,
    "stack",
    failure.stack ?? `${failure.name}: ${failure.message}`,
  );
  if (error.name !== failure.name) define(error, "name", failure.name);
  if (failure.code !== undefined && !("code" in error)) {
    define(error, "code", failure.code);
  }
  return error;
}

function instance(failure: Failure): Error {
  const { name, message, code, syscall, address } = failure;
  const options = failure.cause && { cause: fromFailure(failure.cause) };
  const inner = failure.errors?.map(fromFailure);
  if (inner !== undefined) {
    return name === "SuppressedError"
      ? new SuppressedError(inner[0], inner[1], message)
      : new AggregateError(inner, message, options);
  }
  const os = { ...options, code, syscall, address };
  if (name === "GaiError") {
    return new family.GaiError(message, failure.errno ?? 0, os);
  }
  if (Object.hasOwn(OS_ERRORS, name)) return new OS_ERRORS[name](message, os);
  const Class = Object.hasOwn(BUILT_IN, name) ? BUILT_IN[name] : Error;
  return new Class(message, options);
}

function define(error: Error, name: string, value: string): void {
  Object.defineProperty(error, name, {
    value,
    configurable: true,
    writable: true,
  });
}
