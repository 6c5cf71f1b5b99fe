/**
 * The interfaces between servers, handlers and the loop. Each of the three imports these interfaces only.
 *
 * @module
 */

import type { Address, InetAddress } from "../base/address.ts";
import type { Bytes } from "../base/memory.ts";
import type { OSError } from "../base/errors.ts";
import type { Socket } from "../socket/socket_object.ts";
import type {
  ServeForeverOptions,
  ServerCloseOptions,
  ServerCloseReport,
} from "./server_options.ts";

/**
 * A request of a datagram server: the datagram, and the socket to answer on. The `buffer` of the datagram may be
 * larger and hold other datagrams of the same sender: `slice()` the datagram before you use or transfer its `buffer`.
 *
 * @category Servers
 */
export type DatagramRequest = [packet: Uint8Array<ArrayBuffer>, socket: Socket];

/**
 * A snapshot of a server's counters.
 *
 * @category Servers
 */
export interface ServerStatus {
  /** What the server does. */
  state: ServerState;
  /** Requests under way. */
  active: number;
  /**
   * Requests under way whose handlers wait for the next message in `waitForRequest`. Child processes report theirs a
   * tenth of a second late at most.
   */
  idle: number;
  /**
   * Requests got so far. Each of them is under way, or is counted once in `finished`, `failed`, `forced`, `rejected`,
   * `handshakeErrors` or `proxyErrors`.
   */
  accepted: number;
  /** Requests whose handlers have returned. */
  finished: number;
  /** Requests that ended with an error, also because the client was gone. */
  failed: number;
  /** Requests that the server has cut off as it closed. */
  forced: number;
  /**
   * Requests closed because `verifyRequest` rejected them, at a limit, or while the server closed; and datagrams that were
   * received and not handled when the server closed.
   */
  rejected: number;
  /** Failures of `getRequest` that the server passed over: the client was gone, or an override made a handshake that failed. */
  transientErrors: number;
  /** Failures of `getRequest` for lack of descriptors or memory. The server pauses after each. */
  resourceErrors: number;
  /** TLS handshakes that failed. */
  handshakeErrors: number;
  /** Connections without a PROXY header that counts: of a peer that is not trusted, malformed, or too late. */
  proxyErrors: number;
  /** How often each limit was reached. */
  readonly limits: Readonly<Record<LimitName, number>>;
  /**
   * Bytes received from clients so far. Over TLS the bytes count without the encryption, but with it if the handler
   * itself has started TLS in a worker. A child process that has the connection itself reports its bytes when the request
   * ends; if it dies, they are not counted.
   */
  bytesIn: number;
  /** Bytes sent to clients so far, counted as {@linkcode ServerStatus.bytesIn}. */
  bytesOut: number;
}

/**
 * The state of a server: `"created"`, before it serves; `"serving"`, in `serveForever` or `handleRequest`; `"suspended"`,
 * until `resume`; `"stopping"`, while it still serves in the `shutdownDelay` of `serve`; `"stopped"`, after `shutdown`;
 * `"draining"`, while it closes and waits for the open requests; `"closed"`.
 *
 * @category Servers
 */
export type ServerState =
  | "created"
  | "serving"
  | "suspended"
  | "stopping"
  | "stopped"
  | "draining"
  | "closed";

/**
 * A limit of a server, by the name of its setting, which is one of the server, of its `SSLContext` (`handshakeTimeout`) or
 * of its handlers (`lineLimit`): a counter in `status.limits`, and a call of `handleLimit` each time
 * that the limit is reached.
 *
 * @category Servers
 */
export type LimitName =
  | "maxConnections"
  | "maxConnectionsPerClient"
  | "maxAcceptRate"
  | "handshakeTimeout"
  | "requestTimeout"
  | "idleTimeout"
  | "proxyTimeout"
  | "lineLimit"
  | "maxPacketSize";

/**
 * Why a server turns a request away: one of its limits, the verdict of `verifyRequest` or, over TLS, of `verifyPeer`, or
 * because the server shuts down.
 *
 * @category Servers
 */
export type RejectReason =
  | "maxConnections"
  | "maxConnectionsPerClient"
  | "verifyRequest"
  | "verifyPeer"
  | "draining";

/**
 * The socket of a server, whose addresses have the type of the server's address.
 *
 * @category Servers
 * @typeParam A The type of the addresses.
 */
export interface ServerSocket<A extends Address = Address> extends Socket {
  /** Accepts the next connection, as {@linkcode Socket.accept}. */
  accept(): Promise<[Socket, A]>;
  /** Returns the local address, as {@linkcode Socket.getsockname}. */
  getsockname(): A;
  /** Receives a datagram, as {@linkcode Socket.recvfrom}. */
  recvfrom(
    bufsize: number,
    flags?: number,
  ): Promise<[Bytes, A | null]>;
}

/**
 * The server as every handler sees it: the members that exist in all four ways to run a handler. In a worker or a child
 * process the handler gets a stand-in of its server, which has these members and no others.
 *
 * A handler that needs more names its server: `extends StreamRequestHandler<MyServer>`. The constructor of a server
 * refuses a handler that names another one.
 *
 * @category Handlers
 * @typeParam A The type of the addresses: a path string for the Unix servers.
 * @typeParam T The type of the server's option `shared`.
 * @typeParam O The options of your own that the handler reads.
 */
export interface HandlerServer<
  A extends Address = InetAddress,
  T = unknown,
  O extends object = Record<string, unknown>,
> {
  /** The address of the server. */
  readonly serverAddress: A;
  /**
   * The options that the server was created with, by name: those of the constructor, your own ones included, or else the
   * static fields of the class. A worker gets a copy of those that are plain data, and a child process of those that
   * `childOptions` names.
   */
  readonly options: Readonly<O>;
  /**
   * The server's option `shared`. A worker gets a structured clone, in which a `SharedArrayBuffer` is truly shared. A
   * child process gets a copy.
   */
  readonly shared: T;
  /** Returns a signal for the handler of a request. The signal is aborted when the server shuts down. */
  // deno-lint-ignore no-explicit-any
  requestSignal(request: any): AbortSignal;
  /**
   * Stops the server's loop.
   *
   * @returns A promise that resolves when the server gets no further request.
   */
  shutdown(): Promise<void>;
  /** Ends a request: ends the stream for the client, and closes the connection. Does nothing for a datagram. */
  // deno-lint-ignore no-explicit-any
  shutdownRequest(request: any): void | Promise<void>;
  /** Closes the connection of a request. Does nothing for a datagram. */
  // deno-lint-ignore no-explicit-any
  closeRequest(request: any): void | Promise<void>;
}

/**
 * The server of a handler, whatever its addresses, `shared` and options.
 *
 * @category Handlers
 */
// deno-lint-ignore no-explicit-any
export type AnyHandlerServer = HandlerServer<any, any, any>;

/**
 * The server of a handler in a worker, `this.server`: a stand-in with the members of {@linkcode HandlerServer}.
 *
 * @category Handlers
 * @typeParam T The type of the server's option `shared`.
 * @typeParam A The type of the addresses.
 */
export type WorkerServer<T = unknown, A extends Address = InetAddress> =
  HandlerServer<A, T>;

/**
 * The type of a server's addresses.
 *
 * @category Servers
 * @typeParam S The server.
 */
export type AddressOf<S> = S extends
  { readonly serverAddress: infer A extends Address } ? A : InetAddress;

/**
 * The type of an address that a server's constructor takes: a path string for the Unix servers, `[host, port]` for the
 * others.
 *
 * @category Servers
 * @typeParam A The type of the server's addresses.
 */
export type ServerAddress<A extends Address> = A extends string ? string
  : readonly [host: string, port: number];

/**
 * A handler of one request, as a server runs it.
 *
 * @category Handlers
 */
export interface RequestHandler {
  /** The request. */
  readonly request: unknown;
  /** The client's address. */
  readonly clientAddress: Address;
  /** The server. */
  readonly server: unknown;
  /** The error that `handle` threw. */
  failure?: unknown;
  /** Prepares for the request. Called before `handle`. */
  setup(): void | Promise<void>;
  /** Handles the request. */
  handle(): void | Promise<void>;
  /** Cleans up. Called after `handle`, also if `handle` threw. */
  finish(): void | Promise<void>;
}

/**
 * A class of handlers.
 *
 * @category Handlers
 * @typeParam R The type of a request.
 * @typeParam A The type of the client's address.
 * @typeParam S The server that the handlers need.
 */
// deno-lint-ignore no-explicit-any
export type RequestHandlerConstructor<R = any, A = any, S = any> = new (
  request: R,
  clientAddress: A,
  server: S,
) => RequestHandler;

/**
 * Checks that a server is the one that a handler needs. A handler that names no server fits each.
 *
 * @category Handlers
 * @typeParam S The server that the handler needs.
 * @typeParam Self The server that is created.
 */
export type FitsServer<S, Self> = AnyHandlerServer extends S ? unknown
  : Self extends S ? unknown
  : { readonly "the handler needs another server": S };

/**
 * The options of your own that a handler reads, and the type of `shared`: those of the server that the handler names.
 *
 * @category Options
 * @typeParam S The server that the handler needs.
 */
export type OwnOptions<S> = 0 extends 1 & S ? object
  : S extends { readonly options: infer O; readonly shared: infer T }
    ? { shared?: T } & (string extends keyof O ? object : O)
  : object;

/**
 * The stages and attributes of a server. {@linkcode BaseServer} implements this interface and documents the members;
 * handlers see their server through it.
 *
 * @category Servers
 * @typeParam R The type of a request.
 * @typeParam A The type of the addresses.
 */
export interface ServerStages<R = unknown, A extends Address = Address> extends
  // deno-lint-ignore no-explicit-any
  HandlerServer<A, any, any>,
  AsyncDisposable {
  /** The address of the server. */
  serverAddress: A;
  /** The class that handles requests. */
  RequestHandlerClass: RequestHandlerConstructor;
  /** The seconds that `handleRequest` waits; null is no limit. */
  timeout: number | null;
  /** Whether `handleError` prints the errors of lost clients. */
  reportLostClients: boolean;
  /** The seconds that `await using` and `serve` wait for the requests under way; null is no limit. */
  closeTimeout: number | null;
  /** A snapshot of the server's counters. */
  readonly status: ServerStatus;
  /** Makes the server ready for requests. */
  serverActivate(): void | Promise<void>;
  /** Handles requests until `shutdown`. */
  serveForever(options?: ServeForeverOptions): Promise<void>;
  /** Stops `serveForever`. */
  shutdown(): Promise<void>;
  /** Runs after each request and every `pollInterval`. */
  serviceActions(): void | Promise<void>;
  /** Handles one request, without a loop. */
  handleRequest(): Promise<void>;
  /** Runs when `handleRequest` got no request in time. */
  handleTimeout(): void | Promise<void>;
  /** Returns the number of the socket that the loop waits on. */
  fileno(): number;
  /** Gets a request that is ready. */
  getRequest(): [R, A] | Promise<[R, A]>;
  /** Reports whether to accept a request. */
  verifyRequest(
    request: R,
    clientAddress: A,
  ): boolean | Promise<boolean>;
  /** Tells a client why its request is turned away. */
  rejectRequest(
    request: R,
    clientAddress: A,
    reason: RejectReason,
  ): void | Promise<void>;
  /** Handles a request to its end, or starts a task that does. */
  processRequest(request: R, clientAddress: A): void | Promise<void>;
  /** Creates a handler for a request and runs it. */
  finishRequest(request: R, clientAddress: A): void | Promise<void>;
  /** Ends a request. */
  shutdownRequest(request: R): void | Promise<void>;
  /** Frees the resources of a request. */
  closeRequest(request: R): void | Promise<void>;
  /** Closes the server. */
  serverClose(options?: ServerCloseOptions): Promise<ServerCloseReport>;
  /** Reports an error thrown while handling a request. */
  handleError(
    request: R,
    clientAddress: A,
    error: unknown,
  ): void | Promise<void>;
  /** Runs when `getRequest` has failed and the server goes on. */
  handleAcceptError(error: unknown): void | Promise<void>;
  /** Runs when a limit is reached. */
  handleLimit(
    limit: LimitName,
    clientAddress: A | null,
  ): void | Promise<void>;
  /** Runs when descriptors or memory run out. */
  handleShortage(error: OSError): void | Promise<void>;
  /** Runs when a closing server has waited a second for its requests. */
  handleSlowClose(
    clients: string[],
    seconds: number | null,
  ): void | Promise<void>;
}
