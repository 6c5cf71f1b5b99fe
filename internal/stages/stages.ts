/**
 * The stages of a server, as the loop and the handlers call them, and the types of its requests and addresses.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import type { Bytes } from "../base/memory.ts";
import type { OSError } from "../base/errors.ts";
import type { Socket } from "../socket/socket_object.ts";
import type {
  HandlerServer,
  RequestHandlerConstructor,
} from "./handler_types.ts";
import type { LimitName, RejectReason, ServerStatus } from "./server_status.ts";
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
 * The type of an address that a server's constructor takes: a path string for the Unix servers, `[host, port]` for the
 * others.
 *
 * @category Servers
 * @typeParam A The type of the server's addresses.
 */
export type ServerAddress<A extends Address> = A extends string ? string
  : readonly [host: string, port: number];

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
  /** The seconds that `await using` and `serve` wait for the open requests; null is no limit. */
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
