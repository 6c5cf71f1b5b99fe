/**
 * The base of the servers of connections.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { OSError } from "../base/errors.ts";
import { acceptNow, endRequest } from "../socket/server_calls.ts";
import { Socket, stateOf } from "../socket/socket_object.ts";
import type { SSLSocket } from "../ssl/ssl_context.ts";
import { ownServers } from "./accept_in.ts";
import { standardGetRequests } from "./handler_class.ts";
import type {
  ServerCloseOptions,
  ServerCloseReport,
} from "../stages/server_options.ts";
import { SocketServer } from "./socket_server.ts";

/**
 * The base of the servers of connections: {@linkcode TCPServer} and {@linkcode UnixStreamServer}.
 *
 * @category Servers
 * @typeParam A The type of the addresses.
 */
export abstract class StreamServer<A extends Address = Address>
  extends SocketServer<Socket, A> {
  static {
    standardGetRequests.add(this.prototype.getRequest);
    ownServers.add(this.prototype);
  }

  /** Listens. May be overridden. */
  override serverActivate(): void | Promise<void> {
    this.socket.listen(this.requestQueueSize);
  }

  /** Stops accepting, closes the listening socket, and then waits as {@linkcode BaseServer.serverClose} does. */
  override async serverClose(
    options: ServerCloseOptions = {},
  ): Promise<ServerCloseReport> {
    const closed = super.serverClose(options);
    this.socket.close();
    const released = stateOf(this.socket).released;
    const [report] = await Promise.all([closed, released]);
    return report;
  }

  /** Accepts a connection. Returns a promise only if no connection waits. May be overridden. */
  override getRequest(): [Socket, A] | Promise<[Socket, A]> {
    const { socket } = this;
    return socket.accept === Socket.prototype.accept
      ? acceptNow(socket) as [Socket, A] | undefined ?? socket.accept()
      : socket.accept();
  }

  /**
   * Reports whether to accept a client of a server with TLS. The server calls this hook after the handshake:
   * `request.getpeercert()` returns the client's certificate. Rejected requests are closed. May be overridden.
   *
   * @param _request The connection.
   * @param _clientAddress The client's address.
   * @returns Whether to accept the request; true here.
   */
  verifyPeer(
    _request: SSLSocket,
    _clientAddress: A,
  ): boolean | Promise<boolean> {
    return true;
  }

  /**
   * Runs after a TLS handshake has failed and the connection is closed. Does nothing here. `status.handshakeErrors`
   * counts these failures. May be overridden.
   *
   * @param _error The error. Its `code` is ETIMEDOUT if the client was too slow, ECONNRESET if the client left, and
   *   otherwise EPROTO, with a `reason`.
   * @param _clientAddress The client's address.
   */
  handleHandshakeError(
    _error: OSError,
    _clientAddress: A,
  ): void | Promise<void> {}

  /**
   * Ends the stream for the client, and then closes the connection. If the client delays the end, as with a TLS
   * handshake that stalls, waits at most for the timeout of the socket, or 2 seconds without one. May be overridden.
   */
  override async shutdownRequest(request: Socket): Promise<void> {
    try {
      await endRequest(request);
    } catch (error) {
      if (!(error instanceof OSError)) throw error; // the client is gone, or the handler closed it
    }
    await this.closeRequest(request);
  }

  /** Closes the connection and its files. May be overridden. */
  override closeRequest(request: Socket): void {
    stateOf(request).close(false);
  }
}
