/**
 * The interfaces between handlers and servers: a handler as its server runs it, and a server as its handlers see it.
 *
 * @module
 */

import type { Address, InetAddress } from "../base/address.ts";

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
 * The server of a handler, with any addresses, `shared` and options.
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
