/**
 * The interfaces between servers, handlers and the loop. Each of the three imports these interfaces only.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
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
  /** Requests under way. */
  active: number;
  /** Requests got so far. */
  accepted: number;
  /** Requests closed because `verifyRequest` rejected them, at a limit, or while the server closed. */
  rejected: number;
  /** Failures of `getRequest` that the server passed over: the client was gone, or its handshake failed. */
  transientErrors: number;
  /** Failures of `getRequest` for lack of descriptors or memory. The server pauses after each. */
  resourceErrors: number;
}

/**
 * The part of a server that a handler relies on.
 *
 * @category Handlers
 */
export interface HandlerServer {
  /** Returns a signal for the handler of a request. The signal is aborted when the server shuts down. */
  // deno-lint-ignore no-explicit-any
  requestSignal(request: any): AbortSignal;
}

/**
 * The server of a handler in a worker, `this.server`: the address and the options, but no socket.
 *
 * @category Handlers
 * @typeParam T The type of the server's option `shared`.
 */
export interface WorkerServer<T = unknown> extends HandlerServer {
  /** The address of the server. */
  readonly serverAddress: Address;
  /** The server's option `shared`, as a structured clone. A `SharedArrayBuffer` in it is truly shared. */
  readonly shared: T;
  /** The server's other options, by name. */
  readonly options: Readonly<Record<string, unknown>>;
  /**
   * Stops the server's loop, as the server's own `shutdown` does.
   *
   * @returns A promise that resolves when the server gets no further request.
   */
  shutdown(): Promise<void>;
}

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
  readonly server: HandlerServer;
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
 */
// deno-lint-ignore no-explicit-any
export type RequestHandlerConstructor<R = any> = new (
  request: R,
  clientAddress: Address,
  // deno-lint-ignore no-explicit-any
  server: any,
) => RequestHandler;

/**
 * The stages and attributes of a server. {@linkcode BaseServer} implements this interface and documents the members;
 * handlers see their server through it.
 *
 * @category Servers
 * @typeParam R The type of a request.
 */
export interface ServerStages<R = unknown>
  extends HandlerServer, AsyncDisposable {
  /** The address of the server. */
  serverAddress: Address;
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
  serverActivate(): void;
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
  getRequest(): [R, Address] | Promise<[R, Address]>;
  /** Reports whether to accept a request. */
  verifyRequest(
    request: R,
    clientAddress: Address,
  ): boolean | Promise<boolean>;
  /** Handles a request to its end, or starts a task that does. */
  processRequest(request: R, clientAddress: Address): void | Promise<void>;
  /** Creates a handler for a request and runs it. */
  finishRequest(request: R, clientAddress: Address): void | Promise<void>;
  /** Ends a request. */
  shutdownRequest(request: R): void | Promise<void>;
  /** Frees the resources of a request. */
  closeRequest(request: R): void | Promise<void>;
  /** Closes the server. */
  serverClose(options?: ServerCloseOptions): Promise<ServerCloseReport>;
  /** Reports an error thrown while handling a request. */
  handleError(
    request: R,
    clientAddress: Address,
    error: unknown,
  ): void | Promise<void>;
  /** Runs when `getRequest` has failed and the server goes on. */
  handleAcceptError(error: unknown): void | Promise<void>;
  /** Runs when descriptors or memory run out. */
  handleShortage(error: OSError): void | Promise<void>;
  /** Runs when a closing server has waited a second for its requests. */
  handleSlowClose(
    clients: string[],
    seconds: number | null,
  ): void | Promise<void>;
}
