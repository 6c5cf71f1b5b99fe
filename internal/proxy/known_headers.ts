/**
 * The PROXY headers of connections, by their sockets. A worker or a child process gets the bytes of a header, and reads
 * them when the handler asks.
 *
 * @module
 */

import { readHeader } from "./codec.ts";
import type { ProxyHeader } from "./header.ts";

/** A header, and its bytes. */
interface KnownHeader {
  readonly bytes: Uint8Array;
  header?: ProxyHeader;
}

const headers = new WeakMap<object, KnownHeader>();

/** Notes the header of a connection, whose bytes were checked. */
export function noteHeader(
  socket: object,
  bytes: Uint8Array,
  header?: ProxyHeader,
): void {
  headers.set(socket, { bytes, header });
}

/** Returns the bytes of the header of a connection; undefined if it had none. */
export function headerBytesOf(socket: object): Uint8Array | undefined {
  return headers.get(socket)?.bytes;
}

/** Gives a socket the header of the socket that it replaces when TLS begins or ends. */
export function passHeaderOn(from: object, to: object): void {
  const known = headers.get(from);
  if (known !== undefined) headers.set(to, known);
}

/**
 * Returns the PROXY header of a connection that a server with {@linkcode ProxyProtocolMixIn} has accepted. Works in the
 * hooks of the server, from `verifyRequest` on, and in the handler, also in a worker or a child process, and over TLS.
 *
 * @param socket The connection: `this.request` of a handler.
 * @returns The header; null if the connection had none.
 * @category PROXY protocol
 * @example
 * ```ts
 * import { proxyHeaderOf, StreamRequestHandler } from "@socketserver/socketserver";
 *
 * class Hello extends StreamRequestHandler {
 *   override async handle() {
 *     const header = proxyHeaderOf(this.request);
 *     if (header?.command === "LOCAL") return; // a health check
 *     await this.wfile.write(`hello ${this.clientAddress[0]}, you asked for ${header?.authority}\n`);
 *   }
 * }
 * ```
 */
export function proxyHeaderOf(socket: object): ProxyHeader | null {
  const known = headers.get(socket);
  if (known === undefined) return null;
  return known.header ??= readHeader(known.bytes);
}
