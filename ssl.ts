/**
 * Python's `ssl` module for the sockets of this package: an {@linkcode SSLContext} holds the certificate and the
 * settings, and its `wrapSocket` turns a connected socket, on either side and also in the middle of a stream, into an
 * {@linkcode SSLSocket}.
 *
 * @example Ask a server over TLS
 * ```ts
 * import { createConnection } from "@socketserver/socketserver";
 * import { createDefaultContext } from "@socketserver/socketserver/ssl";
 *
 * async function greeting(host: string, port: number) {
 *   const context = createDefaultContext();
 *   const plain = await createConnection([host, port], { timeout: 10 });
 *   using socket = await context.wrapSocket(plain, { serverHostname: host });
 *   return new TextDecoder().decode(await socket.recv(1024));
 * }
 * ```
 *
 * @module
 */

import "./internal/runtime/system/deno_version.ts"; // first, so that an older Deno meets nothing else

import {
  PROTOCOL_TLS_CLIENT,
  PROTOCOL_TLS_SERVER,
  Purpose,
} from "./internal/base/ssl_constants.ts";
import { SSLContext } from "./internal/ssl/ssl_context.ts";

export {
  CERT_NONE,
  CERT_OPTIONAL,
  CERT_REQUIRED,
  PROTOCOL_TLS_CLIENT,
  PROTOCOL_TLS_SERVER,
  Purpose,
  TLSVersion,
} from "./internal/base/ssl_constants.ts";
export {
  SSLCertVerificationError,
  SSLEOFError,
  SSLError,
  SSLWantReadError,
  SSLZeroReturnError,
} from "./internal/base/ssl_errors.ts";
export type {
  SSLCertVerificationErrorOptions,
  SSLErrorOptions,
} from "./internal/base/ssl_errors.ts";
export type {
  CertificateName,
  PeerCertificate,
} from "./internal/runtime/tls/session_facts.ts";
export { SSLContext } from "./internal/ssl/ssl_context.ts";
export type { SniCallback } from "./internal/ssl/ssl_context.ts";
export { SSLSocket } from "./internal/ssl/ssl_context.ts";
export type { PlaintextPolicy } from "./internal/ssl/take_over.ts";
export type { WrapSocketOptions } from "./internal/ssl/wrap_socket.ts";

// The types that the signatures here name, so that this module can be used by itself.
export type {
  AbortOptions,
  Address,
  AddressLike,
  BufferedReader,
  BufferedRWPair,
  Bytes,
  BytesLike,
  DatagramOption,
  DatagramTransport,
  FileForMode,
  FileLike,
  FromFdOptions,
  InetAddress,
  ListenerTransport,
  MakefileModes,
  MakefileOptions,
  MessageOptions,
  Newline,
  OpenFile,
  OptionValue,
  OSError,
  OSErrorOptions,
  PathOptions,
  ReadUntilOptions,
  Socket,
  SocketFile,
  StreamTransport,
  TextErrors,
  TextReader,
  TextRWPair,
  TextWriter,
  Tied,
  Transport,
  TransportAddr,
  WriteData,
  Writer,
} from "./socket.ts";

/**
 * Options of {@linkcode createDefaultContext}.
 *
 * @category TLS
 */
export interface DefaultContextOptions {
  /**
   * The purpose of the peer's certificate: `SERVER_AUTH` makes a context for clients.
   *
   * @default {Purpose.SERVER_AUTH}
   */
  purpose?: Purpose;
  /** The certificates of authorities, instead of those of Deno: a path. */
  cafile?: string | URL;
  /** The certificates of authorities, instead of those of Deno: PEM text. */
  cadata?: string;
}

/**
 * Creates a context with the settings that are right for most programs. A context for clients verifies the server and
 * its name, with the authorities of Deno; a context for servers verifies nobody.
 *
 * @param options The purpose, and other authorities.
 * @returns The context.
 * @throws {OSError} as {@linkcode SSLContext.loadVerifyLocations}.
 * @category TLS
 * @example
 * ```ts
 * import { strictEqual } from "node:assert/strict";
 * import { CERT_NONE, CERT_REQUIRED, createDefaultContext, Purpose } from "@socketserver/socketserver/ssl";
 *
 * const forClients = createDefaultContext();
 * strictEqual(forClients.verifyMode, CERT_REQUIRED);
 * strictEqual(forClients.checkHostname, true);
 *
 * const forServers = createDefaultContext({ purpose: Purpose.CLIENT_AUTH });
 * strictEqual(forServers.verifyMode, CERT_NONE);
 * ```
 */
export function createDefaultContext(
  options: DefaultContextOptions = {},
): SSLContext {
  const { purpose = Purpose.SERVER_AUTH, cafile, cadata } = options;
  const forClients = purpose === Purpose.SERVER_AUTH;
  const context = new SSLContext(
    forClients ? PROTOCOL_TLS_CLIENT : PROTOCOL_TLS_SERVER,
  );
  if (cafile !== undefined) context.loadVerifyLocations(cafile);
  if (cadata !== undefined) context.loadVerifyLocations(cadata);
  if (forClients && (cafile ?? cadata) === undefined) {
    context.loadDefaultCerts();
  }
  return context;
}
