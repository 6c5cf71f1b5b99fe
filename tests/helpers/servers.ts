/**
 * Each kind of server with a handler that echoes, and a way to serve that ends.
 *
 * @module
 */

import {
  AsyncTCPServer,
  AsyncUDPServer,
  AsyncUnixDatagramServer,
  AsyncUnixStreamServer,
} from "../../mixins.ts";
import {
  DatagramRequestHandler,
  StreamRequestHandler,
} from "../../handlers.ts";
import {
  type BaseServer,
  type RequestHandlerConstructor,
  type ServeForeverOptions,
  type ServerOptions,
  type SocketServer,
  TCPServer,
  UDPServer,
  UnixDatagramServer,
  UnixStreamServer,
} from "../../server.ts";
import { type Address, AF_INET6, type InetAddress } from "../../socket.ts";
import { haveIPv6, haveUnix, unstableNet } from "./allowed.ts";
import { newPath } from "./sockets.ts";
import { within } from "./within.ts";

/** The result of `getRequest`. */
export type Got = [request: unknown, clientAddress: Address];

/** A server over any socket; concrete, so that a test can extend it. */
// deno-lint-ignore no-explicit-any
export type AnyServer = SocketServer<any> & {
  getRequest(): Got | Promise<Got>;
};
/** The class of {@linkcode AnyServer}. */
export type AnyServerClass = new (
  // deno-lint-ignore no-explicit-any
  address: any,
  handler: RequestHandlerConstructor,
  options?: ServerOptions,
) => AnyServer;

/** Echoes a line. */
export class EchoLine extends StreamRequestHandler {
  override async handle(): Promise<void> {
    await this.wfile.write(await this.rfile.readline());
  }
}

/** Echoes a datagram. */
export class EchoDatagram extends DatagramRequestHandler {
  override async handle(): Promise<void> {
    await this.wfile.write(await this.rfile.readline());
  }
}

/** A kind of server, and its handlers and addresses. */
export interface Kind {
  /** The name of the kind, for the name of a test. */
  name: string;
  /** The class of the server. */
  Server: AnyServerClass;
  /** A handler that echoes. */
  Echo: RequestHandlerConstructor;
  /** The base class of its handlers. */
  Handler: RequestHandlerConstructor;
  /** Returns an address to bind to. */
  address: () => Address;
  /** Options for the constructor. */
  options: ServerOptions;
  /** Whether the kind cannot run here. */
  ignore: boolean;
}

/** The address that binds to a free port of the loopback. */
export const LOOPBACK: InetAddress = ["127.0.0.1", 0];

const stream = { Echo: EchoLine, Handler: StreamRequestHandler };
const datagram = { Echo: EchoDatagram, Handler: DatagramRequestHandler };
const inet = { address: () => LOOPBACK, options: {}, ignore: false };
const inet6 = {
  address: (): Address => ["::1", 0],
  options: { addressFamily: AF_INET6 },
  ignore: !haveIPv6,
};
const unix = { address: newPath, options: {}, ignore: !haveUnix };
const unixpacket = { ...unix, ignore: !haveUnix || !unstableNet };

/** The ready-made servers in one process, over each address family. */
export const KINDS: Kind[] = [
  { name: "TCPServer", Server: TCPServer, ...stream, ...inet },
  { name: "TCPServer (IPv6)", Server: TCPServer, ...stream, ...inet6 },
  { name: "AsyncTCPServer", Server: AsyncTCPServer, ...stream, ...inet },
  { name: "UDPServer", Server: UDPServer, ...datagram, ...inet },
  { name: "UDPServer (IPv6)", Server: UDPServer, ...datagram, ...inet6 },
  { name: "AsyncUDPServer", Server: AsyncUDPServer, ...datagram, ...inet },
  { name: "UnixStreamServer", Server: UnixStreamServer, ...stream, ...unix },
  {
    name: "AsyncUnixStreamServer",
    Server: AsyncUnixStreamServer,
    ...stream,
    ...unix,
  },
  {
    name: "UnixDatagramServer",
    Server: UnixDatagramServer,
    ...datagram,
    ...unixpacket,
  },
  {
    name: "AsyncUnixDatagramServer",
    Server: AsyncUnixDatagramServer,
    ...datagram,
    ...unixpacket,
  },
];

/** Serves while `use` runs, and closes the server; rejects if `serveForever` does. */
// deno-lint-ignore no-explicit-any
export async function serving<S extends BaseServer<any>>(
  server: S,
  use: (server: S) => Promise<void>,
  options?: ServeForeverOptions,
): Promise<void> {
  const served = server.serveForever(options);
  served.catch(() => {}); // awaited below
  try {
    await within(use(server), 60_000); // which has waits of its own
    await within(server.shutdown());
  } finally {
    await within(server.serverClose({ timeout: 5 }));
  }
  await within(served);
}
