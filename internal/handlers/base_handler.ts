/**
 * The base of all handlers.
 *
 * @module
 */

import { checkHandled, ownHandlers } from "../server/handler_class.ts";
import { waitForRequest } from "../requests/wait_for_request.ts";
import { requestsOf } from "../requests/request_registry.ts";
import type {
  AddressOf,
  AnyHandlerServer,
  HandlerServer,
} from "../stages/handler_types.ts";
import type { Socket } from "../socket/socket_object.ts";

/**
 * Handles a request: `setup`, then `handle`, then `finish`. `finish` is called also if `handle` threw, but not if `setup`
 * threw. A subclass overrides `handle`. The server class decides where the handler runs: one at a time, as a task, in a
 * worker, or in a process.
 *
 * @category Handlers
 * @typeParam R The type of a request: a connected socket, for TCP.
 * @typeParam S The server, if the handler needs more of the server than {@linkcode HandlerServer} has.
 *
 * @example
 * ```ts
 * import { strictEqual } from "node:assert/strict";
 * import { BaseRequestHandler, createConnection, TCPServer } from "@socketserver/socketserver";
 *
 * class Echo extends BaseRequestHandler {
 *   override async handle() {
 *     const data = await this.request.recv(1024);
 *     await this.request.sendall(data);
 *   }
 * }
 *
 * await using server = new TCPServer(["127.0.0.1", 0], Echo);
 * server.serveForever();
 *
 * using client = await createConnection(server.serverAddress);
 * await client.sendall(new TextEncoder().encode("hello"));
 * strictEqual(new TextDecoder().decode(await client.recv(1024)), "hello");
 * ```
 */
export class BaseRequestHandler<
  R = Socket,
  S extends AnyHandlerServer = HandlerServer,
> {
  static {
    ownHandlers.add(this.prototype);
  }

  /** The client's address. */
  readonly clientAddress: AddressOf<S>;
  /** The server: the members that exist in all four ways to run a handler, or the server that the class names. */
  readonly server: S;
  /** The error that `handle` threw, for `finish`. */
  failure: unknown = undefined;
  #request: R;

  /**
   * Creates a handler. The work begins with `setup`.
   *
   * @param request The request.
   * @param clientAddress The client's address.
   * @param server The server.
   */
  constructor(request: R, clientAddress: AddressOf<S>, server: S) {
    this.#request = request;
    this.clientAddress = clientAddress;
    this.server = server;
  }

  /**
   * The request: a connected socket, or a datagram and the socket to answer on. `setup` may put another one in its place
   * before it calls `super.setup()`, such as the same connection over TLS. The server then ends that one.
   */
  get request(): R {
    return this.#request;
  }

  set request(request: R) {
    requestsOf(this.server).replace(this.#request, request);
    this.#request = request;
  }

  /**
   * Aborted when the server shuts down, and, with a `TimeoutError` as its reason, when the request is over the
   * server's `requestTimeout` or `idleTimeout`. Long-running handlers should stop.
   */
  get signal(): AbortSignal {
    return this.server.requestSignal(this.request);
  }

  /**
   * Waits for the first byte of the next message: call this method between two messages of a connection, before the read
   * of a line or a frame. When the server shuts down, such a wait ends at once, so that a client that is silent does not
   * delay the end. A message whose first byte has arrived is still handled. No byte is read.
   *
   * @returns Whether the next message begins. False at the end of the stream, at the server's `idleTimeout`, and if the
   *   server shuts down: return from `handle` then. A handler that blocks gets the value itself.
   * @throws {OSError} if the connection fails, or the wait takes longer than its timeout.
   * @throws {TypeError} if the request is not a connection.
   */
  waitForRequest(): boolean | Promise<boolean> {
    return waitForRequest(this.server, this.request);
  }

  /**
   * Prepares for the request. The server calls `setup` before `handle`. Does nothing here. May be extended; call super.
   */
  setup(): void | Promise<void> {}

  /**
   * Handles the request. Does nothing here. May be overridden.
   *
   * @throws {TypeError} if the class has methods, but none that the server calls.
   */
  handle(): void | Promise<void> {
    checkHandled(this);
  }

  /** Cleans up. The server calls `finish` after `handle`. Does nothing here. May be extended; call super. */
  finish(): void | Promise<void> {}
}
