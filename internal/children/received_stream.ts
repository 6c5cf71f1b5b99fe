/**
 * A connection that a child process was given.
 *
 * @module
 */

import type { Socket as NetSocket } from "node:net";
import { NodeStream } from "../runtime/node_stream.ts";
import type { TransportAddr } from "../runtime/transport.ts";

/** A connection that came from another process, with the addresses that this one cannot ask for. */
export class ReceivedStream extends NodeStream {
  readonly #socket: NetSocket;
  readonly #local: TransportAddr | undefined;
  readonly #remote: TransportAddr | undefined;

  /**
   * @param socket The connection.
   * @param local The address on this side; undefined asks the connection.
   * @param remote The address on the other side, likewise.
   */
  constructor(
    socket: NetSocket,
    local?: TransportAddr,
    remote?: TransportAddr,
  ) {
    socket.allowHalfOpen = true; // it was on the other side, and that does not come along
    super(socket);
    this.#socket = socket;
    this.#local = local;
    this.#remote = remote;
  }

  override get localAddr(): TransportAddr {
    return this.#local ?? super.localAddr;
  }

  override get remoteAddr(): TransportAddr {
    return this.#remote ?? super.remoteAddr;
  }

  /** Whether the client has ended its side, and that was read. */
  get ended(): boolean {
    return this.#socket.readableEnded;
  }
}
