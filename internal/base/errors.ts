/**
 * Python's `OSError` family, and the one place that translates Deno's errors into it.
 *
 * @module
 */

import {
  type ErrnoName,
  errnoName,
  errnoOf,
  isErrnoName,
  strerror,
} from "./errno.ts";

/**
 * The parts of an {@linkcode OSError} besides its message.
 *
 * @category Errors
 */
export interface OSErrorOptions {
  /** The name of the error, such as `"ECONNRESET"`. */
  code?: string;
  /** The system call, or the method, that failed. */
  syscall?: string;
  /** The address of the call, as text. */
  address?: string;
  /** The error of Deno or Node behind this one. */
  cause?: unknown;
}

/**
 * An error of the operating system. Its subclasses stand for groups of `errno`, as in Python: to catch every way in
 * which a peer goes away, catch {@linkcode ConnectionError}.
 *
 * @category Errors
 * @example
 * ```ts
 * import { ok, strictEqual } from "node:assert/strict";
 * import { createConnection, createServer, OSError } from "@socketserver/socketserver";
 *
 * const listener = createServer(["127.0.0.1", 0]);
 * const address = listener.getsockname();
 * listener.close(); // nobody listens there any more
 * await listener.waitClosed();
 *
 * const error = await createConnection(address).catch((error) => error);
 * ok(error instanceof OSError);
 * strictEqual(error.name, "ConnectionRefusedError");
 * strictEqual(error.code, "ECONNREFUSED");
 * ```
 */
export class OSError extends Error {
  /** The number of the error on this system; `undefined` if it has none. */
  readonly errno: number | undefined;
  /** The name of the error, such as `"ECONNRESET"`. */
  readonly code: string | undefined;
  /** The system call, or the method, that failed. */
  readonly syscall: string | undefined;
  /** The address of the call, as text. */
  readonly address: string | undefined;

  /**
   * Creates an error.
   *
   * @param message The failure and the reason.
   * @param options The parts of the message, for programs.
   */
  constructor(message: string, options: OSErrorOptions = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.name = new.target.name;
    this.code = options.code;
    this.errno = isErrnoName(options.code) ? errnoOf(options.code) : undefined;
    this.syscall = options.syscall;
    this.address = options.address;
  }
}

/**
 * A call on a socket with timeout 0 would have to wait (EAGAIN, EALREADY, EINPROGRESS).
 *
 * @category Errors
 */
export class BlockingIOError extends OSError {
  /** The name of the class. */
  declare readonly name: "BlockingIOError";
}

/**
 * A call did not finish within the socket's timeout, or the system gave up (ETIMEDOUT).
 *
 * @category Errors
 */
export class TimeoutError extends OSError {
  /** The name of the class. */
  declare readonly name: "TimeoutError";
}

/**
 * The system or Deno's permissions refused a call (EACCES, EPERM).
 *
 * @category Errors
 */
export class PermissionError extends OSError {
  /** The name of the class. */
  declare readonly name: "PermissionError";
}

/**
 * A file or a Unix socket's path does not exist (ENOENT).
 *
 * @category Errors
 */
export class FileNotFoundError extends OSError {
  /** The name of the class. */
  declare readonly name: "FileNotFoundError";
}

/**
 * A path exists already (EEXIST).
 *
 * @category Errors
 */
export class FileExistsError extends OSError {
  /** The name of the class. */
  declare readonly name: "FileExistsError";
}

/**
 * A signal interrupted a call (EINTR).
 *
 * @category Errors
 */
export class InterruptedError extends OSError {
  /** The name of the class. */
  declare readonly name: "InterruptedError";
}

/**
 * A failed connection: the base class of {@linkcode BrokenPipeError}, {@linkcode ConnectionAbortedError},
 * {@linkcode ConnectionRefusedError} and {@linkcode ConnectionResetError}.
 *
 * @category Errors
 */
export class ConnectionError extends OSError {
  /** The name of the class. */
  declare readonly name:
    | "ConnectionError"
    | "BrokenPipeError"
    | "ConnectionAbortedError"
    | "ConnectionRefusedError"
    | "ConnectionResetError";
}

/**
 * A write to a connection whose other side is closed, or that was shut down for writing (EPIPE, ESHUTDOWN).
 *
 * @category Errors
 */
export class BrokenPipeError extends ConnectionError {
  /** The name of the class. */
  declare readonly name: "BrokenPipeError";
}

/**
 * This side gave the connection up (ECONNABORTED).
 *
 * @category Errors
 */
export class ConnectionAbortedError extends ConnectionError {
  /** The name of the class. */
  declare readonly name: "ConnectionAbortedError";
}

/**
 * No socket listens at the address (ECONNREFUSED).
 *
 * @category Errors
 */
export class ConnectionRefusedError extends ConnectionError {
  /** The name of the class. */
  declare readonly name: "ConnectionRefusedError";
}

/**
 * The peer reset the connection (ECONNRESET).
 *
 * @category Errors
 */
export class ConnectionResetError extends ConnectionError {
  /** The name of the class. */
  declare readonly name: "ConnectionResetError";
}

/**
 * A host or service name could not be resolved; Python's `socket.gaierror`.
 *
 * @category Errors
 */
export class GaiError extends OSError {
  /** The name of the class. */
  declare readonly name: "GaiError";
  /** One of the `EAI_*` constants, as in Python. */
  override readonly errno: number;

  /**
   * Creates an error.
   *
   * @param message The name that could not be resolved, and the reason.
   * @param eai One of the `EAI_*` constants.
   * @param options The parts of the message, for programs.
   */
  constructor(message: string, eai: number, options: OSErrorOptions = {}) {
    super(message, options);
    this.errno = eai;
  }
}

/**
 * An address could not be turned into a name; Python's `socket.herror`.
 *
 * @category Errors
 */
export class HError extends OSError {
  /** The name of the class. */
  declare readonly name: "HError";
}

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
