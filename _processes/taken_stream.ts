/**
 * A connection that a child process was given.
 *
 * @module
 */

import type { Socket as NetSocket } from "node:net";
import { NodeStream } from "../_socket/node_stream.ts";
import type { TransportAddr } from "../_socket/transport.ts";

/** A connection that came from another process, with the addresses that this one cannot ask for. */
export class TakenStream extends NodeStream {
  readonly #local: TransportAddr;
  readonly #remote: TransportAddr;

  /**
   * @param socket The connection.
   * @param local The address on this side.
   * @param remote The address on the other side.
   */
  constructor(socket: NetSocket, local: TransportAddr, remote: TransportAddr) {
    super(socket);
    this.#local = local;
    this.#remote = remote;
  }

  override get localAddr(): TransportAddr {
    return this.#local;
  }

  override get remoteAddr(): TransportAddr {
    return this.#remote;
  }
}
