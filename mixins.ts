/**
 * Python's `socketserver` module, the mix-ins: how requests are run.
 *
 * @module
 */

import {
  concurrent,
  type ConcurrentServer,
  type MixInOptions,
  type ServerConstructor,
} from "./_server/concurrent.ts";
import { threading, type ThreadingOptions } from "./_threads/mixin.ts";
import type { BlockingSocket } from "./_threads/blocking_socket.ts";
import {
  type RequestHandlerConstructor,
  TCPServer,
  UDPServer,
  UnixDatagramServer,
  UnixStreamServer,
} from "./server.ts";

export type {
  ConcurrentServer,
  MixInOptions,
  MixInStatics,
  ServerConstructor,
} from "./_server/concurrent.ts";
export type { MaxConnectionsPolicy } from "./_server/requests.ts";
export type { ThreadingOptions } from "./_threads/mixin.ts";
export type { WorkerServer } from "./_threads/server_stub.ts";

/**
 * A server's class with a mix-in: its statics, and a constructor that takes the options of both. A class
 * whose constructor has other parameters keeps them.
 *
 * @typeParam B The server's class.
 * @typeParam M What the mix-in adds.
 * @typeParam O The options that it adds, each of which is a static field too.
 * @typeParam X Classes of handlers that it takes besides those of the server.
 */
export type MixedIn<
  B extends ServerConstructor,
  M,
  O extends MixInOptions = MixInOptions,
  X extends RequestHandlerConstructor = never,
> =
  & Pick<B, keyof B>
  & Required<O>
  & {
    new (
      ...args: ConstructorParameters<B> extends [infer A, infer H, (infer P)?]
        ? [
          serverAddress: A,
          RequestHandlerClass: H | X,
          options?: P & O,
        ]
        : ConstructorParameters<B>
    ): InstanceType<B> & M;
  };

/** What {@linkcode AsyncMixIn} adds to a server. */
export interface AsyncMixIn extends ConcurrentServer {}

/**
 * Runs requests as tasks on the event loop, many at a time: the everyday choice.
 *
 * @typeParam B The server's class.
 * @param Base The server's class.
 * @returns A subclass of it.
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

/** {@linkcode TCPServer} that runs requests as tasks. */
export const AsyncTCPServer: MixedIn<typeof TCPServer, AsyncMixIn> = AsyncMixIn(
  TCPServer,
);
/** {@linkcode TCPServer} that runs requests as tasks. */
export type AsyncTCPServer = InstanceType<typeof AsyncTCPServer>;

/** {@linkcode UDPServer} that runs requests as tasks. */
export const AsyncUDPServer: MixedIn<typeof UDPServer, AsyncMixIn> = AsyncMixIn(
  UDPServer,
);
/** {@linkcode UDPServer} that runs requests as tasks. */
export type AsyncUDPServer = InstanceType<typeof AsyncUDPServer>;

/** {@linkcode UnixStreamServer} that runs requests as tasks. */
export const AsyncUnixStreamServer: MixedIn<
  typeof UnixStreamServer,
  AsyncMixIn
> = AsyncMixIn(
  UnixStreamServer,
);
/** {@linkcode UnixStreamServer} that runs requests as tasks. */
export type AsyncUnixStreamServer = InstanceType<typeof AsyncUnixStreamServer>;

/** {@linkcode UnixDatagramServer} that runs requests as tasks. */
export const AsyncUnixDatagramServer: MixedIn<
  typeof UnixDatagramServer,
  AsyncMixIn
> = AsyncMixIn(
  UnixDatagramServer,
);
/** {@linkcode UnixDatagramServer} that runs requests as tasks. */
export type AsyncUnixDatagramServer = InstanceType<
  typeof AsyncUnixDatagramServer
>;

/** A class of handlers that block their worker: for connections, or for datagrams. */
export type BlockingHandlerConstructor =
  | RequestHandlerConstructor<BlockingSocket>
  | RequestHandlerConstructor<[packet: Uint8Array, socket: BlockingSocket]>;

/** What {@linkcode ThreadingMixIn} adds to a server. */
export interface ThreadingMixIn
  extends
    ConcurrentServer,
    Readonly<Required<Omit<ThreadingOptions, keyof MixInOptions>>> {}

/**
 * Runs handlers in a pool of Web Workers, on as many processors as there are: for handlers that compute, or
 * that block. The main thread accepts, verifies, and moves the bytes; the handler, in its worker, has
 * the same `Socket` as everywhere.
 *
 * The handler's class is exported from its module, and says in a static field of its own where that is. A
 * module that is also the program's own is loaded again in the workers, so that it starts the
 * server only `if (import.meta.main)`. A worker loads modules from the disk itself, which needs `--allow-read`.
 *
 * Error handling: what a handler throws goes to `handleError` of the main thread, with name, message,
 * stack, and `code`. An error outside of a handler ends the worker: its requests end with a report to
 * `handleError`, and the next request starts another.
 *
 * @typeParam B The server's class.
 * @param Base The server's class.
 * @returns A subclass of it.
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
  BlockingHandlerConstructor
> {
  return threading(Base) as unknown as MixedIn<
    B,
    ThreadingMixIn,
    ThreadingOptions,
    BlockingHandlerConstructor
  >;
}

/** {@linkcode TCPServer} that runs handlers in workers. */
export const ThreadingTCPServer: MixedIn<
  typeof TCPServer,
  ThreadingMixIn,
  ThreadingOptions,
  BlockingHandlerConstructor
> = ThreadingMixIn(TCPServer);
/** {@linkcode TCPServer} that runs handlers in workers. */
export type ThreadingTCPServer = InstanceType<typeof ThreadingTCPServer>;

/** {@linkcode UDPServer} that runs handlers in workers. */
export const ThreadingUDPServer: MixedIn<
  typeof UDPServer,
  ThreadingMixIn,
  ThreadingOptions,
  BlockingHandlerConstructor
> = ThreadingMixIn(UDPServer);
/** {@linkcode UDPServer} that runs handlers in workers. */
export type ThreadingUDPServer = InstanceType<typeof ThreadingUDPServer>;

/** {@linkcode UnixStreamServer} that runs handlers in workers. */
export const ThreadingUnixStreamServer: MixedIn<
  typeof UnixStreamServer,
  ThreadingMixIn,
  ThreadingOptions,
  BlockingHandlerConstructor
> = ThreadingMixIn(UnixStreamServer);
/** {@linkcode UnixStreamServer} that runs handlers in workers. */
export type ThreadingUnixStreamServer = InstanceType<
  typeof ThreadingUnixStreamServer
>;

/** {@linkcode UnixDatagramServer} that runs handlers in workers. */
export const ThreadingUnixDatagramServer: MixedIn<
  typeof UnixDatagramServer,
  ThreadingMixIn,
  ThreadingOptions,
  BlockingHandlerConstructor
> = ThreadingMixIn(UnixDatagramServer);
/** {@linkcode UnixDatagramServer} that runs handlers in workers. */
export type ThreadingUnixDatagramServer = InstanceType<
  typeof ThreadingUnixDatagramServer
>;
