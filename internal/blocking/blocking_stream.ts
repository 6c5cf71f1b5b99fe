/**
 * A connection whose calls block.
 *
 * @module
 */

import { joinBytes } from "../base/arguments.ts";
import { memory } from "../base/memory.ts";
import { osError } from "../base/errors.ts";
import type { Bytes } from "../base/memory.ts";
import type { StreamTransport, TransportAddr } from "../runtime/transport.ts";
import type { WorkerStream } from "../channel/worker_stream.ts";
import type { FrameChannel } from "../channel/frame_channel.ts";
import type { Deadline } from "./deadline.ts";

/** A connection in a worker, for a handler that blocks it. */
export class BlockingStream {
  readonly #stream: WorkerStream;
  readonly #channel: FrameChannel;
  #readEnded = false;
  #writeEnded = false;
  /** While a call sends: what others send meanwhile, as abort listeners can that run while it blocks. */
  #later: Uint8Array[] | undefined;

  /**
   * @param stream The worker's end of the connection.
   * @param channel What connects with the main thread.
   */
  constructor(stream: WorkerStream, channel: FrameChannel) {
    this.#stream = stream;
    this.#channel = channel;
  }

  /** The address on this side. */
  get localAddr(): TransportAddr {
    return this.#stream.opening.localAddr;
  }

  /** The address on the other side. */
  get remoteAddr(): TransportAddr {
    return this.#stream.opening.remoteAddr!;
  }

  /** What options are set on. */
  get options(): StreamTransport {
    return this.#stream as unknown as StreamTransport;
  }

  /** Waits until there is something to read, and says how much; 0 is the end of the stream. */
  #wait(deadline: Deadline): number {
    const stream = this.#stream;
    const ready = () => this.#readEnded || stream.readable; // an abort listener may end it
    if (this.#readEnded) this.#channel.receive(); // only what has arrived
    else deadline.wait(this.#channel, ready, "recv");
    return stream.available;
  }

  /** Receives at most `size` bytes. */
  recv(size: number, deadline: Deadline): Bytes {
    const target = memory(Math.min(size, this.#wait(deadline)));
    this.#stream.take(target); // throws what reading failed with, once
    return target;
  }

  /** Receives into `target`. */
  recvInto(target: Uint8Array, deadline: Deadline): number {
    this.#wait(deadline);
    return this.#stream.take(target);
  }

  /** Receives `size` bytes; fewer at the end of the stream, or where it must not wait. */
  recvAll(size: number, deadline: Deadline): Bytes {
    const pieces: Bytes[] = [];
    try {
      for (let left = size; left > 0;) {
        const piece = this.recv(left, deadline);
        if (piece.length === 0) break;
        pieces.push(piece);
        left -= piece.length;
        if (deadline.now) break;
      }
    } catch (error) {
      if (pieces.length > 0) this.#stream.putBack(joinBytes(pieces));
      throw error;
    }
    return joinBytes(pieces);
  }

  /** Looks at what comes, at most `size` bytes. */
  peek(size: number, deadline: Deadline): Bytes {
    this.#wait(deadline);
    return this.#stream.peek(size);
  }

  #checkWrite(syscall: string): void {
    if (!this.#writeEnded) return;
    throw osError("EPIPE", { syscall, reason: "shut down for writing" });
  }

  /** Sends the start of `data`; all of it if there is no limit of time, as blocking sockets do. */
  send(data: Uint8Array, deadline: Deadline): number {
    if (!deadline.endless) return this.#inTurn(data, deadline, "send", false);
    this.#inTurn(data, deadline, "send", true);
    return data.length;
  }

  /** Sends all of `data`; the time is for all of it. */
  sendall(data: Uint8Array, deadline: Deadline, syscall = "send"): void {
    this.#inTurn(data, deadline, syscall, true);
  }

  /** Sends `data`, or the start of it, and then what was sent meanwhile. Returns how much of `data` was taken. */
  #inTurn(
    data: Uint8Array,
    deadline: Deadline,
    syscall: string,
    whole: boolean,
  ): number {
    this.#channel.receive(); // which tells that the client is gone, while there is still room to send
    this.#checkWrite(syscall);
    if (this.#later !== undefined) {
      this.#later.push(data.slice());
      return data.length;
    }
    const later: Uint8Array[] = this.#later = [];
    try {
      const count = this.#put(data, deadline, syscall, whole);
      for (const each of later) this.#put(each, deadline, syscall, true);
      return count;
    } finally {
      this.#later = undefined;
      this.#channel.flush(); // the turn of the event loop, whose end would do that, may be long
    }
  }

  /** Waits for room and sends into it, until all is sent or, if a part is enough, once. */
  #put(
    data: Uint8Array,
    deadline: Deadline,
    syscall: string,
    whole: boolean,
  ): number {
    let sent = 0;
    const ready = () => {
      this.#checkWrite(syscall); // an abort listener may have ended it
      const count = this.#stream.put(sent > 0 ? data.subarray(sent) : data);
      sent += count;
      return count > 0;
    };
    while (sent < data.length && (whole || sent === 0)) {
      deadline.wait(this.#channel, ready, "send");
    }
    return sent;
  }

  /** No read waits any more: the end of the stream comes after what has arrived. */
  endRead(): void {
    this.#readEnded = true;
  }

  /** The peer sees the end. */
  endWrite(): void {
    if (!this.#writeEnded) this.#stream.shutWrite();
    this.#writeEnded = true;
    this.#channel.flush();
  }

  /** Closes the connection. */
  close(): void {
    this.#stream.close();
    this.#channel.flush();
  }
}
