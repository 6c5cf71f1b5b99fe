/**
 * The way from a connection to a worker.
 *
 * @module
 */

import { joinBytes } from "../base/arguments.ts";
import { isRaggedEnd, translate } from "../base/errors.ts";
import type { Stream } from "../socket/stream.ts";
import { giveBuffer, LARGE, takeBuffer } from "./relay_buffers.ts";
import type { Lane } from "../channel/lane.ts";
import * as P from "../channel/frames.ts";

/**
 * The buffer of a connection that waits or moves little: as in the socket's own reader, whose place this
 * takes. A read that fills it means more.
 */
const SMALL = 1000;

/** How many large buffers may wait for data at once, 4 MiB: as in the socket's own buffer. */
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
export class RelayedReader {
  readonly #lane: Lane;
  readonly #id: number;
  readonly #stream: Stream;
  /** How many bytes may still be sent to the worker. */
  #credit = P.WINDOW;
  #small: Uint8Array | undefined;
  /** Where the read in flight puts its bytes, and where those are that wait for room. */
  #buffer: Uint8Array | undefined;
  #start = 0;
  #end = 0;
  #flying = false;
  #bulk = false;
  /** Whether the read in flight is one of `largeWaiting`. */
  #counted = false;
  #ended = false;
  /** How many bytes were sent to the worker; wraps as a 32 bit integer. */
  #sent = 0;
  /** What the worker has given back. */
  readonly #unread: Uint8Array[] = [];
  /** How many bytes are still to be given back, after the end of the handler; and who waits for them. */
  #missing = 0;
  #returned: PromiseWithResolvers<void> | undefined;
  /** Whether the stream, or reading it, had ended before the handler did. */
  #atEnd = false;
  /** Where the socket gets what the read in flight brings. */
  #heir: PromiseWithResolvers<Uint8Array<ArrayBuffer> | null> | undefined;

  /**
   * @param lane What connects with the worker.
   * @param id The number of the request.
   * @param stream The connection.
   */
  constructor(lane: Lane, id: number, stream: Stream) {
    this.#lane = lane;
    this.#id = id;
    this.#stream = stream;
  }

  /** Begins to read. */
  start(): void {
    const { receiveBuffer } = this.#stream;
    if (!receiveBuffer.reading && !receiveBuffer.ready) return this.#fly();
    this.#flying = true;
    receiveBuffer.fill().then(() => {
      if (this.#ended) return; // the socket has it
      const data = new Uint8Array(receiveBuffer.available);
      try {
        receiveBuffer.takeInto(data);
        this.#buffer = data;
        this.#land(data.length || null);
      } catch (error) {
        this.#crash(error);
      }
    });
  }

  /** The worker has taken so many bytes. */
  grant(count: number): void {
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
    this.#missing = (this.#sent - received) | 0;
    if (this.#missing === 0) return void this.#restore();
    const { promise, resolve } = this.#returned = Promise
      .withResolvers<void>();
    const timer = setTimeout(resolve, RETURN_MS);
    Deno.unrefTimer(timer);
    return promise.then(() => clearTimeout(timer));
  }

  /** The worker gives bytes back. */
  takeBack(bytes: Uint8Array): void {
    this.#unread.push(new Uint8Array(bytes));
    if (this.#returned === undefined) return;
    this.#missing = (this.#missing - bytes.length) | 0;
    if (this.#missing > 0) return;
    this.#restore();
    this.#returned.resolve();
  }

  #restore(): void {
    const { receiveBuffer } = this.#stream;
    if (this.#start < this.#end) {
      this.#unread.push(this.#buffer!.slice(this.#start, this.#end));
    }
    if (this.#unread.length > 0) receiveBuffer.putBack(joinBytes(this.#unread));
    if (!this.#flying) return this.#drop();
    if (this.#atEnd || this.#buffer === undefined) return; // the read is the socket's own
    this.#heir = Promise.withResolvers();
    receiveBuffer.adopt(this.#heir.promise);
  }

  #fly(): void {
    this.#flying = true;
    this.#buffer = this.#bulk
      ? takeBuffer(LARGE)
      : this.#small ??= new Uint8Array(SMALL);
    if (this.#bulk) largeWaiting++;
    this.#counted = this.#bulk;
    try {
      this.#stream.transport.read(this.#buffer).then(this.#land, this.#crash);
    } catch (error) { // a transport of somebody's own
      this.#crash(error);
    }
  }

  readonly #land = (count: number | null): void => {
    this.#flying = false;
    this.#landed();
    if (this.#ended) return this.#bequeath(count);
    if (count === null) return this.#finish(P.EOF);
    this.#bulk = count >= SMALL && largeWaiting < LARGE_WAITING_MAX;
    this.#start = 0;
    this.#end = count;
    this.#move();
  };

  readonly #crash = (error: unknown): void => {
    if (isRaggedEnd(error)) return this.#land(null);
    this.#flying = false;
    this.#landed();
    if (this.#ended) {
      this.#heir?.reject(error);
      return this.#drop();
    }
    const failure = P.packFailure(translate(error, { syscall: "recv" }));
    this.#finish(P.READ_FAILED, failure);
  };

  /** Gives what the read brought that was in flight at the end of the handler to the socket. */
  #bequeath(count: number | null): void {
    if (this.#heir !== undefined) {
      this.#heir.resolve(count === null ? null : this.#buffer!.slice(0, count));
    } else if (count !== null) {
      this.#start = 0; // until the rest is back that was sent before
      this.#end = count;
      if (this.#returned !== undefined) return;
    }
    this.#drop();
  }

  #landed(): void {
    if (this.#counted) largeWaiting--;
    this.#counted = false;
  }

  #finish(type: number, payload?: Uint8Array): void {
    this.#ended = true;
    this.#drop();
    this.#lane.send(type, this.#id, payload);
  }

  /** Moves what was read to the worker, as far as there is room, and reads on. */
  readonly #move = (): void => {
    if (this.#flying || this.#ended) return;
    while (this.#start < this.#end) {
      const count = Math.min(this.#credit, this.#end - this.#start);
      if (count === 0 || !this.#lane.reserve(count, this.#move)) return;
      const end = this.#start + count;
      const piece = this.#buffer!.subarray(this.#start, end);
      this.#lane.put(P.DATA, this.#id, piece);
      this.#sent = (this.#sent + count) | 0;
      this.#credit -= count;
      this.#start = end;
    }
    this.#drop();
    if (this.#credit > 0) this.#fly();
  };

  #drop(): void {
    if (this.#buffer?.length === LARGE) giveBuffer(this.#buffer);
    this.#buffer = undefined;
    if (this.#bulk) this.#small = undefined;
  }
}
