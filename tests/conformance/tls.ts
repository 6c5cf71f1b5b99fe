/**
 * The contexts of the scenarios over TLS.
 *
 * @module
 */

import {
  createDefaultContext,
  PROTOCOL_TLS_SERVER,
  SSLContext,
} from "../../ssl.ts";

const file = (name: string) => new URL(`../testdata/${name}`, import.meta.url);

let servers: SSLContext | undefined;
let clients: SSLContext | undefined;

/** The context of the servers. */
export function serverContext(): SSLContext {
  if (servers === undefined) {
    servers = new SSLContext(PROTOCOL_TLS_SERVER);
    servers.loadCertChain(file("localhost.crt"), file("localhost.key"));
  }
  return servers;
}

/** The context of the clients. */
export function clientContext(): SSLContext {
  return clients ??= createDefaultContext({ cafile: file("localhost.crt") });
}
