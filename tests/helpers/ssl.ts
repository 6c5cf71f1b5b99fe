/**
 * Certificates, contexts and both ends of a connection with TLS.
 *
 * @module
 */

import { openNodeListener } from "../../internal/runtime/opening/open_node_listener.ts";
import {
  AF_INET,
  AF_UNIX,
  createConnection,
  createServer,
  Socket,
} from "../../socket.ts";
import {
  PROTOCOL_TLS_CLIENT,
  PROTOCOL_TLS_SERVER,
  SSLContext,
  type SSLSocket,
  type WrapSocketOptions,
} from "../../ssl.ts";
import { Authority, type Identity } from "./certificates.ts";
import { within } from "./within.ts";

/** The authority that the tests trust. */
export const authority = new Authority();

/** A certificate for localhost. */
export const localhost: Identity = authority.issue({
  name: "localhost",
  hosts: ["localhost", "127.0.0.1"],
});

/** Returns a context for servers. */
export function serverContext(
  identity: Identity = localhost,
  change: (context: SSLContext) => void = () => {},
): SSLContext {
  const context = new SSLContext(PROTOCOL_TLS_SERVER);
  context.loadCertChain(identity.cert, identity.key);
  change(context);
  return context;
}

/** Returns a context for clients that trusts the authority of the tests. */
export function clientContext(
  change: (context: SSLContext) => void = () => {},
): SSLContext {
  const context = new SSLContext(PROTOCOL_TLS_CLIENT);
  context.loadVerifyLocations(authority.cert);
  change(context);
  return context;
}

/** A transport under TLS. */
export type Kind = "Deno" | "Node" | "Unix" | "Node over Unix";

/** The transports under TLS. */
export const KINDS: readonly Kind[] = [
  "Deno",
  "Node",
  "Unix",
  "Node over Unix",
];

/** Returns a listening socket whose connections have this transport. */
export function listenKind(kind: Kind): Socket {
  const unix = kind.endsWith("Unix");
  const address = unix
    ? `\0${crypto.randomUUID()}`
    : ["127.0.0.1", 0] as [string, number];
  const family = unix ? AF_UNIX : AF_INET;
  return kind.startsWith("Node")
    ? Socket.from(openNodeListener({ family, address, backlog: 511 }))
    : createServer(address, { family });
}

/** Returns both ends of a plain connection. */
export async function plainPair(
  kind: Kind = "Deno",
): Promise<[client: Socket, server: Socket]> {
  using listener = listenKind(kind);
  const [client, [server]] = await within(
    Promise.all([createConnection(listener.getsockname()), listener.accept()]),
  );
  for (const socket of [client, server]) socket.settimeout(20);
  return [client, server];
}

/** The transport, and the contexts and options of both ends. */
export interface PairOptions {
  kind?: Kind;
  server?: SSLContext;
  client?: SSLContext;
  serverOptions?: WrapSocketOptions;
  clientOptions?: WrapSocketOptions;
}

/** Begins the handshake on both ends of a connection. */
export async function beginPair(
  options: PairOptions = {},
): Promise<[client: Promise<SSLSocket>, server: Promise<SSLSocket>]> {
  const { client = clientContext(), server = serverContext(), kind } = options;
  const [near, far] = await plainPair(kind);
  const ends = [
    client.wrapSocket(near, {
      serverHostname: "localhost",
      ...options.clientOptions,
    }),
    server.wrapSocket(far, { serverSide: true, ...options.serverOptions }),
  ];
  for (const end of ends) end.catch(() => {}); // awaited one after the other
  return [ends[0], ends[1]];
}

/** Returns both ends of a TLS connection after the handshake. */
export async function tlsPair(
  options: PairOptions = {},
): Promise<[client: SSLSocket, server: SSLSocket]> {
  return await within(Promise.all(await beginPair(options)));
}
