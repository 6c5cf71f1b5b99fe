/**
 * The main thread's side of a datagram that a worker handles.
 *
 * @module
 */

import { sendtoWithin } from "../socket/server_calls.ts";
import { Socket, stateOf } from "../socket/socket_object.ts";
import type { Address } from "../base/address.ts";
import type { OSError } from "../base/errors.ts";
import { osError } from "../base/translate_error.ts";
import { inspect } from "../runtime/system/deno_api.ts";
import type { FrameChannel } from "../channel/frame_channel.ts";
import { answer } from "../channel/pending_calls.ts";
import * as frames from "../channel/frames.ts";

/** Passes a datagram to a worker, and sends the handler's answers from the server's own socket. */
export class DatagramRelay {
  readonly #channel: FrameChannel;
  readonly #id: number;
  readonly #packet: Uint8Array;
  readonly #socket: Socket;
  #sending: frames.SendCall | undefined;
  /** Resolves when all answers so far have been sent. */
  #sent: Promise<void> = Promise.resolve();

  /**
   * @param channel The channel to the worker.
   * @param id The number of the request.
   * @param request The datagram and the server's socket.
   */
  constructor(
    channel: FrameChannel,
    id: number,
    [packet, socket]: readonly [Uint8Array, Socket],
  ) {
    this.#channel = channel;
    this.#id = id;
    this.#packet = packet;
    this.#socket = socket;
  }

  /** Sends the request to the worker. */
  open(clientAddress: Address): void {
    const localAddr = stateOf(this.#socket).datagram?.transport.addr;
    if (localAddr === undefined) {
      throw osError("EBADF", { syscall: "run the handler" });
    }
    const opening: frames.Opening = { clientAddress, localAddr, timeout: null };
    this.#channel.send(frames.OPEN, this.#id, frames.pack(opening));
    this.#channel.send(frames.DATA, this.#id, this.#packet);
  }

  /** Always undefined: a datagram is read as a whole, and no bytes come back. */
  readonly unreadReturned = undefined;

  /** Handles a frame from the worker. */
  onFrame(type: number, payload: Uint8Array): void {
    if (type === frames.SEND_TO) this.#sending = frames.unpack(payload);
    if (type !== frames.DATA || this.#sending === undefined) return;
    const { call, address, timeout } = this.#sending;
    this.#sending = undefined;
    const data = new Uint8Array(payload);
    const sent = sendtoWithin(this.#socket, data, address, timeout);
    const answered = answer(this.#channel, call, sent);
    this.#sent = this.#sent.then(() => answered);
  }

  /** Tells the worker that the time of the request is up. */
  expire(error: OSError): void {
    this.#channel.send(frames.EXPIRE, this.#id, frames.packFailure(error));
    this.#channel.send(frames.ABORT_SIGNAL, this.#id);
  }

  /** Ends the relay. Resolves when the answers have been sent. */
  end(): Promise<void> {
    return this.#sent;
  }
}

/** Returns a request that is a datagram with its socket. Throws a TypeError for anything else. */
export function checkDatagram(request: unknown): [Uint8Array, Socket] {
  if (
    Array.isArray(request) && request[0] instanceof Uint8Array &&
    request[1] instanceof Socket
  ) return [request[0], request[1]];
  throw new TypeError(
    `Cannot run the handler in a worker: a request must be a Socket or [packet, socket], got ${
      inspect(request, { depth: 0 })
    }`,
  );
}
