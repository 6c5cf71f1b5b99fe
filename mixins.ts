/**
 * Python's `socketserver` module, the mix-ins: how requests are run.
 *
 * @module
 */

import "./internal/runtime/deno_version.ts"; // first, so that an older Deno meets nothing else

import {
  concurrent,
  type ConcurrentServer,
  type MixInOptions,
  type ServerConstructor,
} from "./internal/server/concurrent.ts";
import { forking } from "./internal/children/forking.ts";
import type {
  CollectOptions,
  ForkingOptions,
} from "./internal/children/forking_options.ts";
import {
  threading,
  type ThreadingOptions,
} from "./internal/workers/threading.ts";
import type { BlockingSocket } from "./internal/blocking/blocking_socket.ts";
import {
  type RequestHandlerConstructor,
  TCPServer,
  UDPServer,
  UnixDatagramServer,
  UnixStreamServer,
} from "./server.ts";

export type { ChildPermissions } from "./internal/handoff/permissions.ts";
export type {
  CollectOptions,
  ForkingOptions,
} from "./internal/children/forking_options.ts";
export type {
  ConcurrentServer,
  MixInOptions,
  MixInStatics,
  ServerConstructor,
} from "./internal/server/concurrent.ts";
export type { MaxConnectionsPolicy } from "./internal/server/request_registry.ts";
export type { ThreadingOptions } from "./internal/workers/threading.ts";
export type { ResourceLimits } from "./internal/workers/resource_limits.ts";
export type { WorkerServer } from "./internal/server/stages.ts";

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
 * Runs handlers in a pool of workers, on as many processors as there are: for handlers that compute, or
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

/** What {@linkcode ForkingMixIn} adds to a server. */
export interface ForkingMixIn extends ConcurrentServer {
  /** The most child processes at a time. */
  maxChildren: number;
  /** How many requests a child takes before another replaces it. */
  requestsPerChild: number;
  /** Seconds that a request may take; null is no limit. */
  childTimeout: number | null;
  /** The numbers of the child processes that run; null until the first was started. */
  readonly activeChildren: ReadonlySet<number> | null;
  /**
   * Called by `handleTimeout`, by `serviceActions` and by `serverClose`. Children are reaped by the
   * runtime when they end, so there is nothing to do unless `blocking` is set. May be
   * extended; call super.
   *
   * @param options Whether to wait for the children that run to end.
   */
  collectChildren(options?: CollectOptions): Promise<void>;
}

/** The options of {@linkcode ForkingMixIn} and those of every mix-in. */
export interface ForkingMixInOptions extends MixInOptions, ForkingOptions {}

/**
 * Runs requests in child processes, for isolation: a child has the permissions and the environment that
 * are named and no others, and one that dies or hangs costs its own requests only.
 *
 * A connection is accepted and verified here, and then goes to the child itself, which reads and writes it
 * without this process. What cannot be handed over is relayed: TLS, SO_REUSEPORT, and everything on
 * Windows. Datagrams are passed on, and their answers leave from the server's own address.
 *
 * The handler's class is exported from its module and says where that is, with `static readonly moduleUrl =
 * import.meta.url`; a child imports it from there. It does not inherit `--config` and `--import-map`: name them in
 * `childFlags`. In a child, `this.server` is a stand-in with `serverAddress` and the `options` that `childOptions`
 * names. When the connection ends
 * there, `shutdownRequest` is still called here, for a socket that is closed already.
 *
 * Children start when requests need them and stay for the next ones: an idle child takes a request, then a
 * new one up to `maxChildren`, then the one with the fewest; one that has not taken its last request, because it
 * computes or is stopped, gets no other. While requests take less than 10 ms each, a
 * request first waits, for at most about as long, for one of the busy children. They end with the server, also
 * when that is killed; only a handler that never gives control back (an endless loop) outlives
 * a killed server, as long as it loops.
 *
 * This process needs `--allow-run` and `--allow-env=NODE_V8_COVERAGE`, and must not be made by `deno compile`.
 *
 * @typeParam B The server's class.
 * @param Base The server's class.
 * @returns A subclass of it. Its constructor throws a TypeError for a handler that cannot be found again, and
 *   a PermissionError for a permission that this process lacks.
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
 *   using client = await createConnection(server.serverAddress as [string, number]);
 *   await client.sendall(new TextEncoder().encode("hello\n"));
 *   strictEqual(new TextDecoder().decode(await client.recv(1024)), "HELLO\n");
 * }
 * ```
 */
export function ForkingMixIn<B extends ServerConstructor>(
  Base: B,
): MixedIn<B, ForkingMixIn, ForkingMixInOptions> {
  return forking(Base) as unknown as MixedIn<
    B,
    ForkingMixIn,
    ForkingMixInOptions
  >;
}

/** {@linkcode TCPServer} that runs requests in child processes. */
export const ForkingTCPServer: MixedIn<
  typeof TCPServer,
  ForkingMixIn,
  ForkingMixInOptions
> = ForkingMixIn(TCPServer);
/** {@linkcode TCPServer} that runs requests in child processes. */
export type ForkingTCPServer = InstanceType<typeof ForkingTCPServer>;

/** {@linkcode UDPServer} that runs requests in child processes. */
export const ForkingUDPServer: MixedIn<
  typeof UDPServer,
  ForkingMixIn,
  ForkingMixInOptions
> = ForkingMixIn(UDPServer);
/** {@linkcode UDPServer} that runs requests in child processes. */
export type ForkingUDPServer = InstanceType<typeof ForkingUDPServer>;

/** {@linkcode UnixStreamServer} that runs requests in child processes. */
export const ForkingUnixStreamServer: MixedIn<
  typeof UnixStreamServer,
  ForkingMixIn,
  ForkingMixInOptions
> = ForkingMixIn(UnixStreamServer);
/** {@linkcode UnixStreamServer} that runs requests in child processes. */
export type ForkingUnixStreamServer = InstanceType<
  typeof ForkingUnixStreamServer
>;

/** {@linkcode UnixDatagramServer} that runs requests in child processes. */
export const ForkingUnixDatagramServer: MixedIn<
  typeof UnixDatagramServer,
  ForkingMixIn,
  ForkingMixInOptions
> = ForkingMixIn(UnixDatagramServer);
/** {@linkcode UnixDatagramServer} that runs requests in child processes. */
export type ForkingUnixDatagramServer = InstanceType<
  typeof ForkingUnixDatagramServer
>;

// The types that the signatures here name, so that this module can be used by itself.
export type {
  Address,
  AddressLike,
  BufferedReader,
  BufferedRWPair,
  Bytes,
  BytesLike,
  DatagramOption,
  DatagramTransport,
  FileForMode,
  FileLike,
  InetAddress,
  ListenerTransport,
  MakefileModes,
  MakefileOptions,
  Newline,
  OpenFile,
  OptionValue,
  OSError,
  PathOptions,
  ReadUntilOptions,
  Socket,
  SocketFile,
  StreamTransport,
  TextErrors,
  TextReader,
  TextRWPair,
  TextWriter,
  Tied,
  Transport,
  TransportAddr,
  WriteData,
  Writer,
} from "./socket.ts";
export type {
  BaseServer,
  DatagramRequest,
  RequestHandler,
  RequestHandlerConstructor,
  ServeForeverOptions,
  ServerCloseOptions,
  ServerCloseReport,
  ServerStages,
  ServerStatus,
  SocketServer,
  TCPServer,
  UDPServer,
  UnixDatagramServer,
  UnixStreamServer,
} from "./server.ts";
export type {
  Blocking,
  BlockingFileForMode,
  BlockingFileLike,
  BlockingFileOf,
  BlockingOpenFile,
  BlockingReader,
  BlockingRWPair,
  BlockingSocket,
  BlockingTextReader,
  BlockingTextRWPair,
  BlockingTextWriter,
  BlockingWriter,
  HandlerServer,
} from "./handlers.ts";
