/**
 * Moves bytes from a worker to a connection.
 *
 * @module
 */

import { BufferPool, joinBytes } from "../base/memory.ts";
import { osError, translate } from "../base/translate_error.ts";
import { LINGER_MS, type Stream } from "../socket/stream.ts";
import { setUnrefTimeout } from "../waiting/timeouts.ts";
import type { FrameChannel } from "../channel/frame_channel.ts";
import * as frames from "../channel/frames.ts";

/** The most unused buffers kept of each size. Arbitrary. */
const KEPT_MAX = 16;

/** The buffers for small pieces. 1 KiB is arbitrary, enough for most lines and headers. */
const smallBuffers = new BufferPool(1024, KEPT_MAX);
const largeBuffers = new BufferPool(frames.PIECE_MAX, KEPT_MAX);

/**
 * Writes the worker's bytes to the connection. Holds at most one window that the client has not taken yet. Writes to the
 * transport once the socket's send queue is empty: nobody else writes to a relayed connection.
 */
export class OutboundRelay {
  readonly #channel: FrameChannel;
  readonly #id: number;
  readonly #stream: Stream;
  /** The bytes being written. */
  #data: Uint8Array | undefined;
  /** The pooled buffer that holds them, if any. */
  #buffer: Uint8Array | undefined;
  /** The bytes to write after them. */
  #queue: Uint8Array[] = [];
  #written = 0;
  #failed = false;
  #onFlushed: (() => void)[] = [];
  readonly #lingerMs: number;
  #lingering = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param channel The channel to the worker.
   * @param id The number of the request.
   * @param stream The connection.
   * @param lingerMs The milliseconds without progress after which bytes that a handler has left are dropped.
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

  /** Writes a copy of `data`. */
  write(data: Uint8Array): void {
    if (this.#failed) return this.#credit(data.length);
    if (this.#data !== undefined) {
      this.#queue.push(new Uint8Array(data));
      return;
    }
    const pool = data.length <= smallBuffers.size ? smallBuffers : largeBuffers;
    const buffer = this.#buffer = pool.take();
    buffer.set(data);
    this.#send(
      data.length === buffer.length ? buffer : buffer.subarray(0, data.length),
    );
  }

  #send(data: Uint8Array): void {
    this.#data = data;
    this.#stream.writingPastQueue = true;
    if (this.#lingering) this.#startTimer();
    try {
      this.#stream.transport.write(data).then(this.#wrote, this.#fail);
    } catch (error) { // a transport of the caller's own class
      this.#fail(error);
    }
  }

  readonly #wrote = (count: number): void => {
    this.#stream.writingPastQueue = false;
    this.#stream.sendQueue.bytesOut += count;
    if (this.#failed) return;
    this.#credit(count);
    const data = this.#data!;
    if (count < data.length) return this.#send(data.subarray(count));
    this.#releaseBuffer();
    this.#next();
  };

  #releaseBuffer(): void {
    const buffer = this.#buffer;
    if (buffer === undefined) return;
    this.#buffer = undefined;
    smallBuffers.give(buffer); // each pool drops the buffers of the other
    largeBuffers.give(buffer);
  }

  #next(): void {
    const queue = this.#queue;
    if (queue.length === 0) return this.#allWritten();
    this.#queue = [];
    this.#send(queue.length === 1 ? queue[0] : joinBytes(queue));
  }

  #credit(count: number): void {
    this.#written += count;
    if (this.#written < frames.CREDIT_STEP) return;
    this.#channel.send(frames.CREDIT, this.#id, frames.count(this.#written));
    this.#written = 0;
  }

  /** Fails all later writes of the handler, and drops the bytes that are left. */
  readonly #fail = (error: unknown): void => {
    if (this.#failed) return;
    this.#failed = true;
    this.#queue = [];
    this.#releaseBuffer();
    const failure = frames.packFailure(translate(error, { syscall: "send" }));
    this.#channel.send(frames.WRITE_FAILED, this.#id, failure);
    this.#allWritten();
  };

  #allWritten(): void {
    this.#data = undefined;
    clearTimeout(this.#timer);
    if (this.#onFlushed.length === 0) return;
    for (const call of this.#onFlushed.splice(0)) call();
  }

  /** Calls `call` once all bytes of the worker are written or have failed. */
  whenFlushed(call: () => void): void {
    if (this.#data === undefined) call();
    else this.#onFlushed.push(call);
  }

  /**
   * Limits the writing of the remaining bytes after the handler has ended: the write fails when the client stops taking
   * bytes.
   */
  linger(): void {
    this.#lingering = true;
    if (this.#data !== undefined) this.#startTimer();
  }

  /** Drops the bytes that are not written yet, without waiting for the write in flight. */
  abort(
    error: Error = osError("EBADF", { syscall: "send", reason: "aborted" }),
  ): void {
    this.#buffer = undefined; // the write in flight still uses it
    this.#fail(error);
  }

  #startTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = setUnrefTimeout(() => {
      const reason = `the client took nothing for ${this.#lingerMs / 1000} s`;
      this.abort(osError("ETIMEDOUT", { syscall: "send", reason }));
    }, this.#lingerMs);
  }
}
