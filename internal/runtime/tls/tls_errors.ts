/**
 * The errors of `node:tls`, in the words of Python's `ssl`.
 *
 * @module
 */

import {
  SSLCertVerificationError,
  SSLEOFError,
  SSLError,
} from "../../base/ssl_errors.ts";

/** The numbers and words of X509_V_ERR, by the names that Node gives them. Source: OpenSSL 3.0, x509_vfy.h. */
const VERIFY: Record<string, [code: number, message: string]> = {
  UNABLE_TO_GET_ISSUER_CERT: [2, "unable to get issuer certificate"],
  CERT_NOT_YET_VALID: [9, "certificate is not yet valid"],
  CERT_HAS_EXPIRED: [10, "certificate has expired"],
  DEPTH_ZERO_SELF_SIGNED_CERT: [18, "self-signed certificate"],
  SELF_SIGNED_CERT_IN_CHAIN: [
    19,
    "self-signed certificate in certificate chain",
  ],
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: [
    20,
    "unable to get local issuer certificate",
  ],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: [
    21,
    "unable to verify the first certificate",
  ],
  CERT_REVOKED: [23, "certificate revoked"],
  INVALID_PURPOSE: [26, "unsuitable certificate purpose"],
  HOSTNAME_MISMATCH: [62, "hostname mismatch"],
  IP_ADDRESS_MISMATCH: [64, "IP address mismatch"],
};

/**
 * The reasons of handshake failures by the messages of rustls, which Deno (2.9.6) passes on. A client without the
 * signature algorithms is older than TLS 1.2.
 */
const BY_MESSAGE: [pattern: RegExp, reason: string][] = [
  [/NoCipherSuitesInCommon|NoKxGroupsInCommon/, "NO_SHARED_CIPHER"],
  [
    /SignatureAlgorithmsExtensionRequired|SupportedVersionsExtensionRequired|Tls12NotOffered|ServerDoesNotSupportTls12Or13|ServerTlsVersionIsDisabled/,
    "UNSUPPORTED_PROTOCOL",
  ],
  [/NoSignatureSchemesInCommon/, "NO_SHARED_SIGNATURE_ALGORITHMS"],
  [/decrypt/i, "DECRYPTION_FAILED_OR_BAD_RECORD_MAC"],
];

/** The call that failed, and the error of Node. */
export interface TlsCall {
  /** The method. */
  syscall: string;
  /** The error of Node. */
  cause?: unknown;
}

/** Returns the error for a reason as OpenSSL names it. */
export function sslError(
  reason: string,
  text: string,
  { syscall, ...rest }: TlsCall,
): SSLError {
  const message = `Cannot ${syscall}: ${reason}: ${text} (EPROTO)`;
  return new SSLError(message, { reason, syscall, ...rest });
}

/** Returns the error of a connection that ended in the middle of TLS. */
export function eofError(text: string, call: TlsCall): SSLEOFError {
  const { syscall } = call;
  return new SSLEOFError(`Cannot ${syscall}: ${text} (ECONNRESET)`, call);
}

/** Returns the error of a certificate, by Node's name of the failure. */
export function verifyError(
  name: string,
  { syscall, ...rest }: TlsCall,
  text: string = VERIFY[name]?.[1] ?? name,
): SSLCertVerificationError {
  const message =
    `Cannot ${syscall}: CERTIFICATE_VERIFY_FAILED: ${text} (EPROTO)`;
  const verifyCode = VERIFY[name]?.[0] ?? 1;
  return new SSLCertVerificationError(message, {
    syscall,
    verifyCode,
    verifyMessage: text,
    ...rest,
  });
}

/** Translates an error of `node:tls` in a handshake. */
export function handshakeError(error: unknown): unknown {
  const syscall = "doHandshake";
  const { code } = Object(error) as { code?: unknown };
  if (code !== "ECONNRESET" || error instanceof SSLError) {
    return tlsError(error, syscall);
  }
  const text = "the peer closed the connection in the handshake";
  return eofError(text, { syscall, cause: error });
}

/** Translates an error of `node:tls`. */
export function tlsError(error: unknown, syscall: string): unknown {
  if (!(error instanceof Error) || error instanceof SSLError) return error;
  const { code, message } = error as Error & { code?: string };
  const call = { syscall, cause: error };
  if (code !== undefined && Object.hasOwn(VERIFY, code)) {
    return verifyError(code, call);
  }
  if (!code?.startsWith("ERR_SSL_")) return error;
  const found = BY_MESSAGE.find(([pattern]) => pattern.test(message));
  return sslError(found?.[1] ?? code.slice(8), message, call);
}
