/**
 * The server's datagram socket, as far as a worker has it: for answers.
 *
 * @module
 */

import { fromTransport } from "../base/address.ts";
import { secondsLeft, type WaitLimit } from "../waiting/timeouts.ts";
import { osError } from "../base/errors.ts";
import type {
  BoundedDatagramTransport,
  TransportAddr,
} from "../runtime/transport.ts";
import type { Calls } from "./worker_calls.ts";
import type { Lane } from "./lane.ts";
import * as P from "./frames.ts";

/** The longest datagram that a frame takes, and IPv6 allows. */
const DATAGRAM_MAX = 65_535;

/** Sends what a handler answers, through the server's own socket. */
export class RelayDatagram implements BoundedDatagramTransport {
  readonly bounded = true;
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

  /** Sends one datagram; resolves to the count of bytes. The main thread keeps the limit. */
  send(
    p: Uint8Array,
    addr: TransportAddr,
    limit: WaitLimit = null,
  ): Promise<number> {
    const timeout = secondsLeft(limit);
    return this.#calls.ask((call) =>
      this.begin(p, { call, address: fromTransport(addr), timeout })
    );
  }

  /** Sends the frames of one datagram. */
  begin(p: Uint8Array, made: P.SendCall): void {
    if (p.length > DATAGRAM_MAX) {
      throw osError("EMSGSIZE", { syscall: "sendto" });
    }
    this.#lane.send(P.SEND_TO, this.#id, P.pack(made));
    this.#lane.send(P.DATA, this.#id, p);
  }

  /** Does nothing: the server owns the socket. */
  close(): void {}
}
