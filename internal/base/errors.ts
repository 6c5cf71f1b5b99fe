/**
 * Python's `OSError` family, and the one place where Deno's errors become members of it.
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

/** What an {@linkcode OSError} knows besides its message. */
export interface OSErrorOptions {
  /** The name of the error, such as `"ECONNRESET"`. */
  code?: string;
  /** The system call, or the method, that failed. */
  syscall?: string;
  /** The address that was meant, as text. */
  address?: string;
  /** The error underneath, Deno's or Node's. */
  cause?: unknown;
}

/**
 * An error of the operating system. Its subclasses stand for groups of `errno`, as in
 * Python: catch {@linkcode ConnectionError} for every way in which a peer goes away.
 */
export class OSError extends Error {
  /** The number of the error on this system; `undefined` where there is none. */
  readonly errno: number | undefined;
  /** The name of the error, such as `"ECONNRESET"`. */
  readonly code: string | undefined;
  /** The system call, or the method, that failed. */
  readonly syscall: string | undefined;
  /** The address that was meant, as text. */
  readonly address: string | undefined;

  /**
   * Makes an error.
   *
   * @param message What failed and why.
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

/** The call would have to wait, and the socket is not to wait (EAGAIN, EALREADY, EINPROGRESS). */
export class BlockingIOError extends OSError {
  /** The name of the class. */
  declare readonly name: "BlockingIOError";
}

/** The call did not finish within the socket's timeout, or the system gave up (ETIMEDOUT). */
export class TimeoutError extends OSError {
  /** The name of the class. */
  declare readonly name: "TimeoutError";
}

/** The system, or Deno's permissions, refused (EACCES, EPERM). */
export class PermissionError extends OSError {
  /** The name of the class. */
  declare readonly name: "PermissionError";
}

/** A file or a Unix socket's path does not exist (ENOENT). */
export class FileNotFoundError extends OSError {
  /** The name of the class. */
  declare readonly name: "FileNotFoundError";
}

/** A path was to be made and exists (EEXIST). */
export class FileExistsError extends OSError {
  /** The name of the class. */
  declare readonly name: "FileExistsError";
}

/** A signal interrupted the call (EINTR). */
export class InterruptedError extends OSError {
  /** The name of the class. */
  declare readonly name: "InterruptedError";
}

/** The connection is at fault: base of the four that follow. */
export class ConnectionError extends OSError {
  /** The name of the class. */
  declare readonly name:
    | "ConnectionError"
    | "BrokenPipeError"
    | "ConnectionAbortedError"
    | "ConnectionRefusedError"
    | "ConnectionResetError";
}

/** Written to a connection whose other side is closed (EPIPE, ESHUTDOWN). */
export class BrokenPipeError extends ConnectionError {
  /** The name of the class. */
  declare readonly name: "BrokenPipeError";
}

/** The connection was given up on this side (ECONNABORTED). */
export class ConnectionAbortedError extends ConnectionError {
  /** The name of the class. */
  declare readonly name: "ConnectionAbortedError";
}

/** Nobody listens at the address (ECONNREFUSED). */
export class ConnectionRefusedError extends ConnectionError {
  /** The name of the class. */
  declare readonly name: "ConnectionRefusedError";
}

/** The peer reset the connection (ECONNRESET). */
export class ConnectionResetError extends ConnectionError {
  /** The name of the class. */
  declare readonly name: "ConnectionResetError";
}

/** A host or service name could not be resolved; Python's `socket.gaierror`. */
export class GaiError extends OSError {
  /** The name of the class. */
  declare readonly name: "GaiError";
  /** One of the `EAI_*` constants, as in Python. */
  override readonly errno: number;

  /**
   * Makes an error.
   *
   * @param message What could not be resolved and why.
   * @param eai One of the `EAI_*` constants.
   * @param options The parts of the message, for programs.
   */
  constructor(message: string, eai: number, options: OSErrorOptions = {}) {
    super(message, options);
    this.errno = eai;
  }
}

/** An address could not be turned into a name; Python's `socket.herror`. */
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

/** What was being done when an error came up, for its message. */
export interface Doing {
  /** The method, as in `Cannot {syscall} ...`. */
  syscall: string;
  /** The address that was meant, as text. */
  address?: string;
  /** The reason, where it says more than strerror(3). */
  reason?: string;
  /** The error underneath. */
  cause?: unknown;
}

/** The first part of a message: what cannot be done, and with which address. */
function begin({ syscall, address }: Doing): string {
  return address === undefined
    ? `Cannot ${syscall}`
    : `Cannot ${syscall} ${JSON.stringify(address)}`;
}

/** Makes the member of the family that stands for `code`. */
export function osError(code: ErrnoName, doing: Doing): OSError {
  const { syscall, address, reason } = doing;
  const message = `${begin(doing)}: ${reason ?? strerror(code)} (${code})`;
  const options: OSErrorOptions = { code, syscall, address };
  if (doing.cause !== undefined) options.cause = doing.cause;
  return new (CLASSES[code] ?? OSError)(message, options);
}

/** Deno's errors that have no `code`, by name; the meaning is that of Deno's `errors.rs`. */
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
 * Reports whether a failed read is the end of the stream: a TLS client that closes with no close_notify, as many do.
 * Python's `ssl` takes it so too (`suppress_ragged_eofs`).
 */
export function isRaggedEnd(error: unknown): boolean {
  return error instanceof Error && error.name === "UnexpectedEof" &&
    error.message.includes("close_notify");
}

/** Reads the error name out of whatever Deno or Node threw. */
function codeOf(error: Error & { code?: unknown }): ErrnoName | undefined {
  const interrupted = error.name === "Interrupted"; // that of a send has a code, EINTR
  if (isErrnoName(error.code) && !interrupted) return error.code;
  if (Object.hasOwn(BY_NAME, error.name)) return BY_NAME[error.name];
  const number = /\(os error (\d+)\)/.exec(error.message)?.[1];
  return number === undefined ? undefined : errnoName(Number(number));
}

/**
 * Turns an error of Deno or Node into one of the family, with the original as `cause`.
 * What is no error of the system comes back as it is.
 */
export function translate(error: unknown, doing: Doing): unknown {
  if (!(error instanceof Error) || error instanceof OSError) return error;
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
