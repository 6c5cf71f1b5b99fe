/**
 * The server's datagram socket, as far as a worker has it: for answers.
 *
 * @module
 */

import { type AddressLike, fromTransport } from "../_socket/address.ts";
import { osError } from "../_socket/errors.ts";
import type { DatagramTransport, TransportAddr } from "../_socket/transport.ts";
import type { Calls } from "./calls.ts";
import type { Lane } from "./lane.ts";
import * as P from "./protocol.ts";

/** The longest datagram that a frame takes, and IPv6 allows. */
const DATAGRAM_MAX = 65_535;

/** Sends what a handler answers, through the server's own socket. */
export class RelayDatagram implements DatagramTransport {
  readonly #id: number;
  readonly #lane: Lane;
  readonly #calls: Calls;
  /** The address of the server's socket. */
  readonly addr: TransportAddr;

  /**
   * @param id The number of the request.
   * @param addr The address of the server's socket.
   * @param lane What connects with the main thread.
   * @param calls Where the answers come.
   */
  constructor(id: number, addr: TransportAddr, lane: Lane, calls: Calls) {
    this.#id = id;
    this.addr = addr;
    this.#lane = lane;
    this.#calls = calls;
  }

  /** There is nothing to receive: each datagram is a request of its own. */
  receive(): Promise<never> {
    const reason = "in a worker each datagram is a request of its own";
    return Promise.reject(osError("EOPNOTSUPP", { syscall: "recv", reason }));
  }

  /** Sends one datagram; resolves to the count of bytes. */
  send(p: Uint8Array, addr: TransportAddr): Promise<number> {
    return this.#calls.ask((call) => this.begin(p, fromTransport(addr), call));
  }

  /** Sends the frames of one datagram. */
  begin(p: Uint8Array, address: AddressLike, call: number): void {
    if (p.length > DATAGRAM_MAX) {
      throw osError("EMSGSIZE", { syscall: "sendto" });
    }
    const made: P.SendCall = { call, address };
    this.#lane.send(P.SEND_TO, this.#id, P.pack(made));
    this.#lane.send(P.DATA, this.#id, p);
  }

  /** Does nothing: the server owns the socket. */
  close(): void {}
}
