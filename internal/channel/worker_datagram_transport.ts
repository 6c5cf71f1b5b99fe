/**
 * The server's datagram socket in a worker: it sends answers.
 *
 * @module
 */

import { fromTransport } from "../base/address.ts";
import { untilAborted } from "../waiting/abort.ts";
import { secondsLeft, signalOf, type WaitLimit } from "../waiting/timeouts.ts";
import { osError } from "../base/translate_error.ts";
import type {
  BoundedDatagramTransport,
  TransportAddr,
} from "../runtime/transport/transport.ts";
import type { PendingCalls } from "./pending_calls.ts";
import type { FrameChannel } from "./frame_channel.ts";
import * as frames from "./frames.ts";

/** The longest datagram in bytes that IPv6 allows; it fits into one frame. */
const DATAGRAM_MAX = 65_535;

/** Sends a handler's datagrams through the server's own socket, in the main thread. */
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
   * @param channel The channel to the main thread.
   * @param calls The calls whose results the main thread sends.
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

  /** Rejects with EOPNOTSUPP: each datagram is a request of its own. */
  receive(): Promise<never> {
    const reason = "in a worker each datagram is a request of its own";
    return Promise.reject(osError("EOPNOTSUPP", { syscall: "recv", reason }));
  }

  /** Sends one datagram. Resolves to the count of bytes. The main thread keeps the time limit. */
  send(
    p: Uint8Array,
    addr: TransportAddr,
    limit: WaitLimit = null,
  ): Promise<number> {
    const timeout = secondsLeft(limit);
    const send = () =>
      this.#calls.call<number>((call) =>
        this.startSend(p, { call, address: fromTransport(addr), timeout })
      );
    return untilAborted(send, signalOf(limit));
  }

  /** Sends the frames of one datagram, and does not wait for the result. */
  startSend(p: Uint8Array, made: frames.SendCall): void {
    if (p.length > DATAGRAM_MAX) {
      throw osError("EMSGSIZE", { syscall: "sendto" });
    }
    this.#channel.send(frames.SEND_TO, this.#id, frames.pack(made));
    this.#channel.send(frames.DATA, this.#id, p);
  }

  /** Does nothing: the server owns the socket. */
  close(): void {}
}
