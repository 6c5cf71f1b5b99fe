/**
 * `AsyncMixIn` and the server classes made with it.
 *
 * @module
 */

import {
  concurrent,
  type ConcurrentServer,
  type ServerConstructor,
} from "../server/concurrent.ts";
import {
  TCPServer,
  UDPServer,
  UnixDatagramServer,
  UnixStreamServer,
} from "../../server.ts";
import type { MixedIn } from "./mixed_in.ts";

/**
 * The members that {@linkcode AsyncMixIn} adds to a server.
 *
 * @category Mix-ins
 */
export interface AsyncMixIn extends ConcurrentServer {}

/**
 * Extends a server class so that requests run as tasks on the event loop, many at a time. This is the everyday choice.
 *
 * @category Mix-ins
 * @typeParam B The server class.
 * @param Base The server class.
 * @returns A subclass of `Base`.
 *
 * @example
 * ```ts
 * import { AsyncMixIn, StreamRequestHandler, TCPServer } from "@socketserver/socketserver";
 *
 * class Hello extends StreamRequestHandler {
 *   override async handle() {
 *     await this.wfile.write("hello\n");
 *   }
 * }
 *
 * class MyServer extends AsyncMixIn(TCPServer) {}
 *
 * await using server = new MyServer(["127.0.0.1", 0], Hello, { maxConnections: 100 });
 * ```
 */
export function AsyncMixIn<B extends ServerConstructor>(
  Base: B,
): MixedIn<B, AsyncMixIn> {
  return concurrent(Base) as unknown as MixedIn<B, AsyncMixIn>;
}

/**
 * Serves TCP connections as tasks on the event loop, many at a time: {@linkcode TCPServer} with {@linkcode AsyncMixIn}.
 *
 * Create one with `new AsyncTCPServer(serverAddress, RequestHandlerClass, options?)`. The options are those of
 * {@linkcode ServerOptions} and {@linkcode MixInOptions}; a subclass sets them as static fields.
 *
 * At `maxConnections` open requests, 1,024 by default, the server accepts no more until one of them ends. The
 * constructor throws an {@linkcode OSError} if it cannot bind, such as EADDRINUSE.
 *
 * @category Servers
 * @example
 * ```ts
 * import { strictEqual } from "node:assert/strict";
 * import {
 *   AsyncTCPServer,
 *   createConnection,
 *   StreamRequestHandler,
 * } from "@socketserver/socketserver";
 *
 * class Upper extends StreamRequestHandler {
 *   override async handle() {
 *     for await (const line of this.rfile) {
 *       await this.wfile.write(new TextDecoder().decode(line).toUpperCase());
 *     }
 *   }
 * }
 *
 * await using server = new AsyncTCPServer(["127.0.0.1", 0], Upper, { maxConnections: 100 });
 * server.serveForever();
 *
 * using client = await createConnection(server.serverAddress);
 * await client.sendall(new TextEncoder().encode("hello\n"));
 * strictEqual(new TextDecoder().decode(await client.recv(1024)), "HELLO\n");
 * ```
 */
export const AsyncTCPServer: MixedIn<typeof TCPServer, AsyncMixIn> = AsyncMixIn(
  TCPServer,
);
/**
 * A server made by {@linkcode AsyncTCPServer}.
 *
 * @category Servers
 */
export type AsyncTCPServer = InstanceType<typeof AsyncTCPServer>;

/**
 * Serves UDP datagrams as tasks on the event loop, many at a time: {@linkcode UDPServer} with {@linkcode AsyncMixIn}.
 *
 * Create one with `new AsyncUDPServer(serverAddress, RequestHandlerClass, options?)`. The options are those of
 * {@linkcode ServerOptions} and {@linkcode MixInOptions}; a subclass sets them as static fields.
 *
 * At `maxConnections` open requests, 1,024 by default, the server receives no more until one of them ends. The
 * constructor throws an {@linkcode OSError} if it cannot bind, such as EADDRINUSE.
 *
 * @category Servers
 * @example
 * ```ts
 * import { strictEqual } from "node:assert/strict";
 * import {
 *   AF_INET,
 *   AsyncUDPServer,
 *   DatagramRequestHandler,
 *   SOCK_DGRAM,
 *   Socket,
 * } from "@socketserver/socketserver";
 *
 * class Upper extends DatagramRequestHandler {
 *   override async handle() {
 *     const text = new TextDecoder().decode(this.packet);
 *     await this.wfile.write(text.toUpperCase());
 *   }
 * }
 *
 * await using server = new AsyncUDPServer(["127.0.0.1", 0], Upper, { maxConnections: 100 });
 * server.serveForever();
 *
 * using client = new Socket(AF_INET, SOCK_DGRAM);
 * await client.sendto(new TextEncoder().encode("hello"), server.serverAddress);
 * strictEqual(new TextDecoder().decode(await client.recv(1024)), "HELLO");
 * ```
 */
export const AsyncUDPServer: MixedIn<typeof UDPServer, AsyncMixIn> = AsyncMixIn(
  UDPServer,
);
/**
 * A server made by {@linkcode AsyncUDPServer}.
 *
 * @category Servers
 */
export type AsyncUDPServer = InstanceType<typeof AsyncUDPServer>;

/**
 * Serves connections to a Unix socket as tasks on the event loop, many at a time: {@linkcode UnixStreamServer} with
 * {@linkcode AsyncMixIn}.
 *
 * Create one with `new AsyncUnixStreamServer(serverAddress, RequestHandlerClass, options?)`. The options are those of
 * {@linkcode ServerOptions} and {@linkcode MixInOptions}; a subclass sets them as static fields.
 *
 * At `maxConnections` open requests, 1,024 by default, the server accepts no more until one of them ends. The
 * constructor throws an {@linkcode OSError} if it cannot bind, such as EADDRINUSE.
 *
 * @category Servers
 * @example
 * ```ts
 * import { strictEqual } from "node:assert/strict";
 * import {
 *   AsyncUnixStreamServer,
 *   createConnection,
 *   StreamRequestHandler,
 * } from "@socketserver/socketserver";
 *
 * class Upper extends StreamRequestHandler {
 *   override async handle() {
 *     for await (const line of this.rfile) {
 *       await this.wfile.write(new TextDecoder().decode(line).toUpperCase());
 *     }
 *   }
 * }
 *
 * const path = `${Deno.makeTempDirSync()}/socket`;
 * await using server = new AsyncUnixStreamServer(path, Upper, { maxConnections: 100 });
 * server.serveForever();
 *
 * using client = await createConnection(server.serverAddress);
 * await client.sendall(new TextEncoder().encode("hello\n"));
 * strictEqual(new TextDecoder().decode(await client.recv(1024)), "HELLO\n");
 * ```
 */
export const AsyncUnixStreamServer: MixedIn<
  typeof UnixStreamServer,
  AsyncMixIn
> = AsyncMixIn(UnixStreamServer);
/**
 * A server made by {@linkcode AsyncUnixStreamServer}.
 *
 * @category Servers
 */
export type AsyncUnixStreamServer = InstanceType<typeof AsyncUnixStreamServer>;

/**
 * Serves datagrams to a Unix socket as tasks on the event loop, many at a time: {@linkcode UnixDatagramServer} with
 * {@linkcode AsyncMixIn}.
 *
 * Create one with `new AsyncUnixDatagramServer(serverAddress, RequestHandlerClass, options?)`. The options are those of
 * {@linkcode ServerOptions} and {@linkcode MixInOptions}; a subclass sets them as static fields.
 *
 * At `maxConnections` open requests, 1,024 by default, the server receives no more until one of them ends. The
 * constructor throws an {@linkcode OSError} if it cannot bind, such as EADDRINUSE.
 *
 * @category Servers
 * @example
 * ```ts
 * import { strictEqual } from "node:assert/strict";
 * import {
 *   AF_UNIX,
 *   AsyncUnixDatagramServer,
 *   DatagramRequestHandler,
 *   SOCK_DGRAM,
 *   Socket,
 * } from "@socketserver/socketserver";
 *
 * class Upper extends DatagramRequestHandler {
 *   override async handle() {
 *     const text = new TextDecoder().decode(this.packet);
 *     await this.wfile.write(text.toUpperCase());
 *   }
 * }
 *
 * const path = `${Deno.makeTempDirSync()}/socket`;
 * await using server = new AsyncUnixDatagramServer(path, Upper, { maxConnections: 100 });
 * server.serveForever();
 *
 * using client = new Socket(AF_UNIX, SOCK_DGRAM);
 * client.bind(`${path}.client`);
 * await client.sendto(new TextEncoder().encode("hello"), server.serverAddress);
 * strictEqual(new TextDecoder().decode(await client.recv(1024)), "HELLO");
 * ```
 */
export const AsyncUnixDatagramServer: MixedIn<
  typeof UnixDatagramServer,
  AsyncMixIn
> = AsyncMixIn(UnixDatagramServer);
/**
 * A server made by {@linkcode AsyncUnixDatagramServer}.
 *
 * @category Servers
 */
export type AsyncUnixDatagramServer = InstanceType<
  typeof AsyncUnixDatagramServer
>;
