/**
 * The option `ssl` of a server.
 *
 * @module
 */

import { SOCK_STREAM } from "../base/constants.ts";
import { PROTOCOL_TLS_SERVER } from "../base/ssl_constants.ts";
import { contextCheck } from "../base/ssl_contexts.ts";
import type { SSLContext } from "../ssl/ssl_context.ts";

/**
 * Throws unless a server can serve with a context: it must be complete, and for servers.
 *
 * @param ssl The option `ssl`.
 * @param socketType The type of the server's socket.
 * @throws {TypeError} if it is no context for servers, or the server is for datagrams.
 * @throws {SSLError} if the context lacks a certificate, or authorities to verify clients with.
 */
export function checkSslOption(
  ssl: SSLContext | null,
  socketType: number,
): void {
  if (ssl === null) return;
  if (socketType !== SOCK_STREAM) {
    throw new TypeError(
      "Cannot make a server: ssl is for servers of streams, and this one is for datagrams",
    );
  }
  const check = contextCheck(ssl);
  if (check === undefined || ssl.protocol !== PROTOCOL_TLS_SERVER) {
    const got = check === undefined
      ? String(ssl)
      : "one with PROTOCOL_TLS_CLIENT";
    throw new TypeError(
      `Cannot make a server: ssl must be an SSLContext with PROTOCOL_TLS_SERVER, got ${got}`,
    );
  }
  check();
}
