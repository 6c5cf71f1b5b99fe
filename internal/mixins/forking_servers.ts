/**
 * `ForkingMixIn` and the server classes made with it.
 *
 * @module
 */

import { forking } from "../children/forking.ts";
import type {
  CollectOptions,
  ForkingOptions,
} from "../children/forking_options.ts";
import type {
  ConcurrentServer,
  MixInOptions,
  ServerConstructor,
} from "../server/concurrent.ts";
import {
  TCPServer,
  UDPServer,
  UnixDatagramServer,
  UnixStreamServer,
} from "../../server.ts";
import type { AnyHandlerServer } from "../stages/handler_types.ts";
import type { MixedIn } from "./mixed_in.ts";

/**
 * The members that {@linkcode ForkingMixIn} adds to a server.
 *
 * @category Mix-ins
 */
export interface ForkingMixIn extends ConcurrentServer {
  /** The place where connections are accepted. */
  readonly acceptIn: "parent" | "children";
  /** The most child processes that run at a time. */
  maxChildren: number;
  /** The number of requests that a child handles before another child replaces it. */
  requestsPerChild: number;
  /** Seconds that a request may take; null is no limit. */
  childTimeout: number | null;
  /** The process ids of the children that run; null before the first has started. */
  readonly activeChildren: ReadonlySet<number> | null;
  /**
   * Reaps children. `handleTimeout`, `serviceActions` and `serverClose` call this method. The runtime reaps children
   * when they end, so this method does nothing unless `blocking` is set. May be extended; call super.
   *
   * @param options Whether to wait for the children that run to end.
   */
  collectChildren(options?: CollectOptions): Promise<void>;
}

/**
 * The options of {@linkcode ForkingMixIn} and those of every mix-in.
 *
 * @category Mix-ins
 */
export interface ForkingMixInOptions extends MixInOptions, ForkingOptions {}

/**
 * Extends a server class so that requests run in child processes, for isolation. A child has the permissions and the
 * environment that you name and no others. A child that dies or hangs costs its own requests only.
 *
 * This process accepts and verifies a connection and hands the connection over to a child, which reads and writes
 * without this process. Connections that cannot be handed over are relayed: TLS, SO_REUSEPORT, and all on Windows.
 * Datagrams are passed on, and their answers leave from the server's own address.
 *
 * The handler class must be exported from its module and hold the module's address: `static readonly moduleUrl =
 * import.meta.url`. Children import that module, so a program that defines both starts its server only
 * `if (import.meta.main)`. Children do not inherit `--config` and `--import-map`: name them in `childFlags`. In a
 * child, `this.server` is a stand-in with a copy of `shared` and the `options` that `childOptions` names. When the
 * connection has ended in the child, this process still calls `shutdownRequest`, with a socket that is closed already.
 *
 * Children start when requests need them, and stay for the next requests. A request goes to an idle child, or to a new
 * one up to `maxChildren`, or to the child with the fewest requests. A child that has not taken its last request,
 * because the child computes or is stopped, gets no other. If requests take less than 10 ms each, a request first waits
 * about as long for one of the busy children. Children end with the server, also if the server is killed; only a
 * handler in an endless loop outlives a killed server.
 *
 * This process needs `--allow-run` and `--allow-env=NODE_V8_COVERAGE`, and must not be a program of `deno compile`.
 *
 * @category Mix-ins
 * @typeParam B The server class.
 * @param Base The server class.
 * @returns A subclass of `Base`. Its constructor throws a TypeError for a handler class that cannot be imported, and a
 *   PermissionError for a permission that this process lacks.
 *
 * @example
 * ```ts
 * import { strictEqual } from "node:assert/strict";
 * import { createConnection, ForkingMixIn, StreamRequestHandler, TCPServer } from "@socketserver/socketserver";
 *
 * export class Upper extends StreamRequestHandler {
 *   static readonly moduleUrl = import.meta.url;
 *
 *   override async handle() {
 *     const line = new TextDecoder().decode(await this.rfile.readline());
 *     await this.wfile.write(line.toUpperCase());
 *   }
 * }
 *
 * class MyServer extends ForkingMixIn(TCPServer) {}
 *
 * if (import.meta.main) {
 *   await using server = new MyServer(["127.0.0.1", 0], Upper);
 *   server.serveForever();
 *
 *   using client = await createConnection(server.serverAddress);
 *   await client.sendall(new TextEncoder().encode("hello\n"));
 *   strictEqual(new TextDecoder().decode(await client.recv(1024)), "HELLO\n");
 * }
 * ```
 */
export function ForkingMixIn<B extends ServerConstructor>(
  Base: B,
): MixedIn<B, ForkingMixIn, ForkingMixInOptions, never, AnyHandlerServer> {
  return forking(Base) as unknown as MixedIn<
    B,
    ForkingMixIn,
    ForkingMixInOptions,
    never,
    AnyHandlerServer
  >;
}

/**
 * Serves TCP connections in a pool of child processes, each with the permissions that you name: {@linkcode TCPServer}
 * with {@linkcode ForkingMixIn}.
 *
 * Create one with `new ForkingTCPServer(serverAddress, RequestHandlerClass, options?)`. The options are those of
 * {@linkcode ServerOptions} and {@linkcode ForkingMixInOptions}; a subclass sets them as static fields.
 *
 * At `maxConnections` open requests, 1,024 by default, the server accepts no more until one of them ends. The
 * constructor throws an {@linkcode OSError} if it cannot bind, such as EADDRINUSE, a TypeError for a handler class
 * that children cannot import, and a {@linkcode PermissionError} for a permission that this process lacks.
 *
 * The handler class must be exported and have `static readonly moduleUrl = import.meta.url`. Children load its module
 * again: start the server only `if (import.meta.main)`. This process needs `--allow-run` and
 * `--allow-env=NODE_V8_COVERAGE`.
 *
 * @category Servers
 * @example
 * ```ts
 * import {
 *   ForkingTCPServer,
 *   serve,
 *   StreamRequestHandler,
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
 *   await using server = new ForkingTCPServer(["127.0.0.1", 0], Upper, { maxChildren: 4 });
 *   await serve(server);
 * }
 * ```
 */
export const ForkingTCPServer: MixedIn<
  typeof TCPServer,
  ForkingMixIn,
  ForkingMixInOptions,
  never,
  AnyHandlerServer
> = ForkingMixIn(TCPServer);
/**
 * A server made by {@linkcode ForkingTCPServer}.
 *
 * @category Servers
 */
export type ForkingTCPServer = InstanceType<typeof ForkingTCPServer>;

/**
 * Serves UDP datagrams in a pool of child processes, each with the permissions that you name: {@linkcode UDPServer}
 * with {@linkcode ForkingMixIn}.
 *
 * Create one with `new ForkingUDPServer(serverAddress, RequestHandlerClass, options?)`. The options are those of
 * {@linkcode ServerOptions} and {@linkcode ForkingMixInOptions}; a subclass sets them as static fields.
 *
 * At `maxConnections` open requests, 1,024 by default, the server receives no more until one of them ends. The
 * constructor throws an {@linkcode OSError} if it cannot bind, such as EADDRINUSE, a TypeError for a handler class
 * that children cannot import, and a {@linkcode PermissionError} for a permission that this process lacks.
 *
 * The handler class must be exported and have `static readonly moduleUrl = import.meta.url`. Children load its module
 * again: start the server only `if (import.meta.main)`. This process needs `--allow-run` and
 * `--allow-env=NODE_V8_COVERAGE`.
 *
 * @category Servers
 * @example
 * ```ts
 * import {
 *   DatagramRequestHandler,
 *   ForkingUDPServer,
 *   serve,
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
 *   await using server = new ForkingUDPServer(["127.0.0.1", 0], Upper, { maxChildren: 4 });
 *   await serve(server);
 * }
 * ```
 */
export const ForkingUDPServer: MixedIn<
  typeof UDPServer,
  ForkingMixIn,
  ForkingMixInOptions,
  never,
  AnyHandlerServer
> = ForkingMixIn(UDPServer);
/**
 * A server made by {@linkcode ForkingUDPServer}.
 *
 * @category Servers
 */
export type ForkingUDPServer = InstanceType<typeof ForkingUDPServer>;

/**
 * Serves connections to a Unix socket in a pool of child processes, each with the permissions that you name:
 * {@linkcode UnixStreamServer} with {@linkcode ForkingMixIn}.
 *
 * Create one with `new ForkingUnixStreamServer(serverAddress, RequestHandlerClass, options?)`. The options are those of
 * {@linkcode ServerOptions} and {@linkcode ForkingMixInOptions}; a subclass sets them as static fields.
 *
 * At `maxConnections` open requests, 1,024 by default, the server accepts no more until one of them ends. The
 * constructor throws an {@linkcode OSError} if it cannot bind, such as EADDRINUSE, a TypeError for a handler class
 * that children cannot import, and a {@linkcode PermissionError} for a permission that this process lacks.
 *
 * The handler class must be exported and have `static readonly moduleUrl = import.meta.url`. Children load its module
 * again: start the server only `if (import.meta.main)`. This process needs `--allow-run` and
 * `--allow-env=NODE_V8_COVERAGE`.
 *
 * @category Servers
 * @example
 * ```ts
 * import {
 *   ForkingUnixStreamServer,
 *   serve,
 *   StreamRequestHandler,
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
 *   await using server = new ForkingUnixStreamServer(path, Upper, { maxChildren: 4 });
 *   await serve(server);
 * }
 * ```
 */
export const ForkingUnixStreamServer: MixedIn<
  typeof UnixStreamServer,
  ForkingMixIn,
  ForkingMixInOptions,
  never,
  AnyHandlerServer
> = ForkingMixIn(UnixStreamServer);
/**
 * A server made by {@linkcode ForkingUnixStreamServer}.
 *
 * @category Servers
 */
export type ForkingUnixStreamServer = InstanceType<
  typeof ForkingUnixStreamServer
>;

/**
 * Serves datagrams to a Unix socket in a pool of child processes, each with the permissions that you name:
 * {@linkcode UnixDatagramServer} with {@linkcode ForkingMixIn}.
 *
 * Create one with `new ForkingUnixDatagramServer(serverAddress, RequestHandlerClass, options?)`. The options are those of
 * {@linkcode ServerOptions} and {@linkcode ForkingMixInOptions}; a subclass sets them as static fields.
 *
 * At `maxConnections` open requests, 1,024 by default, the server receives no more until one of them ends. The
 * constructor throws an {@linkcode OSError} if it cannot bind, such as EADDRINUSE, a TypeError for a handler class
 * that children cannot import, and a {@linkcode PermissionError} for a permission that this process lacks.
 *
 * The handler class must be exported and have `static readonly moduleUrl = import.meta.url`. Children load its module
 * again: start the server only `if (import.meta.main)`. This process needs `--allow-run` and
 * `--allow-env=NODE_V8_COVERAGE`.
 *
 * @category Servers
 * @example
 * ```ts
 * import {
 *   DatagramRequestHandler,
 *   ForkingUnixDatagramServer,
 *   serve,
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
 *   await using server = new ForkingUnixDatagramServer(path, Upper, { maxChildren: 4 });
 *   await serve(server);
 * }
 * ```
 */
export const ForkingUnixDatagramServer: MixedIn<
  typeof UnixDatagramServer,
  ForkingMixIn,
  ForkingMixInOptions,
  never,
  AnyHandlerServer
> = ForkingMixIn(UnixDatagramServer);
/**
 * A server made by {@linkcode ForkingUnixDatagramServer}.
 *
 * @category Servers
 */
export type ForkingUnixDatagramServer = InstanceType<
  typeof ForkingUnixDatagramServer
>;
