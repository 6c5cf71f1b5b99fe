/**
 * What the tests of TLS share: certificates, contexts, and two ends of a connection.
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
import { assertInstanceOf } from "../deps.ts";
import { within } from "./within.ts";

/** The authority of the tests. */
export const authority = new Authority();

/** A certificate for localhost. */
export const localhost: Identity = authority.issue({
  name: "localhost",
  hosts: ["localhost", "127.0.0.1"],
});

/** A context for servers. */
export function serverContext(
  identity: Identity = localhost,
  change: (context: SSLContext) => void = () => {},
): SSLContext {
  const context = new SSLContext(PROTOCOL_TLS_SERVER);
  context.loadCertChain(identity.cert, identity.key);
  change(context);
  return context;
}

/** A context for clients that knows the authority of the tests. */
export function clientContext(
  change: (context: SSLContext) => void = () => {},
): SSLContext {
  const context = new SSLContext(PROTOCOL_TLS_CLIENT);
  context.loadVerifyLocations(authority.cert);
  change(context);
  return context;
}

/** The transports that a socket under TLS can have. */
export type Kind = "Deno" | "Node" | "Unix" | "Node over Unix";

/** The kinds of sockets under TLS. */
export const KINDS: readonly Kind[] = [
  "Deno",
  "Node",
  "Unix",
  "Node over Unix",
];

/** A listening socket whose connections are of a kind. */
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

/** Two ends of a plain connection. */
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

/** The contexts and options of both ends. */
export interface PairOptions {
  kind?: Kind;
  server?: SSLContext;
  client?: SSLContext;
  serverOptions?: WrapSocketOptions;
  clientOptions?: WrapSocketOptions;
}

/** Begins to wrap both ends of a connection. */
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

/** Two ends of a connection with TLS. */
export async function tlsPair(
  options: PairOptions = {},
): Promise<[client: SSLSocket, server: SSLSocket]> {
  return await within(Promise.all(await beginPair(options)));
}

/** The error with which a call ends, whose class it checks. */
export async function errorOf<E extends Error>(
  // deno-lint-ignore no-explicit-any
  Class: abstract new (...args: any[]) => E,
  call: Promise<unknown> | (() => unknown),
): Promise<E> {
  try {
    await within(Promise.resolve(typeof call === "function" ? call() : call));
  } catch (error) {
    assertInstanceOf(error, Class);
    return error;
  }
  throw new Error(`expected ${Class.name}, but the call succeeded`);
}
