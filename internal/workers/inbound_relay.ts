/**
 * The way from a connection to a worker.
 *
 * @module
 */

import { joinBytes } from "../base/arguments.ts";
import { isRaggedEnd, translate } from "../base/errors.ts";
import type { Stream } from "../socket/stream.ts";
import { acquireBuffer, LARGE_BUFFER, releaseBuffer } from "./relay_buffers.ts";
import type { FrameChannel } from "../channel/frame_channel.ts";
import * as P from "../channel/frames.ts";

/**
 * The buffer of a connection that waits or moves little: as in the socket's own buffer, whose place this
 * takes. A read that fills it means more.
 */
const SMALL_BUFFER = 1000;

/** How many large buffers may wait for data at once, 4 MiB: as in the socket's own receiveBuffer. */
const LARGE_WAITING_MAX = 64;

/**
 * How long the end of a request waits for bytes that were on their way to a worker when the handler ended. The worker
 * may be busy with another request. Arbitrary.
 */
const RETURN_MS = 1000;

let largeWaiting = 0;

/**
 * Reads ahead, at most a window. It reads from the transport itself, once what the socket has is taken: with one
 * promise for each read, where the socket needs four for timeouts and `select`.
 */
export class InboundRelay {
  readonly #channel: FrameChannel;
  readonly #id: number;
  readonly #stream: Stream;
  /** How many bytes may still be sent to the worker. */
  #credit = P.WINDOW;
  #small: Uint8Array | undefined;
  /** Where the read in flight puts its bytes, and where those are that wait for room. */
  #buffer: Uint8Array | undefined;
  #start = 0;
  #end = 0;
  #readPending = false;
  #large = false;
  /** Whether the read in flight is one of `largeWaiting`. */
  #countedLarge = false;
  #ended = false;
  /** How many bytes were sent to the worker; wraps as a 32 bit integer. */
  #sent = 0;
  /** What the worker has given back. */
  readonly #unread: Uint8Array[] = [];
  /** How many bytes are still to be given back, after the end of the handler; and who waits for them. */
  #unreturned = 0;
  #allReturned: PromiseWithResolvers<void> | undefined;
  /** Whether the stream, or reading it, had ended before the handler did. */
  #atEnd = false;
  /** Where the socket gets what the read in flight brings. */
  #adoptedRead:
    | PromiseWithResolvers<Uint8Array<ArrayBuffer> | null>
    | undefined;

  /**
   * @param channel What connects with the worker.
   * @param id The number of the request.
   * @param stream The connection.
   */
  constructor(channel: FrameChannel, id: number, stream: Stream) {
    this.#channel = channel;
    this.#id = id;
    this.#stream = stream;
  }

  /** Begins to read. */
  start(): void {
    const { receiveBuffer } = this.#stream;
    if (!receiveBuffer.reading && !receiveBuffer.ready) {
      return this.#startRead();
    }
    this.#readPending = true;
    receiveBuffer.fill().then(() => {
      if (this.#ended) return; // the socket has it
      const data = new Uint8Array(receiveBuffer.available);
      try {
        receiveBuffer.takeInto(data);
        this.#buffer = data;
        this.#onRead(data.length || null);
      } catch (error) {
        this.#onReadError(error);
      }
    });
  }

  /** The worker has taken so many bytes. */
  addCredit(count: number): void {
    this.#credit += count;
    this.#move();
  }

  /** Stops: what still comes is dropped. */
  stop(): void {
    this.#ended = true;
  }

  /**
   * Stops, and gives all that the handler has not read to the socket: what the worker has given back, what has not
   * been sent to it, and what a read in flight brings.
   *
   * @param received How many bytes had come to the worker.
   * @returns Resolves when the others are back that were sent; undefined if there are none.
   */
  end(received: number): Promise<void> | undefined {
    this.#atEnd = this.#ended;
    this.#ended = true;
    this.#unreturned = (this.#sent - received) | 0;
    if (this.#unreturned === 0) return void this.#restore();
    const { promise, resolve } = this.#allReturned = Promise
      .withResolvers<void>();
    const timer = setTimeout(resolve, RETURN_MS);
    Deno.unrefTimer(timer);
    return promise.then(() => clearTimeout(timer));
  }

  /** The worker gives bytes back. */
  takeBack(bytes: Uint8Array): void {
    this.#unread.push(new Uint8Array(bytes));
    if (this.#allReturned === undefined) return;
    this.#unreturned = (this.#unreturned - bytes.length) | 0;
    if (this.#unreturned > 0) return;
    this.#restore();
    this.#allReturned.resolve();
  }

  #restore(): void {
    const { receiveBuffer } = this.#stream;
    if (this.#start < this.#end) {
      this.#unread.push(this.#buffer!.slice(this.#start, this.#end));
    }
    if (this.#unread.length > 0) receiveBuffer.putBack(joinBytes(this.#unread));
    if (!this.#readPending) return this.#releaseBuffer();
    if (this.#atEnd || this.#buffer === undefined) return; // the read is the socket's own
    this.#adoptedRead = Promise.withResolvers();
    receiveBuffer.adopt(this.#adoptedRead.promise);
  }

  #startRead(): void {
    this.#readPending = true;
    this.#buffer = this.#large
      ? acquireBuffer(LARGE_BUFFER)
      : this.#small ??= new Uint8Array(SMALL_BUFFER);
    if (this.#large) largeWaiting++;
    this.#countedLarge = this.#large;
    try {
      this.#stream.transport.read(this.#buffer).then(
        this.#onRead,
        this.#onReadError,
      );
    } catch (error) { // a transport of somebody's own
      this.#onReadError(error);
    }
  }

  readonly #onRead = (count: number | null): void => {
    this.#readPending = false;
    this.#uncountLarge();
    if (this.#ended) return this.#handOver(count);
    if (count === null) return this.#finish(P.EOF);
    this.#large = count >= SMALL_BUFFER && largeWaiting < LARGE_WAITING_MAX;
    this.#start = 0;
    this.#end = count;
    this.#move();
  };

  readonly #onReadError = (error: unknown): void => {
    if (isRaggedEnd(error)) return this.#onRead(null);
    this.#readPending = false;
    this.#uncountLarge();
    if (this.#ended) {
      this.#adoptedRead?.reject(error);
      return this.#releaseBuffer();
    }
    const failure = P.packFailure(translate(error, { syscall: "recv" }));
    this.#finish(P.READ_FAILED, failure);
  };

  /** Gives what the read brought that was in flight at the end of the handler to the socket. */
  #handOver(count: number | null): void {
    if (this.#adoptedRead !== undefined) {
      this.#adoptedRead.resolve(
        count === null ? null : this.#buffer!.slice(0, count),
      );
    } else if (count !== null) {
      this.#start = 0; // until the rest is back that was sent before
      this.#end = count;
      if (this.#allReturned !== undefined) return;
    }
    this.#releaseBuffer();
  }

  #uncountLarge(): void {
    if (this.#countedLarge) largeWaiting--;
    this.#countedLarge = false;
  }

  #finish(type: number, payload?: Uint8Array): void {
    this.#ended = true;
    this.#releaseBuffer();
    this.#channel.send(type, this.#id, payload);
  }

  /** Moves what was read to the worker, as far as there is room, and reads on. */
  readonly #move = (): void => {
    if (this.#readPending || this.#ended) return;
    while (this.#start < this.#end) {
      const count = Math.min(this.#credit, this.#end - this.#start);
      if (count === 0 || !this.#channel.reserve(count, this.#move)) return;
      const end = this.#start + count;
      const piece = this.#buffer!.subarray(this.#start, end);
      this.#channel.put(P.DATA, this.#id, piece);
      this.#sent = (this.#sent + count) | 0;
      this.#credit -= count;
      this.#start = end;
    }
    this.#releaseBuffer();
    if (this.#credit > 0) this.#startRead();
  };

  #releaseBuffer(): void {
    if (this.#buffer?.length === LARGE_BUFFER) releaseBuffer(this.#buffer);
    this.#buffer = undefined;
    if (this.#large) this.#small = undefined;
  }
}
