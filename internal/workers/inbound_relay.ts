/**
 * Moves bytes from a connection to a worker.
 *
 * @module
 */

import { BufferPool, joinBytes } from "../base/memory.ts";
import { isRaggedEnd, translate } from "../base/translate_error.ts";
import type { Stream } from "../socket/stream.ts";
import { setUnrefTimeout } from "../waiting/timeouts.ts";
import type { FrameChannel } from "../channel/frame_channel.ts";
import * as frames from "../channel/frames.ts";

/**
 * The size in bytes of the buffer of a connection that is idle or moves little: as in `ReceiveMemory`, whose place
 * this takes. A read that fills it makes the next one large.
 */
const SMALL_BUFFER = 1000;

/** The large buffers: each takes as much as one read of Deno's own streams. Keeps at most 1 MiB of them, which is arbitrary. */
const largeBuffers = new BufferPool(65536, 16);

/** The most large buffers that may wait for data at once: 4 MiB, besides those of `ReceiveMemory`. Arbitrary. */
const LARGE_WAITING_MAX = 64;

/**
 * The milliseconds that the end of a request waits for bytes that were on their way to the worker when the handler
 * ended. The worker may be busy with another request. Arbitrary.
 */
const RETURN_MS = 1000;

let largeWaiting = 0;

/**
 * Reads a connection ahead, at most one window, and sends the bytes to the worker. Takes what the socket has buffered
 * first, and then reads from the transport: one promise for each read. The socket makes four, for timeouts and
 * `select`.
 */
export class InboundRelay {
  readonly #channel: FrameChannel;
  readonly #id: number;
  readonly #stream: Stream;
  /** The count of bytes that may still be sent to the worker. */
  #credit = frames.WINDOW;
  #small: Uint8Array | undefined;
  /** Holds the bytes of the read in flight, or bytes that wait for room. */
  #buffer: Uint8Array | undefined;
  #start = 0;
  #end = 0;
  #readPending = false;
  #large = false;
  /** Whether `largeWaiting` counts the read in flight. */
  #countedLarge = false;
  #ended = false;
  /** The count of bytes sent to the worker; wraps as a 32 bit integer. */
  #sent = 0;
  /** The bytes that the worker has given back. */
  readonly #unread: Uint8Array[] = [];
  /** The count of bytes that the worker still has to give back after the handler has ended. */
  #unreturned = 0;
  /** Resolves when the worker has given back all of them. */
  #allReturned: PromiseWithResolvers<void> | undefined;
  /** Whether the stream had ended or failed before the handler ended. */
  #atEnd = false;
  /** Passes the result of the read in flight to the socket, which has adopted it. */
  #adoptedRead:
    | PromiseWithResolvers<Uint8Array<ArrayBuffer> | null>
    | undefined;

  /**
   * @param channel The channel to the worker.
   * @param id The number of the request.
   * @param stream The connection.
   */
  constructor(channel: FrameChannel, id: number, stream: Stream) {
    this.#channel = channel;
    this.#id = id;
    this.#stream = stream;
  }

  /** Starts reading. */
  start(): void {
    const { receiveBuffer } = this.#stream;
    if (!receiveBuffer.reading && !receiveBuffer.ready) {
      return this.#startRead();
    }
    this.#readPending = true;
    receiveBuffer.nextChange().then(() => {
      if (this.#ended) return; // the socket keeps the bytes
      const data = new Uint8Array(receiveBuffer.available);
      try {
        receiveBuffer.takeInto(data);
        this.#buffer = data;
        this.#arrived(data.length || null);
      } catch (error) {
        this.#onReadError(error);
      }
    });
  }

  /** Adds credit: the worker has taken `count` bytes. */
  addCredit(count: number): void {
    this.#credit += count;
    this.#move();
  }

  /** Stops reading, and drops bytes that still come. */
  stop(): void {
    this.#ended = true;
  }

  /**
   * Stops reading, and gives the socket all bytes that the handler has not read: those that the worker gives back,
   * those that were not sent to it, and those of the read in flight.
   *
   * @param received The count of bytes that had come to the worker.
   * @returns Resolves when the worker has given back the bytes that were on their way; undefined if there were none.
   */
  end(received: number): Promise<void> | undefined {
    this.#atEnd = this.#ended;
    this.#ended = true;
    this.#unreturned = (this.#sent - received) | 0;
    if (this.#unreturned === 0) return void this.#restore();
    const { promise, resolve } = this.#allReturned = Promise
      .withResolvers<void>();
    const timer = setUnrefTimeout(resolve, RETURN_MS);
    return promise.then(() => clearTimeout(timer));
  }

  /** Takes back bytes that the handler has not read. */
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
    if (this.#atEnd || this.#buffer === undefined) return; // the socket's own read is in flight
    this.#adoptedRead = Promise.withResolvers();
    receiveBuffer.adopt(this.#adoptedRead.promise);
  }

  #startRead(): void {
    this.#readPending = true;
    this.#buffer = this.#large
      ? largeBuffers.take()
      : this.#small ??= new Uint8Array(SMALL_BUFFER);
    if (this.#large) largeWaiting++;
    this.#countedLarge = this.#large;
    try {
      this.#stream.transport.read(this.#buffer).then(
        this.#onRead,
        this.#onReadError,
      );
    } catch (error) { // a transport of the caller's own class
      this.#onReadError(error);
    }
  }

  readonly #onRead = (count: number | null): void => {
    if (count !== null && this.#adoptedRead === undefined) { // the socket counts a read that it has adopted
      this.#stream.receiveBuffer.bytesIn += count;
    }
    this.#arrived(count);
  };

  #arrived(count: number | null): void {
    this.#readPending = false;
    this.#uncountLarge();
    if (this.#ended) return this.#handOver(count);
    if (count === null) return this.#finish(frames.EOF);
    this.#large = count >= SMALL_BUFFER && largeWaiting < LARGE_WAITING_MAX;
    this.#start = 0;
    this.#end = count;
    this.#move();
  }

  readonly #onReadError = (error: unknown): void => {
    if (isRaggedEnd(error)) return this.#onRead(null);
    this.#readPending = false;
    this.#uncountLarge();
    if (this.#ended) {
      this.#adoptedRead?.reject(error);
      return this.#releaseBuffer();
    }
    const failure = frames.packFailure(translate(error, { syscall: "recv" }));
    this.#finish(frames.READ_FAILED, failure);
  };

  /** Gives the socket the bytes of the read that was in flight when the handler ended. */
  #handOver(count: number | null): void {
    if (this.#adoptedRead !== undefined) {
      this.#adoptedRead.resolve(
        count === null ? null : this.#buffer!.slice(0, count),
      );
    } else if (count !== null) {
      this.#start = 0; // kept until the bytes before them are back
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

  /** Sends the bytes read to the worker, as far as credit and room allow, and reads on. */
  readonly #move = (): void => {
    if (this.#readPending || this.#ended) return;
    while (this.#start < this.#end) {
      const count = Math.min(this.#credit, this.#end - this.#start);
      if (count === 0 || !this.#channel.reserve(count, this.#move)) return;
      const end = this.#start + count;
      const piece = this.#buffer!.subarray(this.#start, end);
      this.#channel.put(frames.DATA, this.#id, piece);
      this.#sent = (this.#sent + count) | 0;
      this.#credit -= count;
      this.#start = end;
    }
    this.#releaseBuffer();
    if (this.#credit > 0) this.#startRead();
  };

  #releaseBuffer(): void {
    if (this.#buffer !== undefined) largeBuffers.give(this.#buffer);
    this.#buffer = undefined;
    if (this.#large) this.#small = undefined;
  }
}
