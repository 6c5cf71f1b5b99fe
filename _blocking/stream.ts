/**
 * A connection whose calls block.
 *
 * @module
 */

import { joinBytes } from "../_socket/check.ts";
import { memory } from "../_socket/memory.ts";
import { osError } from "../_socket/errors.ts";
import type { Bytes } from "../_socket/read_memory.ts";
import type { StreamTransport, TransportAddr } from "../_socket/transport.ts";
import type { Channel } from "../_threads/channel.ts";
import type { Lane } from "../_threads/lane.ts";
import type { Deadline } from "./wait.ts";

/** A connection in a worker, for a handler that blocks it. */
export class BlockingStream {
  readonly #channel: Channel;
  readonly #lane: Lane;
  #readEnded = false;
  #writeEnded = false;

  /**
   * @param channel The worker's end of the connection.
   * @param lane What connects with the main thread.
   */
  constructor(channel: Channel, lane: Lane) {
    this.#channel = channel;
    this.#lane = lane;
  }

  /** The address on this side. */
  get localAddr(): TransportAddr {
    return this.#channel.opening.localAddr;
  }

  /** The address on the other side. */
  get remoteAddr(): TransportAddr {
    return this.#channel.opening.remoteAddr!;
  }

  /** What options are set on. */
  get options(): StreamTransport {
    return this.#channel as unknown as StreamTransport;
  }

  /** Waits until there is something to read, and says how much; 0 is the end of the stream. */
  #wait(deadline: Deadline): number {
    const channel = this.#channel;
    if (this.#readEnded) this.#lane.drain(); // only what has arrived
    else deadline.wait(this.#lane, () => channel.readable, "recv");
    return channel.available;
  }

  /** Receives at most `size` bytes. */
  recv(size: number, deadline: Deadline): Bytes {
    const target = memory(Math.min(size, this.#wait(deadline)));
    this.#channel.take(target); // throws what reading failed with, once
    return target;
  }

  /** Receives into `target`. */
  recvInto(target: Uint8Array, deadline: Deadline): number {
    this.#wait(deadline);
    return this.#channel.take(target);
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
      if (pieces.length > 0) this.#channel.putBack(joinBytes(pieces));
      throw error;
    }
    return joinBytes(pieces);
  }

  /** Looks at what comes, at most `size` bytes. */
  peek(size: number, deadline: Deadline): Bytes {
    this.#wait(deadline);
    return this.#channel.peek(size);
  }

  #checkWrite(syscall: string): void {
    if (!this.#writeEnded) return;
    throw osError("EPIPE", { syscall, reason: "shut down for writing" });
  }

  #send(data: Uint8Array, deadline: Deadline): number {
    if (data.length === 0) return 0;
    let count = 0;
    const ready = () => (count = this.#channel.put(data)) > 0;
    deadline.wait(this.#lane, ready, "send");
    return count;
  }

  /** Sends the start of `data`. */
  send(data: Uint8Array, deadline: Deadline): number {
    this.#checkWrite("send");
    const count = this.#send(data, deadline);
    this.#lane.flush(); // the turn of the event loop, whose end would do that, may be long
    return count;
  }

  /** Sends all of `data`; the time is for all of it. */
  sendall(data: Uint8Array, deadline: Deadline, syscall = "send"): void {
    this.#checkWrite(syscall);
    for (let rest = data; rest.length > 0;) {
      rest = rest.subarray(this.#send(rest, deadline));
    }
    this.#lane.flush();
  }

  /** No read waits any more: the end of the stream comes after what has arrived. */
  endRead(): void {
    this.#readEnded = true;
  }

  /** The peer sees the end. */
  endWrite(): void {
    if (!this.#writeEnded) this.#channel.shutWrite();
    this.#writeEnded = true;
    this.#lane.flush();
  }

  /** Closes the connection. */
  close(): void {
    this.#channel.close();
    this.#lane.flush();
  }
}
