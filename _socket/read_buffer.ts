/**
 * The reading half of a stream.
 *
 * @module
 */

import { type OSError, osError, translate } from "./errors.ts";
import { quiet } from "./quiet.ts";
import type { Timeout } from "./alarm.ts";
import { begun, type Source } from "./slot.ts";
import type { StreamTransport } from "./transport.ts";

/** Bytes received, in memory of their own. */
export type Bytes = Uint8Array<ArrayBuffer>;

/**
 * The buffer of a connection that is waiting or moves little. An idle connection costs about 7 KiB in
 * the runtime, so 1 KiB more is little. It is not 1024, because a peer that sends blocks of
 * just this size would look like one that has more to send.
 */
const SMALL = 1000;

/** The buffer of a connection that moves much: what one read of Deno's own streams takes. */
const LARGE = 65536;

/**
 * How many large buffers may wait for data at once, in the whole process: 4 MiB. A read in
 * flight cannot be taken back, so a connection that was busy and went quiet keeps its large
 * buffer; with this, only so many can. The number is arbitrary.
 */
const LARGE_WAITING_MAX = 64;

let largeWaiting = 0;

const NOTHING: Bytes = new Uint8Array(0);

/** Who gets what a read brings as soon as it is there, with nothing in between. */
interface Taker {
  /** The most bytes. */
  readonly size: number;
  /** The caller's memory, where the read goes straight into it. */
  readonly into?: Uint8Array;
  /** Ends the call with the bytes, or with their count where they are in the caller's memory. */
  readonly resolve: (taken: never) => void;
  /** Ends the call with an error. */
  readonly reject: (error: unknown) => void;
  /** What the caller holds. */
  readonly promise: Promise<unknown>;
  /** Ends the call when the time runs out. */
  readonly timeout?: Timeout;
}

/** Ends a call with an error, which may go unawaited. */
function refuse(taker: Taker, error: unknown): void {
  quiet(taker.promise);
  taker.reject(error);
}

/** What reads of a closed socket throw; made only when somebody asks, since it costs 10 us. */
function closedError(): OSError {
  const reason = "the socket was closed";
  return osError("EBADF", { syscall: "recv", reason });
}

/**
 * Holds what was read and not yet taken, and at most one read in flight. Who stops waiting
 * leaves the read to the next one. Close and shutdown wake whoever waits.
 */
export class ReadBuffer implements Source {
  readonly #transport: StreamTransport;
  /** Where the read in flight puts its bytes. */
  #target: Uint8Array | undefined;
  #taker: Taker | undefined;
  #landed: PromiseWithResolvers<void> | undefined;
  #small: Bytes | undefined;
  #large: Bytes | undefined;
  #data: Uint8Array = NOTHING;
  #start = 0;
  #end = 0;
  #bulk = false;
  #ended = false;
  #closed = false;
  #error: unknown;

  /** @param transport Where to read. It stays the caller's to close. */
  constructor(transport: StreamTransport) {
    this.#transport = transport;
  }

  get ready(): boolean {
    return this.#start < this.#end || this.#ended || this.#error !== undefined;
  }

  /** How many bytes can be taken at once. */
  get available(): number {
    return this.#end - this.#start;
  }

  /** Whether a read is under way. */
  get flying(): boolean {
    return this.#target !== undefined;
  }

  fill(): Promise<void> {
    if (this.ready) return Promise.resolve();
    if (this.#target === undefined) this.#fly(this.#buffer());
    return (this.#landed ??= Promise.withResolvers()).promise;
  }

  /** The buffer for the next read. */
  #buffer(): Bytes {
    if (this.#bulk && largeWaiting < LARGE_WAITING_MAX) {
      largeWaiting++;
      return this.#large ??= new Uint8Array(LARGE);
    }
    this.#large = undefined;
    return this.#small ??= new Uint8Array(SMALL);
  }

  #fly(target: Uint8Array): void {
    this.#target = target;
    begun(() => this.#transport.read(target)).then(this.#land, this.#crash);
  }

  readonly #land = (count: number | null): void => {
    const target = this.#target!;
    this.#target = undefined;
    this.#adapt(target, count ?? 0);
    if (count === null) this.#ended = true;
    else if (!this.#ended) this.#keep(target, count);
    this.#wake();
  };

  /** Keeps what a read brought, behind what was put back while it was on its way. */
  #keep(target: Uint8Array, count: number): void {
    const before = this.#data.subarray(this.#start, this.#end);
    this.#data = target;
    this.#start = 0;
    this.#end = count;
    if (before.length > 0) this.putBack(before);
  }

  readonly #crash = (error: unknown): void => {
    this.#adapt(this.#target!, 0);
    this.#target = undefined;
    if (!this.#ended) this.#error ??= translate(error, { syscall: "recv" });
    this.#wake();
  };

  /** Chooses the next buffer: a read that filled the small one means more, one below it means less. */
  #adapt(target: Uint8Array, count: number): void {
    if (target === this.#small) this.#bulk = count === SMALL;
    if (target !== this.#large) return;
    largeWaiting--;
    this.#bulk = count >= SMALL;
  }

  #wake(): void {
    const taker = this.#taker;
    this.#taker = undefined;
    if (taker !== undefined) this.#serve(taker);
    const landed = this.#landed;
    this.#landed = undefined;
    landed?.resolve();
  }

  #serve(taker: Taker): void {
    if (!this.ready) { // a read of 0 bytes, which is not the end
      this.#taker = taker;
      this.#fly(taker.into ?? this.#buffer());
      return;
    }
    taker.timeout?.cancel();
    try {
      taker.resolve(
        (taker.into === undefined
          ? this.take(taker.size)
          : this.#given(taker.into)) as never,
      );
    } catch (error) {
      refuse(taker, error);
    }
  }

  /** How many bytes are in the caller's memory, where the read went. */
  #given(into: Uint8Array): number {
    if (this.#data !== into) return this.takeInto(into); // the end of the stream, or an error
    const count = this.#end;
    this.#empty();
    return count;
  }

  /**
   * Takes at most `size` bytes as soon as there are any. Only where nothing is buffered and no read is
   * in flight.
   *
   * @param size The most bytes.
   * @param timeout Ends the wait; the read goes on.
   */
  takeNext(size: number, timeout?: Timeout): Promise<Bytes> {
    const { promise, resolve, reject } = Promise.withResolvers<Bytes>();
    const taker: Taker = { size, promise, resolve, reject, timeout };
    this.#taker = taker;
    timeout?.start((error) => {
      if (this.#taker === taker) this.#taker = undefined;
      refuse(taker, error);
    });
    this.#fly(this.#buffer());
    return promise;
  }

  /**
   * Reads straight into the caller's memory, with no copy. Only where nothing is buffered and no
   * read is in flight, and where the caller cannot stop waiting.
   */
  readInto(into: Uint8Array): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    this.#taker = { size: into.length, into, promise, resolve, reject };
    this.#fly(into);
    return promise;
  }

  /** Takes at most `size` bytes; empty at the end of the stream. The buffer must be ready. */
  take(size: number): Bytes {
    this.#check();
    const end = Math.min(this.#start + size, this.#end);
    const taken = this.#data.slice(this.#start, end) as Bytes;
    this.#start = end;
    if (end === this.#end) this.#empty();
    return taken;
  }

  /** Copies as much as fits into `target`; 0 at the end of the stream. The buffer must be ready. */
  takeInto(target: Uint8Array): number {
    this.#check();
    const end = Math.min(this.#start + target.length, this.#end);
    const count = end - this.#start;
    if (count > 0) target.set(this.#data.subarray(this.#start, end));
    this.#start = end;
    if (end === this.#end) this.#empty();
    return count;
  }

  /** The next bytes, at most `size`, which stay where they are. The buffer must be ready. */
  peek(size: number): Bytes {
    this.#check();
    return new Uint8Array(
      this.#data.subarray(this.#start, Math.min(this.#start + size, this.#end)),
    );
  }

  /** Puts bytes back in front of what is there. */
  putBack(bytes: Uint8Array): void {
    const joined = new Uint8Array(bytes.length + this.available);
    joined.set(bytes);
    joined.set(this.#data.subarray(this.#start, this.#end), bytes.length);
    this.#data = joined;
    this.#start = 0;
    this.#end = joined.length;
  }

  /** Throws the error: one that a read met only once, after the bytes that came before it. */
  #check(): void {
    if (this.#start < this.#end) return;
    if (this.#closed) throw closedError();
    if (this.#error === undefined) return;
    const error = this.#error;
    this.#error = undefined;
    throw error;
  }

  /** Nothing is left; a large buffer stays only while the connection is busy. */
  #empty(): void {
    this.#data = NOTHING;
    this.#start = this.#end = 0;
    if (!this.#bulk) this.#large = undefined;
  }

  /** Stops reading: what is there is dropped, and whoever waits gets the end of the stream. */
  end(): void {
    this.#ended = true;
    this.#empty();
    this.#wake();
  }

  /** Ends every wait with EBADF, for a socket that is being closed. */
  close(): void {
    this.#ended = this.#closed = true;
    this.#empty();
    this.#wake();
  }
}
