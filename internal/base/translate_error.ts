/**
 * The one place that makes errors of the `OSError` family: by their code, or from an error of Deno or Node.
 *
 * @module
 */

import { type ErrnoName, errnoName, isErrnoName, strerror } from "./errno.ts";
import {
  BlockingIOError,
  BrokenPipeError,
  ConnectionAbortedError,
  ConnectionRefusedError,
  ConnectionResetError,
  FileExistsError,
  FileNotFoundError,
  InterruptedError,
  OSError,
  type OSErrorOptions,
  PermissionError,
  TimeoutError,
} from "./errors.ts";

/** errno groups to classes; source: PEP 3151. */
const CLASSES: Partial<Record<ErrnoName, typeof OSError>> = {
  EAGAIN: BlockingIOError,
  EALREADY: BlockingIOError,
  EINPROGRESS: BlockingIOError,
  ETIMEDOUT: TimeoutError,
  EACCES: PermissionError,
  EPERM: PermissionError,
  ENOENT: FileNotFoundError,
  EEXIST: FileExistsError,
  EINTR: InterruptedError,
  EPIPE: BrokenPipeError,
  ESHUTDOWN: BrokenPipeError,
  ECONNABORTED: ConnectionAbortedError,
  ECONNREFUSED: ConnectionRefusedError,
  ECONNRESET: ConnectionResetError,
};

/** The call that failed, for the message of its error. */
export interface Doing {
  /** The method, as in `Cannot {syscall} ...`. */
  syscall: string;
  /** The address of the call, as text. */
  address?: string;
  /** The reason, if it says more than strerror(3). */
  reason?: string;
  /** The error behind this one. */
  cause?: unknown;
}

/** Returns the first part of a message: the call and its address. */
function begin({ syscall, address }: Doing): string {
  return address === undefined
    ? `Cannot ${syscall}`
    : `Cannot ${syscall} ${JSON.stringify(address)}`;
}

/** Creates an error of the class that stands for `code`. */
export function osError(code: ErrnoName, doing: Doing): OSError {
  const { syscall, address, reason } = doing;
  const message = `${begin(doing)}: ${reason ?? strerror(code)} (${code})`;
  const options: OSErrorOptions = { code, syscall, address };
  if (doing.cause !== undefined) options.cause = doing.cause;
  return new (CLASSES[code] ?? OSError)(message, options);
}

/** Deno's errors without a `code`, by name. Source: Deno's `errors.rs`. */
const BY_NAME: Record<string, ErrnoName> = {
  AddrInUse: "EADDRINUSE",
  AddrNotAvailable: "EADDRNOTAVAIL",
  AlreadyExists: "EEXIST",
  BadResource: "EBADF",
  BrokenPipe: "EPIPE",
  Busy: "EBUSY",
  ConnectionAborted: "ECONNABORTED",
  ConnectionRefused: "ECONNREFUSED",
  ConnectionReset: "ECONNRESET",
  InvalidData: "EPROTO", // a TLS handshake that fails
  Interrupted: "EBADF", // a close during the call; a signal never surfaces
  NetworkUnreachable: "ENETUNREACH",
  NotCapable: "EACCES",
  NotConnected: "ENOTCONN",
  NotFound: "ENOENT",
  PermissionDenied: "EACCES",
  TimedOut: "ETIMEDOUT",
  UnexpectedEof: "ECONNRESET", // a client that leaves in the middle of a TLS handshake
  WouldBlock: "EAGAIN",
};

/**
 * Reports whether a failed read is the end of the stream: many TLS clients close without a close_notify. Python's `ssl`
 * takes it as the end too (`suppress_ragged_eofs`).
 */
export function isRaggedEnd(error: unknown): boolean {
  return error instanceof Error && error.name === "UnexpectedEof" &&
    error.message.includes("close_notify");
}

/** Returns the error name of an error of Deno or Node. */
function codeOf(error: Error & { code?: unknown }): ErrnoName | undefined {
  const interrupted = error.name === "Interrupted"; // that of a send has a code, EINTR
  if (isErrnoName(error.code) && !interrupted) return error.code;
  if (Object.hasOwn(BY_NAME, error.name)) return BY_NAME[error.name];
  const number = /\(os error (\d+)\)/.exec(error.message)?.[1];
  return number === undefined ? undefined : errnoName(Number(number));
}

/** The reasons of aborts. */
const reasons = new WeakSet<object>();

/** Marks the reason of an abort. The error is the program's: the call throws it unchanged. */
export function asReason(reason: unknown): unknown {
  if (reason instanceof Error) reasons.add(reason);
  return reason;
}

/** Reports whether an error is the reason of an abort. */
export function isReason(error: Error): boolean {
  return reasons.has(error);
}

/**
 * Turns an error of Deno or Node into an `OSError`, with the original as `cause`. Returns any other value as it is.
 */
export function translate(error: unknown, doing: Doing): unknown {
  if (!(error instanceof Error) || error instanceof OSError) return error;
  if (isReason(error)) return error;
  const code = codeOf(error);
  const cause = error;
  if (code !== undefined) {
    const reason = error.name === "NotCapable" ? error.message : doing.reason;
    return osError(code, { ...doing, reason, cause });
  }
  if (error instanceof TypeError || error instanceof RangeError) return error;
  const { syscall, address } = doing;
  return new OSError(`${begin(doing)}: ${error.message}`, {
    syscall,
    address,
    cause,
  });
}

/** Reports whether an error is of the family, or one of a wrong argument, and not the program's own. */
function isOwn(error: unknown): error is Error {
  return (error instanceof OSError || error instanceof TypeError ||
    error instanceof RangeError) && !isReason(error);
}

/**
 * Returns an error whose stack begins with the caller of `method`, which must be running. The text of the stack is
 * made when somebody reads it: without a free descriptor, that makes Deno (2.9.6) panic.
 */
// deno-lint-ignore no-explicit-any
export function atCaller<E>(error: E, method: (...args: any[]) => unknown): E {
  if (isOwn(error)) Error.captureStackTrace(error, method);
  return error;
}

/** Has the errors that methods throw begin with their callers. */
export function throwAtCaller<T extends object>(
  prototype: T,
  names: readonly (keyof T & string)[],
): void {
  for (const name of names) {
    const method = prototype[name] as (...args: unknown[]) => unknown;
    const { [name]: outer } = {
      [name](this: T, ...args: unknown[]): unknown {
        try {
          return method.apply(this, args);
        } catch (error) {
          throw atCaller(error, outer);
        }
      },
    };
    Object.defineProperty(outer, "length", { value: method.length });
    prototype[name] = outer as T[typeof name];
  }
}
