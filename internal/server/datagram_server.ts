/**
 * The base of the servers of datagrams.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { SOCK_DGRAM } from "../base/constants.ts";
import { Socket, stateOf } from "../socket/socket_object.ts";
import { standardGetRequests } from "./handler_class.ts";
import { readyWithin } from "./loop_waiter.ts";
import { noteLimit } from "../requests/note_limit.ts";
import { requestsOf } from "../requests/request_registry.ts";
import { afterDrain } from "./drain.ts";
import type {
  ServerCloseOptions,
  ServerCloseReport,
} from "../stages/server_options.ts";
import { SocketServer } from "./socket_server.ts";
import type { DatagramRequest } from "../stages/stages.ts";
import type { ServerStatus } from "../stages/server_status.ts";

/** The seconds that a closing server waits for a client to read its answers. Arbitrary. */
const FLUSH_SECONDS = 1;

/**
 * The base of the servers of datagrams: {@linkcode UDPServer} and {@linkcode UnixDatagramServer}.
 *
 * @category Servers
 * @typeParam A The type of the addresses.
 */
export abstract class DatagramServer<A extends Address = Address>
  extends SocketServer<DatagramRequest, A> {
  /** `SOCK_DGRAM`. */
  static override socketType: number = SOCK_DGRAM;
  static {
    standardGetRequests.add(this.prototype.getRequest);
  }

  /**
   * Waits for the open requests, which answer on the server's socket, and then closes that socket. Also waits, a
   * second at most, for the clients to read their answers. Datagrams that the server has received and not begun to
   * handle are dropped, as the system drops those in its own buffer, and count as rejected in `status`.
   */
  override async serverClose(
    options: ServerCloseOptions = {},
  ): Promise<ServerCloseReport> {
    try {
      return await super.serverClose(options);
    } finally {
      await afterDrain(this, async () => {
        if (requestsOf(this).limits.blockOnClose) {
          await this.#flush(options.timeout);
        }
        await this.#closeSocket();
      });
    }
  }

  /** Returns a snapshot of the server's counters. The bytes are those of the datagrams. */
  override get status(): ServerStatus {
    const { bytesIn, bytesOut } = stateOf(this.socket).byteCounts;
    return { ...super.status, bytesIn, bytesOut };
  }

  /** Closes the socket. Datagrams that were received and not handled count as rejected. */
  async #closeSocket(): Promise<void> {
    const state = stateOf(this.socket);
    const { datagram } = state;
    this.socket.close();
    await state.released;
    const { ownCounters } = requestsOf(this);
    const unread = datagram?.unread ?? 0;
    ownCounters.accepted += unread;
    ownCounters.rejected += unread;
  }

  async #flush(timeout: number | null = null): Promise<void> {
    const flushed = stateOf(this.socket).datagram?.flushed;
    const seconds = Math.min(FLUSH_SECONDS, timeout ?? Infinity);
    if (flushed !== undefined) await readyWithin(flushed, seconds);
  }

  /** Receives a datagram. Returns a promise only if no datagram waits. May be overridden. */
  override getRequest():
    | [DatagramRequest, A]
    | Promise<[DatagramRequest, A]> {
    const { socket, maxPacketSize } = this;
    const datagram = stateOf(socket).datagram;
    datagram?.markServing(!requestsOf(this).concurrent);
    if (
      !datagram?.pending.ready ||
      socket.recvfrom !== Socket.prototype.recvfrom
    ) return this.#receive();
    const [packet, sender] = datagram.take(maxPacketSize);
    const client = (sender ?? "") as A;
    if (datagram.truncated) this.#noteTruncated(datagram, client);
    return [[packet, socket], client];
  }

  #noteTruncated(datagram: { truncated: boolean }, client: A): void {
    datagram.truncated = false;
    noteLimit(this, "maxPacketSize", client);
  }

  async #receive(): Promise<[DatagramRequest, A]> {
    const [packet, sender] = await this.socket.recvfrom(this.maxPacketSize);
    const client = (sender ?? "") as A;
    const { datagram } = stateOf(this.socket);
    if (datagram?.truncated) this.#noteTruncated(datagram, client);
    return [[packet, this.socket], client];
  }
}
