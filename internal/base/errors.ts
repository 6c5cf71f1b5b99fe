/**
 * Python's `OSError` family.
 *
 * @module
 */

import { errnoOf, isErrnoName } from "./errno.ts";

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
 * Thrown if a call on a socket with timeout 0 would have to wait (EAGAIN, EALREADY, EINPROGRESS).
 *
 * @category Errors
 */
export class BlockingIOError extends OSError {
  /** The name of the class. */
  declare readonly name: "BlockingIOError";
}

/**
 * Thrown if a call did not finish within the socket's timeout, or the system gave up (ETIMEDOUT).
 *
 * @category Errors
 */
export class TimeoutError extends OSError {
  /** The name of the class. */
  declare readonly name: "TimeoutError";
}

/**
 * Thrown if the system, or Deno's permissions, refuse a call (EACCES, EPERM).
 *
 * @category Errors
 */
export class PermissionError extends OSError {
  /** The name of the class. */
  declare readonly name: "PermissionError";
}

/**
 * Thrown if a file, or the path of a Unix socket, does not exist (ENOENT).
 *
 * @category Errors
 */
export class FileNotFoundError extends OSError {
  /** The name of the class. */
  declare readonly name: "FileNotFoundError";
}

/**
 * Thrown if a path exists already (EEXIST).
 *
 * @category Errors
 */
export class FileExistsError extends OSError {
  /** The name of the class. */
  declare readonly name: "FileExistsError";
}

/**
 * Thrown if a signal has interrupted a call (EINTR).
 *
 * @category Errors
 */
export class InterruptedError extends OSError {
  /** The name of the class. */
  declare readonly name: "InterruptedError";
}

/**
 * The errors of a connection that fails: the base class of {@linkcode BrokenPipeError},
 * {@linkcode ConnectionAbortedError}, {@linkcode ConnectionRefusedError} and {@linkcode ConnectionResetError}.
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
 * Thrown by a write to a connection that the peer has closed, or that was shut down for writing (EPIPE, ESHUTDOWN).
 *
 * @category Errors
 */
export class BrokenPipeError extends ConnectionError {
  /** The name of the class. */
  declare readonly name: "BrokenPipeError";
}

/**
 * Thrown if this side has given up the connection (ECONNABORTED).
 *
 * @category Errors
 */
export class ConnectionAbortedError extends ConnectionError {
  /** The name of the class. */
  declare readonly name: "ConnectionAbortedError";
}

/**
 * Thrown if no socket listens at the address (ECONNREFUSED).
 *
 * @category Errors
 */
export class ConnectionRefusedError extends ConnectionError {
  /** The name of the class. */
  declare readonly name: "ConnectionRefusedError";
}

/**
 * Thrown if the peer has reset the connection (ECONNRESET).
 *
 * @category Errors
 */
export class ConnectionResetError extends ConnectionError {
  /** The name of the class. */
  declare readonly name: "ConnectionResetError";
}

/**
 * Thrown if the name of a host or service cannot be resolved; Python's `socket.gaierror`.
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
 * Python's `socket.herror`, for ported programs that catch it. No function of this module throws it.
 *
 * @category Errors
 */
export class HError extends OSError {
  /** The name of the class. */
  declare readonly name: "HError";
}
