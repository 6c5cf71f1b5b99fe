/**
 * Sockets for tests: listeners, both ends of a connection, and free addresses.
 *
 * @module
 */

import {
  type AddressInfo,
  createServer as createNetServer,
  type Socket as NetSocket,
} from "node:net";
import { bindNodeDatagram } from "../../internal/runtime/node/node_datagram.ts";
import { type Address, AF_INET, SOCK_DGRAM, Socket } from "../../socket.ts";
import { haveUnix } from "./allowed.ts";
import { type Bytes, concat } from "./bytes.ts";
import { within } from "./within.ts";

/** Returns a listening socket on a free port of the loopback. */
export function listen(family: number = AF_INET, backlog?: number): Socket {
  const listener = new Socket(family);
  listener.bind([family === AF_INET ? "127.0.0.1" : "::1", 0]);
  listener.listen(backlog);
  return listener;
}

/** Returns both ends of a TCP connection; the listener is closed. */
export async function tcpPair(): Promise<[client: Socket, server: Socket]> {
  using listener = listen();
  const client = new Socket();
  await client.connect(listener.getsockname());
  const [server] = await within(listener.accept());
  return [client, server];
}

/** Runs a test with both ends of a connection, and closes them. */
export function withPair(
  name: string,
  fn: (client: Socket, server: Socket) => Promise<void>,
  { ignore = false, open = tcpPair } = {},
): void {
  Deno.test(name, { ignore }, async () => {
    const [client, server] = await open();
    using _client = client;
    using _server = server;
    await fn(client, server);
  });
}

/** Returns a connected socket, and the other end as a `Deno.TcpConn`. */
export async function tcpSocketAndConn(): Promise<[Socket, Deno.TcpConn]> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const socket = new Socket();
  const [conn] = await Promise.all([
    listener.accept(),
    socket.connect(["127.0.0.1", listener.addr.port]),
  ]);
  return [socket, conn];
}

/** Returns a connected socket, and a function that resets the connection from the other end. */
export async function tcpSocketAndReset(): Promise<[Socket, () => void]> {
  const server = createNetServer();
  const { promise, resolve } = Promise.withResolvers<NetSocket>();
  server.once("connection", resolve);
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const socket = new Socket();
  await socket.connect(["127.0.0.1", (server.address() as AddressInfo).port]);
  const peer = await within(promise);
  server.close();
  return [socket, () => void peer.resetAndDestroy()];
}

/** Returns a UDP socket over `node:dgram`, as a program without the unstable `net` flag has it. */
export function nodeUdp(
  hostname = "127.0.0.1",
  family: number = AF_INET,
  port = 0,
): Socket {
  return Socket.from(
    bindNodeDatagram({ family, hostname, port, reuseAddr: false }),
  );
}

/** Returns a UDP socket on a free port of the loopback. */
export function udp(host = "127.0.0.1", family: number = AF_INET): Socket {
  const socket = new Socket(family, SOCK_DGRAM);
  socket.bind([host, 0]);
  return socket;
}

/** Returns a port of the loopback on which nobody listens. */
export function deadPort(): number {
  using listener = listen();
  return portOf(listener.getsockname());
}

/** Returns the port of an address. */
export function portOf(address: Address): number {
  return Number(address[1]);
}

const directory = haveUnix
  ? Deno.makeTempDirSync({ prefix: "server_test" })
  : "";
if (haveUnix) {
  globalThis.addEventListener(
    "unload",
    () => Deno.removeSync(directory, { recursive: true }),
  );
}
let paths = 0;
/** Returns a path for a Unix socket where no file is. */
export const newPath = (): string => `${directory}/${++paths}`;

/** Receives until the stream ends. */
export async function recvToEnd(socket: Socket, size = 65536): Promise<Bytes> {
  const pieces: Bytes[] = [];
  for (;;) {
    const piece = await within(socket.recv(size));
    if (piece.length === 0) return concat(pieces);
    pieces.push(piece);
  }
}
