/**
 * `ThreadingMixIn` and the server classes made with it.
 *
 * @module
 */

import type { BlockingSocket } from "../blocking/blocking_socket.ts";
import type {
  ConcurrentServer,
  MixInOptions,
  ServerConstructor,
} from "../server/concurrent.ts";
import type {
  AnyHandlerServer,
  RequestHandlerConstructor,
} from "../stages/handler_types.ts";
import { threading, type ThreadingOptions } from "../workers/threading.ts";
import {
  TCPServer,
  UDPServer,
  UnixDatagramServer,
  UnixStreamServer,
} from "../../server.ts";
import type { MixedIn } from "./mixed_in.ts";

/**
 * A class of handlers that block their worker: handlers of connections, or of datagrams.
 *
 * @category Handlers
 */
export type BlockingHandlerConstructor =
  | RequestHandlerConstructor<BlockingSocket>
  | RequestHandlerConstructor<[packet: Uint8Array, socket: BlockingSocket]>;

/**
 * The members that {@linkcode ThreadingMixIn} adds to a server.
 *
 * @category Mix-ins
 */
export interface ThreadingMixIn extends
  ConcurrentServer,
  Required<
    Omit<ThreadingOptions, keyof MixInOptions | "shared" | "acceptIn">
  >,
  Pick<Readonly<Required<ThreadingOptions>>, "shared" | "acceptIn"> {}

/**
 * Extends a server class so that handlers run in a pool of Web Workers, on all processors: for handlers that compute or
 * block. The main thread accepts and verifies requests and moves the bytes. In its worker, a handler has the same
 * `Socket` as everywhere.
 *
 * The handler class must be exported from its module and hold the module's address: `static readonly moduleUrl =
 * import.meta.url`. Workers load that module again, so a program that defines both starts its server only
 * `if (import.meta.main)`. Workers load modules from the disk, which needs `--allow-read`.
 *
 * An error of a handler goes to `handleError` on the main thread, with name, message, stack and `code`. An error
 * outside of a handler ends the worker: the server reports its requests to `handleError`, and starts another worker for
 * the next request.
 *
 * @category Mix-ins
 * @typeParam B The server class.
 * @param Base The server class.
 * @returns A subclass of `Base`.
 *
 * @example
 * ```ts
 * import { StreamRequestHandler, TCPServer, ThreadingMixIn } from "@socketserver/socketserver";
 *
 * export class Hello extends StreamRequestHandler {
 *   static readonly moduleUrl = import.meta.url;
 *
 *   override async handle() {
 *     await this.wfile.write("hello\n");
 *   }
 * }
 *
 * class MyServer extends ThreadingMixIn(TCPServer) {}
 *
 * if (import.meta.main) {
 *   await using server = new MyServer(["127.0.0.1", 0], Hello, { maxWorkers: 2 });
 * }
 * ```
 */
export function ThreadingMixIn<B extends ServerConstructor>(
  Base: B,
): MixedIn<
  B,
  ThreadingMixIn,
  ThreadingOptions,
  BlockingHandlerConstructor,
  AnyHandlerServer
> {
  return threading(Base) as unknown as MixedIn<
    B,
    ThreadingMixIn,
    ThreadingOptions,
    BlockingHandlerConstructor,
    AnyHandlerServer
  >;
}

/**
 * Serves TCP connections in a pool of Web Workers, on all processors: {@linkcode TCPServer} with
 * {@linkcode ThreadingMixIn}.
 *
 * Create one with `new ThreadingTCPServer(serverAddress, RequestHandlerClass, options?)`. The options are those of
 * {@linkcode ServerOptions} and {@linkcode ThreadingOptions}; a subclass sets them as static fields.
 *
 * At `maxConnections` open requests, 1,024 by default, the server accepts no more until one of them ends. The
 * constructor throws an {@linkcode OSError} if it cannot bind, such as EADDRINUSE, and a TypeError for a handler class
 * that workers cannot import.
 *
 * The handler class must be exported and have `static readonly moduleUrl = import.meta.url`. Workers load its module
 * again, which needs `--allow-read`: start the server only `if (import.meta.main)`.
 *
 * @category Servers
 * @example
 * ```ts
 * import {
 *   serve,
 *   StreamRequestHandler,
 *   ThreadingTCPServer,
 * } from "@socketserver/socketserver";
 *
 * export class Upper extends StreamRequestHandler {
 *   static readonly moduleUrl = import.meta.url;
 *
 *   override async handle() {
 *     for await (const line of this.rfile) {
 *       await this.wfile.write(new TextDecoder().decode(line).toUpperCase());
 *     }
 *   }
 * }
 *
 * if (import.meta.main) {
 *   await using server = new ThreadingTCPServer(["127.0.0.1", 0], Upper, { maxWorkers: 2 });
 *   await serve(server);
 * }
 * ```
 */
export const ThreadingTCPServer: MixedIn<
  typeof TCPServer,
  ThreadingMixIn,
  ThreadingOptions,
  BlockingHandlerConstructor,
  AnyHandlerServer
> = ThreadingMixIn(TCPServer);
/**
 * A server made by {@linkcode ThreadingTCPServer}.
 *
 * @category Servers
 */
export type ThreadingTCPServer = InstanceType<typeof ThreadingTCPServer>;

/**
 * Serves UDP datagrams in a pool of Web Workers, on all processors: {@linkcode UDPServer} with {@linkcode ThreadingMixIn}.
 *
 * Create one with `new ThreadingUDPServer(serverAddress, RequestHandlerClass, options?)`. The options are those of
 * {@linkcode ServerOptions} and {@linkcode ThreadingOptions}; a subclass sets them as static fields.
 *
 * At `maxConnections` open requests, 1,024 by default, the server receives no more until one of them ends. The
 * constructor throws an {@linkcode OSError} if it cannot bind, such as EADDRINUSE, and a TypeError for a handler class
 * that workers cannot import.
 *
 * The handler class must be exported and have `static readonly moduleUrl = import.meta.url`. Workers load its module
 * again, which needs `--allow-read`: start the server only `if (import.meta.main)`.
 *
 * @category Servers
 * @example
 * ```ts
 * import {
 *   DatagramRequestHandler,
 *   serve,
 *   ThreadingUDPServer,
 * } from "@socketserver/socketserver";
 *
 * export class Upper extends DatagramRequestHandler {
 *   static readonly moduleUrl = import.meta.url;
 *
 *   override async handle() {
 *     const text = new TextDecoder().decode(this.packet);
 *     await this.wfile.write(text.toUpperCase());
 *   }
 * }
 *
 * if (import.meta.main) {
 *   await using server = new ThreadingUDPServer(["127.0.0.1", 0], Upper, { maxWorkers: 2 });
 *   await serve(server);
 * }
 * ```
 */
export const ThreadingUDPServer: MixedIn<
  typeof UDPServer,
  ThreadingMixIn,
  ThreadingOptions,
  BlockingHandlerConstructor,
  AnyHandlerServer
> = ThreadingMixIn(UDPServer);
/**
 * A server made by {@linkcode ThreadingUDPServer}.
 *
 * @category Servers
 */
export type ThreadingUDPServer = InstanceType<typeof ThreadingUDPServer>;

/**
 * Serves connections to a Unix socket in a pool of Web Workers, on all processors: {@linkcode UnixStreamServer} with
 * {@linkcode ThreadingMixIn}.
 *
 * Create one with `new ThreadingUnixStreamServer(serverAddress, RequestHandlerClass, options?)`. The options are those of
 * {@linkcode ServerOptions} and {@linkcode ThreadingOptions}; a subclass sets them as static fields.
 *
 * At `maxConnections` open requests, 1,024 by default, the server accepts no more until one of them ends. The
 * constructor throws an {@linkcode OSError} if it cannot bind, such as EADDRINUSE, and a TypeError for a handler class
 * that workers cannot import.
 *
 * The handler class must be exported and have `static readonly moduleUrl = import.meta.url`. Workers load its module
 * again, which needs `--allow-read`: start the server only `if (import.meta.main)`.
 *
 * @category Servers
 * @example
 * ```ts
 * import {
 *   serve,
 *   StreamRequestHandler,
 *   ThreadingUnixStreamServer,
 * } from "@socketserver/socketserver";
 *
 * export class Upper extends StreamRequestHandler {
 *   static readonly moduleUrl = import.meta.url;
 *
 *   override async handle() {
 *     for await (const line of this.rfile) {
 *       await this.wfile.write(new TextDecoder().decode(line).toUpperCase());
 *     }
 *   }
 * }
 *
 * if (import.meta.main) {
 *   const path = `${Deno.makeTempDirSync()}/socket`;
 *   await using server = new ThreadingUnixStreamServer(path, Upper, { maxWorkers: 2 });
 *   await serve(server);
 * }
 * ```
 */
export const ThreadingUnixStreamServer: MixedIn<
  typeof UnixStreamServer,
  ThreadingMixIn,
  ThreadingOptions,
  BlockingHandlerConstructor,
  AnyHandlerServer
> = ThreadingMixIn(UnixStreamServer);
/**
 * A server made by {@linkcode ThreadingUnixStreamServer}.
 *
 * @category Servers
 */
export type ThreadingUnixStreamServer = InstanceType<
  typeof ThreadingUnixStreamServer
>;

/**
 * Serves datagrams to a Unix socket in a pool of Web Workers, on all processors: {@linkcode UnixDatagramServer} with
 * {@linkcode ThreadingMixIn}.
 *
 * Create one with `new ThreadingUnixDatagramServer(serverAddress, RequestHandlerClass, options?)`. The options are those of
 * {@linkcode ServerOptions} and {@linkcode ThreadingOptions}; a subclass sets them as static fields.
 *
 * At `maxConnections` open requests, 1,024 by default, the server receives no more until one of them ends. The
 * constructor throws an {@linkcode OSError} if it cannot bind, such as EADDRINUSE, and a TypeError for a handler class
 * that workers cannot import.
 *
 * The handler class must be exported and have `static readonly moduleUrl = import.meta.url`. Workers load its module
 * again, which needs `--allow-read`: start the server only `if (import.meta.main)`.
 *
 * @category Servers
 * @example
 * ```ts
 * import {
 *   DatagramRequestHandler,
 *   serve,
 *   ThreadingUnixDatagramServer,
 * } from "@socketserver/socketserver";
 *
 * export class Upper extends DatagramRequestHandler {
 *   static readonly moduleUrl = import.meta.url;
 *
 *   override async handle() {
 *     const text = new TextDecoder().decode(this.packet);
 *     await this.wfile.write(text.toUpperCase());
 *   }
 * }
 *
 * if (import.meta.main) {
 *   const path = `${Deno.makeTempDirSync()}/socket`;
 *   await using server = new ThreadingUnixDatagramServer(path, Upper, { maxWorkers: 2 });
 *   await serve(server);
 * }
 * ```
 */
export const ThreadingUnixDatagramServer: MixedIn<
  typeof UnixDatagramServer,
  ThreadingMixIn,
  ThreadingOptions,
  BlockingHandlerConstructor,
  AnyHandlerServer
> = ThreadingMixIn(UnixDatagramServer);
/**
 * A server made by {@linkcode ThreadingUnixDatagramServer}.
 *
 * @category Servers
 */
export type ThreadingUnixDatagramServer = InstanceType<
  typeof ThreadingUnixDatagramServer
>;
