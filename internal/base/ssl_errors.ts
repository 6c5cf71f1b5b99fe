/**
 * The errors of Python's `ssl`.
 *
 * @module
 */

import { OSError, type OSErrorOptions } from "./errors.ts";

/**
 * The parts of an {@linkcode SSLError} besides its message.
 *
 * @category Errors
 */
export interface SSLErrorOptions extends OSErrorOptions {
  /** The reason as OpenSSL names it, such as `"WRONG_VERSION_NUMBER"`. */
  reason?: string;
}

/**
 * An error of TLS: a failed handshake, or a record that cannot be read. Its `code` is EPROTO, unless a subclass has
 * another.
 *
 * @category Errors
 */
export class SSLError extends OSError {
  /** The name of the class. */
  declare readonly name: string;
  /** The reason as OpenSSL names it, such as `"WRONG_VERSION_NUMBER"`. */
  readonly reason: string;
  /** The library, as in Python. */
  readonly library: string = "SSL";

  /**
   * Creates an error.
   *
   * @param message The failure and the reason.
   * @param options The parts of the message, for programs.
   */
  constructor(message: string, options: SSLErrorOptions = {}) {
    super(message, { code: "EPROTO", ...options });
    this.reason = options.reason ?? "";
  }
}

/**
 * The parts of an {@linkcode SSLCertVerificationError} besides its message.
 *
 * @category Errors
 */
export interface SSLCertVerificationErrorOptions extends SSLErrorOptions {
  /** The number of the failure, as in OpenSSL. */
  verifyCode?: number;
  /** The failure in words. */
  verifyMessage?: string;
}

/**
 * Thrown if the certificate of the peer is not accepted: its issuer is unknown, it has expired, or it is for another
 * host.
 *
 * @category Errors
 */
export class SSLCertVerificationError extends SSLError {
  /** The name of the class. */
  declare readonly name: "SSLCertVerificationError";
  /** The number of the failure, as in OpenSSL: 10 for a certificate that has expired. */
  readonly verifyCode: number;
  /** The failure in words, such as `"certificate has expired"`. */
  readonly verifyMessage: string;

  /**
   * Creates an error.
   *
   * @param message The failure and the reason.
   * @param options The parts of the message, for programs.
   */
  constructor(message: string, options: SSLCertVerificationErrorOptions = {}) {
    super(message, { reason: "CERTIFICATE_VERIFY_FAILED", ...options });
    this.verifyCode = options.verifyCode ?? 1;
    this.verifyMessage = options.verifyMessage ?? "";
  }
}

/**
 * Thrown if the peer closes the connection in the middle of the handshake, or without the close_notify of TLS. Its
 * `code` is ECONNRESET.
 *
 * @category Errors
 */
export class SSLEOFError extends SSLError {
  /** The name of the class. */
  declare readonly name: "SSLEOFError";

  /**
   * Creates an error.
   *
   * @param message The failure and the reason.
   * @param options The parts of the message, for programs.
   */
  constructor(message: string, options: SSLErrorOptions = {}) {
    const reason = "UNEXPECTED_EOF_WHILE_READING";
    super(message, { code: "ECONNRESET", reason, ...options });
  }
}

/**
 * Thrown by a call on a socket whose TLS session one side has ended.
 *
 * @category Errors
 */
export class SSLZeroReturnError extends SSLError {
  /** The name of the class. */
  declare readonly name: "SSLZeroReturnError";
}

/**
 * Thrown if a handshake on a socket with timeout 0 has to wait for the peer. Its `code` is EAGAIN. Wait with `select`
 * until the socket is readable, and call again.
 *
 * @category Errors
 */
export class SSLWantReadError extends SSLError {
  /** The name of the class. */
  declare readonly name: "SSLWantReadError";

  /**
   * Creates an error.
   *
   * @param message The failure and the reason.
   * @param options The parts of the message, for programs.
   */
  constructor(message: string, options: SSLErrorOptions = {}) {
    super(message, { code: "EAGAIN", reason: "WANT_READ", ...options });
  }
}
