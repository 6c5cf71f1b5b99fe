/**
 * Two connected sockets in memory, and the faults of their network.
 *
 * @module
 */

import type { TransportAddr } from "../base/address.ts";
import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  SOCK_DGRAM,
  SOCK_STREAM,
} from "../base/constants.ts";
import { Socket, stateOf } from "../socket/socket_object.ts";
import { MemoryDatagrams, type MemoryHost } from "./memory_datagrams.ts";
import { MemoryPipe, MemoryStream } from "./memory_stream.ts";

/** The default size of one direction, which most tests do not fill. Arbitrary. */
const BUFFER_SIZE = 65536;

/** The first of the ports that clients get: the dynamic ports of IANA. */
const FIRST_PORT = 49152;

/**
 * Options of {@linkcode memorySocketpair}.
 *
 * @category Testing
 */
export interface MemorySocketpairOptions {
  /**
   * `AF_INET`, `AF_INET6` or `AF_UNIX`: the kind of the addresses.
   *
   * @default {AF_INET}
   */
  family?: number;
  /**
   * `SOCK_STREAM` or `SOCK_DGRAM`.
   *
   * @default {SOCK_STREAM}
   */
  type?: number;
  /**
   * The bytes that each direction holds. If it is full, `sendall` waits for room, and a datagram is dropped.
   *
   * @default {65536}
   */
  bufferSize?: number;
}

let connections = 0;

/** Returns the addresses of both ends. The first one is that of the client. */
function addressesOf(
  family: number,
  datagrams: boolean,
): [TransportAddr, TransportAddr] {
  const number = ++connections;
  if (family === AF_UNIX) {
    const transport = datagrams ? "unixpacket" : "unix";
    const client = datagrams ? `\0memory-client-${number}` : "";
    const path = `\0memory-server-${number}`;
    return [{ transport, path: client }, { transport, path }];
  }
  const transport = datagrams ? "udp" : "tcp";
  const hostname = family === AF_INET6 ? "::1" : "127.0.0.1";
  const port = FIRST_PORT + number % (65536 - FIRST_PORT);
  return [{ transport, hostname, port }, { transport, hostname, port: 9999 }];
}

/** Throws a RangeError for options that no pair has. */
function checkOptions(
  { family, type, bufferSize }: MemorySocketpairOptions,
): void {
  const doing = "Cannot create a pair of sockets";
  if (![AF_INET, AF_INET6, AF_UNIX, undefined].includes(family)) {
    throw new RangeError(`${doing}: no family ${family}`);
  }
  if (![SOCK_STREAM, SOCK_DGRAM, undefined].includes(type)) {
    throw new RangeError(`${doing}: no type ${type}`);
  }
  checkSize(bufferSize, `${doing}: bufferSize`);
}

function checkSize(size: number | undefined, what: string): void {
  if (size === undefined || (Number.isInteger(size) && size > 0)) return;
  throw new RangeError(`${what} must be a positive integer, got ${size}`);
}

/**
 * Creates two sockets that are connected to each other in memory, for tests: without the network, without a permission,
 * and at once. They have all methods of a {@linkcode Socket}: timeouts, half-close, `MSG_PEEK`, files, `select`.
 *
 * If one end closes with bytes that it has not received, or calls `abort()`, the other end fails with ECONNRESET, as
 * over TCP. {@linkcode fragment}, {@linkcode stall} and {@linkcode resume} simulate a bad network.
 *
 * @param options The family, the type, and the size of the buffers.
 * @returns The client and the server. The addresses look like those of a real connection.
 * @throws {RangeError} for another family or type, or a size below 1.
 * @category Testing
 * @example
 * ```ts
 * import { rejects, strictEqual } from "node:assert/strict";
 * import { ConnectionResetError } from "@socketserver/socketserver";
 * import { memorySocketpair } from "@socketserver/socketserver/testing";
 *
 * const [client, server] = memorySocketpair();
 * await client.sendall(new TextEncoder().encode("hello"));
 * strictEqual(new TextDecoder().decode(await server.recv(1024)), "hello");
 * client.abort();
 * await rejects(server.recv(1024), ConnectionResetError);
 * server.close();
 * ```
 */
export function memorySocketpair(
  options: MemorySocketpairOptions = {},
): [client: Socket, server: Socket] {
  checkOptions(options);
  const { family = AF_INET, type = SOCK_STREAM, bufferSize = BUFFER_SIZE } =
    options;
  const datagrams = type === SOCK_DGRAM;
  const [near, far] = addressesOf(family, datagrams);
  if (datagrams) {
    const [client, server] = unconnected(near, far, bufferSize);
    stateOf(client).datagram!.peer = far;
    stateOf(server).datagram!.peer = near;
    return [client, server];
  }
  const [up, down] = [new MemoryPipe(bufferSize), new MemoryPipe(bufferSize)];
  const client = Socket.from(new MemoryStream(down, up, near, far));
  return [client, Socket.from(new MemoryStream(up, down, far, near))];
}

/** Creates two datagram sockets on one host. */
function unconnected(
  near: TransportAddr,
  far: TransportAddr,
  size: number,
): [client: Socket, server: Socket] {
  const host: MemoryHost = new Map();
  return [
    Socket.from(new MemoryDatagrams(host, near, size)),
    Socket.from(new MemoryDatagrams(host, far, size)),
  ];
}

/** Creates the socket of a datagram server, which may have many clients, and the socket of one client. */
export function memoryDatagramServer(
  family: number,
  size = BUFFER_SIZE,
): [client: Socket, server: Socket] {
  const [near, far] = addressesOf(family, true);
  const [client, server] = unconnected(near, far, size);
  stateOf(client).datagram!.peer = far;
  return [client, server];
}

/** Returns the direction in which a socket sends. */
function outgoing(socket: Socket, doing: string): MemoryPipe {
  const transport = stateOf(socket).stream?.transport;
  if (transport instanceof MemoryStream) return transport.outgoing;
  throw new TypeError(
    `Cannot ${doing} ${socket}: it must be an open stream socket of memorySocketpair()`,
  );
}

/**
 * Splits the bytes that a socket sends: each `recv` of the other end gets at most `size` of them. A program that takes
 * one `recv` for one message fails then.
 *
 * @param socket An end of a {@linkcode memorySocketpair}.
 * @param size The most bytes that arrive together.
 * @throws {TypeError} if the socket is no stream socket of a pair, or is closed.
 * @throws {RangeError} if the size is not a positive integer.
 * @category Testing
 * @example
 * ```ts
 * import { strictEqual } from "node:assert/strict";
 * import { fragment, memorySocketpair } from "@socketserver/socketserver/testing";
 *
 * const [client, server] = memorySocketpair();
 * fragment(client);
 * await client.sendall(new TextEncoder().encode("hello"));
 * strictEqual((await server.recv(1024)).length, 1);
 * ```
 */
export function fragment(socket: Socket, size = 1): void {
  checkSize(size, "Cannot fragment a stream: size");
  outgoing(socket, "fragment").pieceSize = size;
}

/**
 * Holds back the bytes that a socket sends, and their end: nothing arrives until {@linkcode resume}. Once the buffer is
 * full, the socket waits when it sends. A reset still arrives.
 *
 * @param socket An end of a {@linkcode memorySocketpair}.
 * @throws {TypeError} if the socket is no stream socket of a pair, or is closed.
 * @category Testing
 * @example A server that waits too long
 * ```ts
 * import { rejects, strictEqual } from "node:assert/strict";
 * import { TimeoutError } from "@socketserver/socketserver";
 * import { memorySocketpair, resume, stall } from "@socketserver/socketserver/testing";
 *
 * const [client, server] = memorySocketpair();
 * stall(client);
 * await client.sendall(new TextEncoder().encode("hello"));
 * server.settimeout(0.01);
 * await rejects(server.recv(1024), TimeoutError);
 * resume(client);
 * strictEqual((await server.recv(1024)).length, 5);
 * for (const socket of [client, server]) socket.close();
 * ```
 */
export function stall(socket: Socket): void {
  outgoing(socket, "stall").stalled = true;
}

/**
 * Lets the bytes arrive that {@linkcode stall} has held back, and all later ones.
 *
 * @param socket An end of a {@linkcode memorySocketpair}.
 * @throws {TypeError} if the socket is no stream socket of a pair, or is closed.
 * @category Testing
 */
export function resume(socket: Socket): void {
  outgoing(socket, "resume").stalled = false;
}
