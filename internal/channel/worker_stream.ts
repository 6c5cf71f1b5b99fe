/**
 * A connection in a worker: the bytes on their way, and how many may follow.
 *
 * @module
 */

import { ByteQueue } from "../files/unread_queues.ts";
import { copyOf } from "../base/memory.ts";
import {
  IPPROTO_TCP,
  SO_KEEPALIVE,
  SOL_SOCKET,
  TCP_NODELAY,
} from "../base/constants.ts";
import { osError } from "../base/translate_error.ts";
import type { OptionValue } from "../runtime/transport/socket_options.ts";
import { type Failure, fromFailure } from "../handoff/failure.ts";
import type { FrameChannel } from "./frame_channel.ts";
import * as frames from "./frames.ts";

/**
 * The worker's end of one connection. Holds the bytes that have come and are not read yet, at most one window, and
 * counts the credit for sending. No method waits or blocks; callers that must wait use `onReadable` and `onWritable`.
 */
export class WorkerStream {
  /** The number of the request. */
  readonly id: number;
  /** The main thread's description of the request. */
  readonly opening: frames.Opening;
  readonly #channel: FrameChannel;
  readonly #queue = new ByteQueue();
  #ended = false;
  #readFailure: Failure | undefined;
  #writeFailure: Failure | undefined;
  #taken = 0;
  #credit = frames.WINDOW;
  /** The count of bytes that have come; wraps as a 32 bit integer. */
  received = 0;
  /** Whether the handler closed the connection, or has ended. */
  closed = false;
  /** Called when bytes may have come. */
  onReadable: (() => void) | undefined;
  /** Called when credit or room may have come. */
  onWritable: (() => void) | undefined;

  /**
   * @param id The number of the request.
   * @param opening The main thread's description of the request.
   * @param channel The channel to the main thread.
   */
  constructor(id: number, opening: frames.Opening, channel: FrameChannel) {
    this.id = id;
    this.opening = opening;
    this.#channel = channel;
  }

  /** Whether a read would return at once. */
  get readable(): boolean {
    return this.available > 0 || this.#ended || this.closed ||
      this.#readFailure !== undefined;
  }

  /** Whether a write would send at least a byte, or fail, at once. */
  get writable(): boolean {
    return this.closed || this.#writeFailure !== undefined ||
      this.#credit > 0 && this.#channel.reserve(1, this.#resume);
  }

  /** The count of bytes that can be read at once. */
  get available(): number {
    return this.#queue.length;
  }

  /** Takes as many bytes as fit into `target`. Returns 0 at the end of the stream, or if no bytes have come. */
  take(target: Uint8Array): number {
    const count = this.#queue.takeInto(target);
    if (count > 0) this.credit(count);
    else this.#check();
    return count;
  }

  /** Takes all bytes that have come, in memory of their own. Returns undefined if there are none. */
  protected takeOwn(): Uint8Array<ArrayBuffer> | undefined {
    const count = this.available;
    if (count === 0) this.#check();
    if (count === 0) return undefined;
    const bytes = this.#queue.take(count);
    this.credit(count);
    return bytes;
  }

  /** Puts back the bytes taken last. They may be more than a window, and give the sender no credit. */
  putBack(bytes: Uint8Array<ArrayBuffer>): void {
    this.#queue.putBack([bytes]);
    this.#taken -= bytes.length;
  }

  /** Copies the first `size` bytes without taking them. */
  peek(size: number): Uint8Array<ArrayBuffer> {
    if (this.available === 0) this.#check();
    return this.#queue.copy(size);
  }

  /** Throws the failure of reading, once; after that the stream is at its end. Throws EBADF if it is closed. */
  #check(): void {
    if (this.closed) throw osError("EBADF", { syscall: "recv" });
    const failure = this.#readFailure;
    if (failure === undefined) return;
    this.#readFailure = undefined;
    this.#ended = true;
    throw fromFailure(failure);
  }

  /** Gives the main thread credit for `count` bytes, in steps. */
  protected credit(count: number): void {
    this.#taken += count;
    if (this.#taken < frames.CREDIT_STEP || this.closed) return;
    this.#channel.send(frames.CREDIT, this.id, frames.count(this.#taken));
    this.#taken = 0;
  }

  /** Sends the start of `data`. Returns the count of bytes sent, 0 if there is no credit or no room. */
  put(data: Uint8Array): number {
    if (this.#writeFailure !== undefined) throw fromFailure(this.#writeFailure);
    if (this.closed) throw osError("EBADF", { syscall: "send" });
    const count = Math.min(data.length, this.#credit, frames.PIECE_MAX);
    if (count === 0 || !this.#channel.reserve(count, this.#resume)) return 0;
    const piece = count === data.length ? data : data.subarray(0, count);
    this.#channel.put(frames.DATA, this.id, piece);
    this.#credit -= count;
    return count;
  }

  readonly #resume = (): void => this.onWritable?.();

  /** Shuts the connection down for writing. */
  shutWrite(): void {
    if (!this.closed) this.#channel.send(frames.SHUT_WRITE, this.id);
  }

  #setOption(level: number, name: number, value: OptionValue): void {
    if (this.closed || value instanceof Uint8Array) return;
    const call: frames.OptionCall = { level, name, value };
    this.#channel.send(frames.OPTION, this.id, frames.pack(call));
  }

  /** Sets `TCP_NODELAY`. */
  setNoDelay(on = true): void {
    this.#setOption(IPPROTO_TCP, TCP_NODELAY, on);
  }

  /** Sets `SO_KEEPALIVE`. */
  setKeepAlive(on = true): void {
    this.#setOption(SOL_SOCKET, SO_KEEPALIVE, on);
  }

  /** Closes the connection. */
  close(): void {
    this.#close(frames.CLOSE);
  }

  /** Closes the connection at once. The main thread drops the bytes that it has not sent yet. */
  abort(): void {
    this.#close(frames.ABORT);
  }

  #close(type: number): void {
    if (this.closed) return;
    this.closed = true;
    this.#queue.clear();
    this.#channel.send(type, this.id);
  }

  /**
   * Gives the unread bytes back to the main thread, which closes the connection. Called when the handler has ended.
   *
   * @param buffered The bytes that the handler's socket has taken and the handler has not.
   */
  finish(buffered?: Uint8Array): void {
    if (this.closed) return;
    if (buffered !== undefined) this.#giveBack(buffered);
    this.#giveBack(this.#queue.take(this.#queue.length));
    this.closed = true;
  }

  #giveBack(bytes: Uint8Array): void {
    for (let start = 0; start < bytes.length; start += frames.PIECE_MAX) {
      const piece = bytes.subarray(start, start + frames.PIECE_MAX);
      this.#channel.send(frames.UNREAD, this.id, piece);
    }
  }

  /** Handles a frame from the main thread. */
  onFrame(type: number, payload: Uint8Array): void {
    if (this.closed) return;
    if (type === frames.DATA) {
      this.received = (this.received + payload.length) | 0;
      return this.keep(payload);
    }
    if (type === frames.CREDIT) this.#credit += frames.uncount(payload);
    else if (type === frames.EOF) this.#ended = true;
    else if (type === frames.READ_FAILED) {
      this.#readFailure = frames.unpack(payload);
    } else if (type === frames.WRITE_FAILED) {
      this.#writeFailure = frames.unpack(payload);
    } else if (type === frames.EXPIRE) {
      this.#queue.clear();
      this.#readFailure = this.#writeFailure = frames.unpack(payload);
      this.onWritable?.();
    }
    if (type === frames.CREDIT || type === frames.WRITE_FAILED) {
      this.onWritable?.();
    } else this.onReadable?.();
  }

  /** Keeps bytes that have come until they are read. */
  protected keep(payload: Uint8Array): void {
    this.#queue.push(copyOf(payload, 0, payload.length));
    this.onReadable?.();
  }
}
