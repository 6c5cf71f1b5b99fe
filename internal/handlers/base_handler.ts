/**
 * The base of all handlers.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { checkHandled, ownHandlers } from "../server/handler_class.ts";
import type { HandlerServer, ServerStages } from "../server/stages.ts";
import type { Socket } from "../socket/socket_object.ts";

/**
 * Handles a request: `setup`, then `handle`, then `finish`. `finish` is called also if `handle` threw, but not if `setup`
 * threw. A subclass overrides `handle`. The server class decides where the handler runs: one at a time, as a task, in a
 * worker, or in a process.
 *
 * @category Handlers
 * @typeParam R The type of a request: a connected socket, for TCP.
 * @typeParam S The server class.
 *
 * @example
 * ```ts
 * import { BaseRequestHandler } from "@socketserver/socketserver";
 *
 * class Echo extends BaseRequestHandler {
 *   override async handle() {
 *     const data = await this.request.recv(1024);
 *     await this.request.sendall(data);
 *   }
 * }
 * ```
 */
export class BaseRequestHandler<
  R = Socket,
  S extends HandlerServer = ServerStages,
> {
  static {
    ownHandlers.add(this.prototype);
  }

  /** The request: a connected socket, or a datagram and the socket to answer on. */
  readonly request: R;
  /** The client's address. */
  readonly clientAddress: Address;
  /** The server. */
  readonly server: S;
  /** The error that `handle` threw, for `finish`. */
  failure: unknown = undefined;

  /**
   * Creates a handler. The work begins with `setup`.
   *
   * @param request The request.
   * @param clientAddress The client's address.
   * @param server The server.
   */
  constructor(request: R, clientAddress: Address, server: S) {
    this.request = request;
    this.clientAddress = clientAddress;
    this.server = server;
  }

  /** Aborted when the server shuts down. Long-running handlers should stop. */
  get signal(): AbortSignal {
    return this.server.requestSignal(this.request);
  }

  /** Does nothing. The server calls `setup` before `handle`. May be extended; call super. */
  setup(): void | Promise<void> {}

  /** Does nothing. A subclass handles the request here. May be overridden. */
  handle(): void | Promise<void> {
    checkHandled(this);
  }

  /** Does nothing. The server calls `finish` after `handle`. May be extended; call super. */
  finish(): void | Promise<void> {}
}
