/**
 * The stand-in of the server in a worker or a child process: `this.server` of the handlers there.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { SHUT_WR } from "../base/constants.ts";
import { OSError } from "../base/errors.ts";
import type { HandlerServer } from "../stages/handler_types.ts";
import { endRequest } from "../socket/server_calls.ts";
import { Socket, stateOf } from "../socket/socket_object.ts";

/**
 * The facts about a server that its stand-in starts with.
 *
 * @category Handlers
 */
export interface ServerFacts {
  /** The address of the server. */
  serverAddress: Address;
  /** The server's option `shared`. */
  shared: unknown;
  /** The server's options, by name. */
  options: Readonly<Record<string, unknown>>;
}

/** A socket whose calls block the worker. */
interface BlockingConnection {
  shutdown(how: number): void;
  close(): void;
}

/**
 * A stand-in of a server, for handlers that run apart from the server.
 *
 * @category Handlers
 */
export abstract class ServerStub implements HandlerServer<Address> {
  /** The address of the server. */
  readonly serverAddress: Address;
  /** The server's option `shared`. */
  readonly shared: unknown;
  /** The server's options, by name. */
  readonly options: Readonly<Record<string, unknown>>;

  /**
   * Creates a stand-in.
   *
   * @param facts The facts about the server.
   */
  constructor(facts: ServerFacts) {
    this.serverAddress = facts.serverAddress;
    this.shared = facts.shared;
    this.options = facts.options;
  }

  /** Returns the signal of a request. It is aborted when the server shuts down. */
  abstract requestSignal(request: unknown): AbortSignal;

  /** Calls the server's `shutdown`. */
  abstract shutdown(): Promise<void>;

  /** Ends the stream of a request, and closes the connection. A blocking socket is closed when this method returns. */
  shutdownRequest(request: unknown): void | Promise<void> {
    if (request instanceof Socket) return endAndClose(request);
    if (Array.isArray(request)) return;
    const connection = request as BlockingConnection;
    try {
      connection.shutdown(SHUT_WR);
    } catch (error) {
      if (!(error instanceof OSError)) throw error; // the client is gone, or the handler closed it
    }
    connection.close();
  }

  /** Closes the connection of a request. */
  closeRequest(request: unknown): void {
    if (request instanceof Socket) stateOf(request).close(false);
    else if (!Array.isArray(request)) (request as BlockingConnection).close();
  }
}

/** Ends the stream of a request, and closes the connection. */
export async function endAndClose(request: Socket): Promise<void> {
  try {
    await endRequest(request);
  } catch (error) {
    if (!(error instanceof OSError)) throw error; // the client is gone, or the handler closed it
  }
  stateOf(request).close(false);
}
