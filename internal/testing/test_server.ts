/**
 * The server of a handler that runs in a test.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { SOCK_STREAM } from "../base/constants.ts";
import { OSError } from "../base/errors.ts";
import type { HandlerServer } from "../server/stages.ts";
import { endRequest } from "../socket/server_calls.ts";
import { Socket, stateOf } from "../socket/socket_object.ts";

/**
 * What a handler finds in `this.server` while {@linkcode serveRequest} or {@linkcode serveDatagram} runs it: the members
 * that all servers have.
 *
 * @category Testing
 */
export class TestServer implements HandlerServer {
  /** The address of the server. */
  readonly serverAddress: Address;
  /** The value of the option `shared`. */
  readonly shared: unknown;
  /** The value of the option `options`. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Whether the handler has called `shutdown()`. */
  stopped = false;
  readonly #drain = new AbortController();

  /**
   * Creates a server. {@linkcode serveRequest} does so.
   *
   * @param serverAddress The address.
   * @param options The server's own options.
   * @param shared The option `shared`.
   */
  constructor(
    serverAddress: Address,
    options: Readonly<Record<string, unknown>> = {},
    shared?: unknown,
  ) {
    this.serverAddress = serverAddress;
    this.options = options;
    this.shared = shared;
  }

  /** Returns the `signal` of the handler. */
  requestSignal(_request: unknown): AbortSignal {
    return this.#drain.signal;
  }

  /** Notes that the server is to stop. */
  shutdown(): Promise<void> {
    this.stopped = true;
    return Promise.resolve();
  }

  /** Aborts the `signal` of the handler, as a server does that closes. */
  drain(): void {
    this.#drain.abort();
  }

  /** Ends a request as a server does: the end of the stream, and then the close. Does nothing about a datagram. */
  async shutdownRequest(request: unknown): Promise<void> {
    if (!(request instanceof Socket) || request.type !== SOCK_STREAM) return;
    try {
      await endRequest(request);
    } catch (error) {
      if (!(error instanceof OSError)) throw error; // the client is gone, or the handler closed it
    }
    this.closeRequest(request);
  }

  /** Closes a connection and its files. */
  closeRequest(request: unknown): void {
    if (request instanceof Socket) stateOf(request).close(false);
  }
}
