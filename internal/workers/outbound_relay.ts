/**
 * The way from a worker to a connection.
 *
 * @module
 */

import { joinBytes } from "../base/arguments.ts";
import { osError, translate } from "../base/errors.ts";
import { LINGER_MS, type Stream } from "../socket/stream.ts";
import { acquireBuffer, releaseBuffer } from "./relay_buffers.ts";
import type { FrameChannel } from "../channel/frame_channel.ts";
import * as P from "../channel/frames.ts";

/**
 * Writes what the worker sends, and keeps at most a window that the client has not taken yet. It writes to
 * the transport itself, when the socket has nothing left to write: nobody else writes to a relayed connection.
 */
export class OutboundRelay {
  readonly #channel: FrameChannel;
  readonly #id: number;
  readonly #stream: Stream;
  /** The write under way. */
  #data: Uint8Array | undefined;
  /** The buffer that it is in, if it is one to give back. */
  #buffer: Uint8Array | undefined;
  /** What is to be written after it. */
  #queue: Uint8Array[] = [];
  #written = 0;
  #failed = false;
  #flushed: (() => void)[] = [];
  readonly #lingerMs: number;
  #lingering = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param channel What connects with the worker.
   * @param id The number of the request.
   * @param stream The connection.
   * @param lingerMs How long a client that takes nothing keeps what a handler has left behind.
   */
  constructor(
    channel: FrameChannel,
    id: number,
    stream: Stream,
    lingerMs = LINGER_MS,
  ) {
    this.#lingerMs = lingerMs;
    this.#channel = channel;
    this.#id = id;
    this.#stream = stream;
    if (!stream.sendQueue.busy) return;
    this.#data = new Uint8Array(0);
    stream.sendQueue.flush().then(() => this.#next(), this.#fail);
  }

  /** Writes bytes, which are copied. */
  write(data: Uint8Array): void {
    if (this.#failed) return this.#credit(data.length);
    if (this.#data !== undefined) {
      this.#queue.push(new Uint8Array(data));
      return;
    }
    const buffer = this.#buffer = acquireBuffer(data.length);
    buffer.set(data);
    this.#send(
      data.length === buffer.length ? buffer : buffer.subarray(0, data.length),
    );
  }

  #send(data: Uint8Array): void {
    this.#data = data;
    if (this.#lingering) this.#startTimer();
    try {
      this.#stream.transport.write(data).then(this.#wrote, this.#fail);
    } catch (error) { // a transport of somebody's own
      this.#fail(error);
    }
  }

  readonly #wrote = (count: number): void => {
    if (this.#failed) return;
    this.#credit(count);
    const data = this.#data!;
    if (count < data.length) return this.#send(data.subarray(count));
    this.#releaseBuffer();
    this.#next();
  };

  #releaseBuffer(): void {
    if (this.#buffer !== undefined) releaseBuffer(this.#buffer);
    this.#buffer = undefined;
  }

  #next(): void {
    const queue = this.#queue;
    if (queue.length === 0) return this.#idle();
    this.#queue = [];
    this.#send(queue.length === 1 ? queue[0] : joinBytes(queue));
  }

  #credit(count: number): void {
    this.#written += count;
    if (this.#written < P.CREDIT_STEP) return;
    this.#channel.send(P.CREDIT, this.#id, P.count(this.#written));
    this.#written = 0;
  }

  /** Writing has failed: the handler's next write does. */
  readonly #fail = (error: unknown): void => {
    if (this.#failed) return;
    this.#failed = true;
    this.#queue = [];
    this.#releaseBuffer();
    const failure = P.packFailure(translate(error, { syscall: "send" }));
    this.#channel.send(P.WRITE_FAILED, this.#id, failure);
    this.#idle();
  };

  #idle(): void {
    this.#data = undefined;
    clearTimeout(this.#timer);
    if (this.#flushed.length === 0) return;
    for (const call of this.#flushed.splice(0)) call();
  }

  /** PendingCalls when all that the worker sent is written, or cannot be. */
  whenFlushed(call: () => void): void {
    if (this.#data === undefined) call();
    else this.#flushed.push(call);
  }

  /** The handler has ended: what is left is written as long as the client takes some of it now and then. */
  linger(): void {
    this.#lingering = true;
    if (this.#data !== undefined) this.#startTimer();
  }

  #startTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#buffer = undefined; // the write under way still has it
      const reason = `the client took nothing for ${this.#lingerMs / 1000} s`;
      this.#fail(osError("ETIMEDOUT", { syscall: "send", reason }));
    }, this.#lingerMs);
    Deno.unrefTimer(this.#timer);
  }
}
