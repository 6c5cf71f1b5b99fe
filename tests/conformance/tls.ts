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

/** The context of the servers. */
export function serverContext(): SSLContext {
  const context = new SSLContext(PROTOCOL_TLS_SERVER);
  context.loadCertChain(file("localhost.crt"), file("localhost.key"));
  return context;
}

/** The context of the clients. */
export function clientContext(): SSLContext {
  return createDefaultContext({ cafile: file("localhost.crt") });
}
