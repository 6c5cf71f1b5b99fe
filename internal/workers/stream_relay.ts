/**
 * The main thread's side of a connection that a worker handles.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import type { OSError } from "../base/errors.ts";
import { osError } from "../base/translate_error.ts";
import { headerBytesOf } from "../proxy/known_headers.ts";
import { type Socket, stateOf } from "../socket/socket_object.ts";
import type { Stream } from "../socket/stream.ts";
import { sessionFacts } from "../ssl/forwarded_socket.ts";
import type { FrameChannel } from "../channel/frame_channel.ts";
import * as frames from "../channel/frames.ts";
import { InboundRelay } from "./inbound_relay.ts";
import { OutboundRelay } from "./outbound_relay.ts";

/** Moves bytes between a connection and a worker, and carries out the handler's calls. */
export class StreamRelay {
  readonly #channel: FrameChannel;
  readonly #id: number;
  readonly #socket: Socket;
  readonly #stream: Stream;
  readonly #inbound: InboundRelay;
  readonly #outbound: OutboundRelay;
  /** Whether the handler has closed the connection. */
  #closed = false;
  /** Resolves when the worker has given back the unread bytes on their way to it; undefined if there were none. */
  unreadReturned: Promise<void> | undefined;

  /**
   * @param channel The channel to the worker.
   * @param id The number of the request.
   * @param socket The connection.
   */
  constructor(channel: FrameChannel, id: number, socket: Socket) {
    const stream = stateOf(socket).stream;
    if (stream === undefined) {
      const reason = "the request is not connected";
      throw osError("ENOTCONN", { syscall: "run the handler", reason });
    }
    this.#channel = channel;
    this.#id = id;
    this.#socket = socket;
    this.#stream = stream;
    this.#inbound = new InboundRelay(channel, id, stream);
    this.#outbound = new OutboundRelay(channel, id, stream);
  }

  /** Sends the request to the worker, and starts reading. */
  open(clientAddress: Address): void {
    const { localAddr, remoteAddr } = this.#stream.transport;
    const opening: frames.Opening = {
      clientAddress,
      localAddr,
      remoteAddr,
      timeout: this.#socket.gettimeout(),
      tls: sessionFacts(this.#socket),
      proxy: headerBytesOf(this.#socket)?.toBase64(),
    };
    this.#channel.send(frames.OPEN, this.#id, frames.pack(opening));
    this.#inbound.start();
  }

  /** Handles a frame from the worker. */
  onFrame(type: number, payload: Uint8Array): void {
    if (type === frames.DATA) this.#outbound.write(payload);
    else if (type === frames.CREDIT) {
      this.#inbound.addCredit(frames.uncount(payload));
    } else if (type === frames.UNREAD) this.#inbound.takeBack(payload);
    else if (type === frames.SHUT_WRITE) {
      this.#outbound.whenFlushed(() => this.#shut());
    } else if (type === frames.LINGER) this.#outbound.linger();
    else if (type === frames.CLOSE) {
      this.#closed = true;
      this.#outbound.linger();
      this.#outbound.whenFlushed(() => stateOf(this.#socket).close(false));
    } else if (type === frames.ABORT) this.#abort();
    else if (type === frames.OPTION) this.#setOption(frames.unpack(payload)!);
  }

  #setOption({ level, name, value }: frames.OptionCall): void {
    try {
      this.#socket.setsockopt(level, name, value);
    } catch {
      // the client is gone, and the next read or write fails; the worker has checked the option
    }
  }

  /** Tells the worker that the time of the request is up, and moves no more bytes. The caller closes the connection. */
  expire(error: OSError): void {
    this.#closed = true;
    this.#channel.send(frames.EXPIRE, this.#id, frames.packFailure(error));
    this.#channel.send(frames.ABORT_SIGNAL, this.#id);
    this.#inbound.stop();
    this.#outbound.abort(error);
  }

  #abort(): void {
    this.#closed = true;
    stateOf(this.#socket).close(true);
    this.#outbound.abort();
  }

  #shut(): void {
    try {
      this.#stream.endWrite(null).catch(() => {}); // the client is gone, and the next read or write fails
    } catch {
      // the transport is closed
    }
  }

  /**
   * Ends the relay. The bytes that the handler has not read go back to the socket.
   *
   * @param received The count of bytes that had come to the worker; undefined if the worker has died.
   * @returns Resolves when all bytes of the worker are written or have failed.
   */
  async end(received?: number): Promise<void> {
    if (received === undefined || this.#closed) this.#inbound.stop();
    else this.unreadReturned = this.#inbound.end(received);
    this.#outbound.linger();
    const flushed = new Promise<void>((resolve) =>
      this.#outbound.whenFlushed(resolve)
    );
    await this.unreadReturned;
    await flushed;
  }
}
