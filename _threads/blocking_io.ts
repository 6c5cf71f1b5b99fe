/**
 * What a blocking socket stands on: a connection, or the server's datagram socket.
 *
 * @module
 */

import { osError } from "../_socket/errors.ts";
import type { StreamTransport, TransportAddr } from "../_socket/transport.ts";
import type { Calls } from "./calls.ts";
import type { Channel } from "./channel.ts";
import { type Failure, fromFailure } from "../_remote/failure.ts";
import type { Lane } from "./lane.ts";
import type { RelayDatagram } from "./relay_datagram.ts";

/** The longest a thread sleeps at once, a minute; then it looks at the clock again. Arbitrary. */
const SLEEP_MAX_MS = 60_000;

const NOTHING = new Uint8Array(0);

/** How long a call may take, in seconds: null is without end, 0 is not at all. */
export type Seconds = number | null;

/** Blocks the thread until `ready`, which is asked whenever something came. */
function blockUntil(
  lane: Lane,
  ready: () => boolean,
  seconds: Seconds,
  syscall: string,
): void {
  if (ready()) return;
  if (seconds === 0) {
    lane.drain();
    lane.flush(); // a handler that asks again and again gives the event loop no turn
    if (ready()) return;
    throw osError("EAGAIN", { syscall });
  }
  const due = seconds === null ? Infinity : performance.now() + seconds * 1000;
  while (!ready()) {
    const left = due - performance.now();
    if (left <= 0) {
      const reason = `timed out after ${seconds} s`;
      throw osError("ETIMEDOUT", { syscall, reason });
    }
    lane.block(Math.min(left, SLEEP_MAX_MS));
  }
}

/** A connection whose calls block. */
export class BlockingStream {
  readonly #channel: Channel;
  readonly #lane: Lane;
  /** What was received and given back. */
  #kept: Uint8Array<ArrayBuffer> = NOTHING;
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
  wait(seconds: Seconds): number {
    if (this.#readEnded) return 0;
    if (this.#kept.length > 0) return this.#kept.length;
    const channel = this.#channel;
    blockUntil(this.#lane, () => channel.readable, seconds, "recv");
    return channel.available;
  }

  /** Receives into `target`. */
  recv(target: Uint8Array, seconds: Seconds): number {
    this.wait(seconds);
    if (this.#readEnded) return 0;
    if (this.#kept.length === 0) return this.#channel.take(target);
    const part = this.#kept.subarray(0, target.length);
    target.set(part);
    this.#kept = this.#kept.subarray(part.length);
    return part.length;
  }

  /** Gives back what was received last; it is received again, before the rest. */
  putBack(data: Uint8Array<ArrayBuffer>): void {
    this.#kept = data;
  }

  /** Looks at what comes, at most `size` bytes. */
  peek(size: number, seconds: Seconds): Uint8Array<ArrayBuffer> {
    this.wait(seconds);
    if (this.#readEnded) return NOTHING;
    if (this.#kept.length > 0) return this.#kept.slice(0, size);
    return this.#channel.peek(size);
  }

  /** Sends the start of `data`. */
  send(data: Uint8Array, seconds: Seconds): number {
    if (this.#writeEnded) {
      const reason = "shut down for writing";
      throw osError("EPIPE", { syscall: "send", reason });
    }
    if (data.length === 0) return 0;
    let count = 0;
    const ready = () => (count = this.#channel.put(data)) > 0;
    blockUntil(this.#lane, ready, seconds, "send");
    this.#lane.flush(); // the turn of the event loop, whose end would do that, may be long
    return count;
  }

  /** Later reads are empty. */
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

/** The server's datagram socket, for answers that block. */
export class BlockingDatagram {
  readonly #transport: RelayDatagram;
  readonly #lane: Lane;
  readonly #calls: Calls;

  /**
   * @param transport What sends.
   * @param lane What connects with the main thread.
   * @param calls Where the answers come.
   */
  constructor(transport: RelayDatagram, lane: Lane, calls: Calls) {
    this.#transport = transport;
    this.#lane = lane;
    this.#calls = calls;
  }

  /** The address of the server's socket. */
  get addr(): TransportAddr {
    return this.#transport.addr;
  }

  /** Sends one datagram. */
  send(data: Uint8Array, addr: TransportAddr, seconds: Seconds): number {
    let done: { value?: unknown; failure?: Failure } | undefined;
    this.#calls.begin(
      (call) => this.#transport.begin(data, addr, call),
      (answer) => done = answer,
    );
    // With timeout 0 it is on its way all the same: what a worker sends never has to wait for the network.
    const limit = seconds === 0 ? null : seconds;
    blockUntil(this.#lane, () => done !== undefined, limit, "sendto");
    if (done?.failure !== undefined) throw fromFailure(done.failure);
    return done!.value as number;
  }
}
