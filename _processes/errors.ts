/**
 * Errors on their way from one process to another.
 *
 * @module
 */

import * as family from "../_socket/errors.ts";

/** An error as a plain object. */
export interface PackedError {
  /** `"error"`, or `"value"` for what is no error but was thrown. */
  kind: "error" | "value";
  name: string;
  message: string;
  stack?: string;
  code?: string;
  syscall?: string;
  address?: string;
  errno?: number;
  cause?: PackedError;
  /** The errors in an AggregateError; the two in a SuppressedError. */
  errors?: PackedError[];
}

/** How deep causes are followed; arbitrary, more than any real chain. */
const DEPTH_MAX = 8;

/** Makes a plain object of whatever was thrown. */
export function packError(error: unknown, depth = 0): PackedError {
  if (!(error instanceof Error)) {
    const message = typeof error === "string" ? error : Deno.inspect(error);
    return { kind: "value", name: "", message };
  }
  const packed: PackedError = {
    kind: "error",
    name: String(error.name),
    message: plain(String(error.message)),
    stack: error.stack === undefined ? undefined : plain(String(error.stack)),
  };
  const { code, syscall, address, errno } = error as family.OSError;
  Object.assign(packed, texts({ code, syscall, address }));
  if (typeof errno === "number") packed.errno = errno;
  if (depth < DEPTH_MAX) addInner(packed, error, depth + 1);
  return packed;
}

function texts(parts: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(parts).filter((part): part is [string, string] =>
      typeof part[1] === "string"
    ),
  );
}

function addInner(packed: PackedError, error: Error, depth: number): void {
  if (error.cause !== undefined) packed.cause = packError(error.cause, depth);
  if (error instanceof AggregateError) {
    packed.errors = error.errors.map((inner) => packError(inner, depth));
  } else if (error instanceof SuppressedError) {
    packed.errors = [error.error, error.suppressed].map((inner) =>
      packError(inner, depth)
    );
  }
}

/** Without the colours that Deno puts into the message of a failed import. */
function plain(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replaceAll(/\x1b\[[\d;]*m/g, "");
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

/** Makes the error again, of its class where that is one of `OSError`'s family or of the language. */
export function restoreError(packed: PackedError): unknown {
  if (packed.kind === "value") return packed.message;
  const error = instance(packed);
  define(error, "stack", packed.stack ?? `${packed.name}: ${packed.message}`);
  if (error.name !== packed.name) define(error, "name", packed.name);
  if (packed.code !== undefined && !("code" in error)) {
    define(error, "code", packed.code);
  }
  return error;
}

function instance(packed: PackedError): Error {
  const { name, message, code, syscall, address } = packed;
  const inner = (packed.errors ?? []).map(restoreError);
  if (name === "AggregateError") return new AggregateError(inner, message);
  if (name === "SuppressedError") {
    return new SuppressedError(inner[0], inner[1], message);
  }
  const options = packed.cause === undefined
    ? {}
    : { cause: restoreError(packed.cause) };
  const os = { ...options, code, syscall, address };
  if (name === "GaiError") {
    return new family.GaiError(message, packed.errno ?? 0, os);
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

/** A child process ended, or was ended, while it had a request. */
export class ChildProcessError extends Error {
  override readonly name = "ChildProcessError";
}
