/**
 * The server's datagram socket, for a blocking handler.
 *
 * @module
 */

import { type Failure, fromFailure } from "../handoff/failure.ts";
import type { AddressLike } from "../base/address.ts";
import type { TransportAddr } from "../runtime/transport/transport.ts";
import type { PendingCalls } from "../channel/pending_calls.ts";
import type { FrameChannel } from "../channel/frame_channel.ts";
import type { WorkerDatagramTransport } from "../channel/worker_datagram_transport.ts";
import { Deadline } from "./deadline.ts";

/** Sends a blocking handler's datagrams through the main thread, and blocks until they are sent. */
export class BlockingDatagram {
  readonly #transport: WorkerDatagramTransport;
  readonly #channel: FrameChannel;
  readonly #calls: PendingCalls;

  /**
   * @param transport The transport that sends.
   * @param channel The channel to the main thread.
   * @param calls The calls whose results the main thread sends.
   */
  constructor(
    transport: WorkerDatagramTransport,
    channel: FrameChannel,
    calls: PendingCalls,
  ) {
    this.#transport = transport;
    this.#channel = channel;
    this.#calls = calls;
  }

  /** The address of the server's socket. */
  get addr(): TransportAddr {
    return this.#transport.addr;
  }

  /** Sends one datagram. The main thread looks up the name of a host. */
  send(data: Uint8Array, address: AddressLike, deadline: Deadline): number {
    const timeout = deadline.left;
    let done: { value?: unknown; failure?: Failure } | undefined;
    this.#calls.start(
      (call) => this.#transport.startSend(data, { call, address, timeout }),
      (answer) => done = answer,
    );
    // With timeout 0 the datagram is on its way already; the main thread reports whether it had to wait.
    const limit = deadline.now ? new Deadline(null) : deadline;
    limit.wait(this.#channel, () => done !== undefined, "sendto");
    if (done?.failure !== undefined) throw fromFailure(done.failure);
    return done!.value as number;
  }
}
