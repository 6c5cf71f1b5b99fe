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
import type { PendingCalls } from "./pending_calls.ts";
import type { FrameChannel } from "./frame_channel.ts";
import * as P from "./frames.ts";

/** The longest datagram that a frame takes, and IPv6 allows. */
const DATAGRAM_MAX = 65_535;

/** Sends what a handler answers, through the server's own socket. */
export class WorkerDatagramTransport implements BoundedDatagramTransport {
  readonly bounded = true;
  readonly #id: number;
  readonly #channel: FrameChannel;
  readonly #calls: PendingCalls;
  /** The address of the server's socket. */
  readonly addr: TransportAddr;

  /**
   * @param id The number of the request.
   * @param addr The address of the server's socket.
   * @param channel What connects with the main thread.
   * @param calls Where the answers come.
   */
  constructor(
    id: number,
    addr: TransportAddr,
    channel: FrameChannel,
    calls: PendingCalls,
  ) {
    this.#id = id;
    this.addr = addr;
    this.#channel = channel;
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
    return this.#calls.call((call) =>
      this.startSend(p, { call, address: fromTransport(addr), timeout })
    );
  }

  /** Sends the frames of one datagram. */
  startSend(p: Uint8Array, made: P.SendCall): void {
    if (p.length > DATAGRAM_MAX) {
      throw osError("EMSGSIZE", { syscall: "sendto" });
    }
    this.#channel.send(P.SEND_TO, this.#id, P.pack(made));
    this.#channel.send(P.DATA, this.#id, p);
  }

  /** Does nothing: the server owns the socket. */
  close(): void {}
}
