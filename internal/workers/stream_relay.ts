/**
 * The main thread's end of one connection.
 *
 * @module
 */

import { osError } from "../base/errors.ts";
import { type Socket, stateOf } from "../socket/socket_object.ts";
import type { Stream } from "../socket/stream.ts";
import type { FrameChannel } from "../channel/frame_channel.ts";
import * as P from "../channel/frames.ts";
import { InboundRelay } from "./inbound_relay.ts";
import { OutboundRelay } from "./outbound_relay.ts";

/** Moves bytes between a connection and a worker's rings, and does what the handler asks. */
export class StreamRelay {
  readonly #channel: FrameChannel;
  readonly #id: number;
  readonly #socket: Socket;
  readonly #stream: Stream;
  readonly #inbound: InboundRelay;
  readonly #outbound: OutboundRelay;
  /** Whether the handler has closed the connection. */
  #closed = false;
  /** Resolves when the bytes that were on their way to the worker at its end are back; undefined if there were none. */
  unreadReturned: Promise<void> | undefined;

  /**
   * @param channel What connects with the worker.
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

  /** Tells the worker of the request, and begins to read. */
  open(opening: Pick<P.Opening, "clientAddress">): void {
    const { localAddr, remoteAddr } = this.#stream.transport;
    const timeout = this.#socket.gettimeout();
    const whole: P.Opening = { ...opening, localAddr, remoteAddr, timeout };
    this.#channel.send(P.OPEN, this.#id, P.pack(whole));
    this.#inbound.start();
  }

  /** Takes a frame from the worker. */
  onFrame(type: number, payload: Uint8Array): void {
    if (type === P.DATA) this.#outbound.write(payload);
    else if (type === P.CREDIT) this.#inbound.addCredit(P.uncount(payload));
    else if (type === P.UNREAD) this.#inbound.takeBack(payload);
    else if (type === P.SHUT_WRITE) {
      this.#outbound.whenFlushed(() => this.#shut());
    } else if (type === P.LINGER) this.#outbound.linger();
    else if (type === P.CLOSE) {
      this.#closed = true;
      this.#outbound.linger();
      this.#outbound.whenFlushed(() => stateOf(this.#socket).close(false));
    } else if (type === P.OPTION) this.#setOption(P.unpack(payload)!);
  }

  #setOption({ level, name, value }: P.OptionCall): void {
    try {
      this.#socket.setsockopt(level, name, value);
    } catch {
      // the client is gone, as the next read or write tells: what is wrong with the option, the worker has seen
    }
  }

  #shut(): void {
    try {
      this.#stream.endWrite(null).catch(() => {}); // the client is gone, as the next read or write tells
    } catch {
      // closed underneath
    }
  }

  /**
   * Ends the relay. What the handler has not read is the socket's again.
   *
   * @param received How many bytes had come to the worker; undefined if it has died, and nothing comes back.
   * @returns Resolves when all that the worker sent is written, or cannot be.
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
