/**
 * The reading half of a stream.
 *
 * @module
 */

import { type OSError, osError, translate } from "./errors.ts";
import { poll, type Timeout } from "./alarm.ts";
import { type Bytes, ReadMemory } from "./read_memory.ts";
import type { Source } from "./slot.ts";
import { Taker } from "./taker.ts";
import type { StreamTransport } from "./transport.ts";

const NOTHING: Bytes = new Uint8Array(0);

/** Stands for the memory of a read that brings its own. */
const OWN: Bytes = new Uint8Array(0);

/** A transport that has what it reads in memory already, and gives that away. */
export interface OwningTransport extends StreamTransport {
  /** Reads what there is; null at the end of the stream. The caller owns the memory, all of it. */
  readOwn(): Promise<Bytes | null>;
}

/** Begins a read; a transport that throws instead of rejecting, as a test double may, rejects too. */
function readFrom(
  transport: StreamTransport,
  target: Uint8Array,
): Promise<number | null> {
  try {
    return transport.read(target);
  } catch (error) {
    return Promise.reject(error);
  }
}

/** What is thrown where bytes are lost, because somebody has taken the memory that they are read into away. */
function lostError(): OSError {
  const reason =
    "the memory of the read was transferred; slice() what recv() gives before its buffer is";
  return osError("EFAULT", { syscall: "recv", reason });
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
  /** Where reads put their bytes, unless the transport gives its memory away. */
  readonly #memory: ReadMemory | undefined;
  /** The memory that it gave last, of which nothing was taken yet. */
  #gift: Bytes | undefined;
  /** Where the read in flight puts its bytes. */
  #target: Uint8Array | undefined;
  #onLand: ((count: number | null) => void) | undefined;
  #onCrash: ((error: unknown) => void) | undefined;
  #taker: Taker | undefined;
  #landed: PromiseWithResolvers<void> | undefined;
  #data: Uint8Array = NOTHING;
  #start = 0;
  #end = 0;
  #ended = false;
  #stopped = false;
  #closed = false;
  #error: unknown;

  /** @param transport Where to read. It stays the caller's to close. */
  constructor(transport: StreamTransport) {
    this.#transport = transport;
    if (!("readOwn" in transport)) this.#memory = new ReadMemory();
  }

  get ready(): boolean {
    return this.#start < this.#end || this.#ended ||
      this.#error !== undefined || this.#stopped;
  }

  /** Whether nobody waits for data any more; see {@linkcode stop}. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** How many bytes can be taken at once. */
  get available(): number {
    return this.#end - this.#start;
  }

  /** Whether there are bytes to take at once, and nobody has transferred the memory that they are in. */
  get atHand(): boolean {
    return this.#start < this.#end && this.#end <= this.#data.length;
  }

  /** Whether a read is under way. */
  get flying(): boolean {
    return this.#target !== undefined;
  }

  fill(): Promise<void> {
    if (this.ready) return Promise.resolve();
    if (this.#target === undefined) this.#fly(this.#next());
    return (this.#landed ??= Promise.withResolvers()).promise;
  }

  /** The memory for the next read. */
  #next(): Uint8Array {
    return this.#memory === undefined ? OWN : this.#memory.next();
  }

  #fly(target: Uint8Array): void {
    this.#target = target;
    const crash = this.#onCrash ??= this.#crash.bind(this); // an arrow would hold a scope besides
    if (target === OWN) return this.#flyOwn(crash);
    const land = this.#onLand ??= this.#land.bind(this);
    readFrom(this.#transport, target).then(land, crash);
  }

  #flyOwn(crash: (error: unknown) => void): void {
    (this.#transport as OwningTransport).readOwn().then((bytes) => {
      this.#target = this.#gift = bytes ?? OWN;
      this.#land(bytes && bytes.length);
    }, crash);
  }

  #land(count: number | null): void {
    const target = this.#target!;
    this.#target = undefined;
    const own = this.#memory?.landed(target, count ?? 0) ??
      target === this.#gift;
    if (count === null) this.#ended = true;
    else if (!this.#ended) this.#keep(target, count, own);
    if (this.available === 0) this.#empty();
    this.#wake();
  }

  /**
   * Keeps what a read brought, behind what was put back while it was on its way; out of the memory of a caller
   * who waits no more, and may do with it what he likes, in a copy.
   */
  #keep(target: Uint8Array, count: number, own: boolean): void {
    const lost = count > target.length;
    if (lost) this.#error ??= lostError();
    const before = this.available === 0
      ? undefined
      : this.#data.subarray(this.#start, this.#end);
    const left = !own && !lost && this.#taker?.into !== target;
    this.#data = left ? target.slice(0, count) : target;
    this.#start = 0;
    this.#end = Math.min(count, target.length);
    if (before !== undefined) this.putBack(before);
  }

  #crash(error: unknown): void {
    this.#memory?.landed(this.#target!, 0);
    this.#target = undefined;
    if (!this.#ended) this.#error ??= translate(error, { syscall: "recv" });
    if (this.available === 0) this.#empty();
    this.#wake();
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
      return this.#fly(
        (taker.timeout ? undefined : taker.into) ?? this.#next(),
      );
    }
    taker.timeout?.cancel();
    try {
      taker.resolve(
        taker.into === undefined
          ? this.take(taker.size)
          : this.#given(taker.into),
      );
    } catch (error) {
      taker.refuse(error);
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
    const taker = new Taker(size, undefined, timeout);
    this.#await(taker, this.#next());
    return taker.promise as Promise<Bytes>;
  }

  /**
   * Reads into the caller's memory: straight, with no copy, where the caller cannot stop waiting. Only
   * where nothing is buffered and no read is in flight.
   *
   * @param into The caller's memory.
   * @param timeout Ends the wait; the read, which is then elsewhere, goes on.
   */
  readInto(into: Uint8Array, timeout?: Timeout): Promise<number> {
    const taker = new Taker(into.length, into, timeout);
    this.#await(taker, timeout === undefined ? into : this.#next());
    return taker.promise as Promise<number>;
  }

  #await(taker: Taker, target: Uint8Array): void {
    this.#taker = taker;
    if (taker.timeout !== undefined) this.#limit(taker, taker.timeout);
    this.#fly(target);
  }

  #limit(taker: Taker, timeout: Timeout): void {
    timeout.start((error) => {
      if (this.#taker === taker) this.#taker = undefined;
      taker.refuse(error);
    });
  }

  /** Takes at most `size` bytes; empty at the end of the stream. The buffer must be ready. */
  take(size: number): Bytes {
    this.#check();
    const start = this.#start;
    const end = this.#start = Math.min(start + size, this.#end);
    const taken = this.#memory === undefined
      ? this.#giveGift(start, end)
      : this.#memory.give(this.#data, start, end);
    if (end === this.#end) this.#empty();
    return taken;
  }

  /** What a transport gave away is passed on where all of it is taken. */
  #giveGift(start: number, end: number): Bytes {
    const whole = start === 0 && end === this.#end && end > 0;
    if (whole && this.#data === this.#gift) return this.#gift;
    return this.#data.slice(start, end) as Bytes;
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
    this.#empty();
    this.#data = joined;
    this.#end = joined.length;
  }

  /** Throws the error: one that a read met only once, after the bytes that came before it. */
  #check(): void {
    if (this.atHand) return;
    if (this.#start < this.#end) {
      this.#empty();
      throw lostError();
    }
    if (this.#closed) throw closedError();
    if (this.#error === undefined) return;
    const error = this.#error;
    this.#error = undefined;
    throw error;
  }

  /** Nothing is left. */
  #empty(): void {
    this.#data = NOTHING;
    this.#gift = undefined;
    this.#start = this.#end = 0;
    this.#memory?.empty(this.#target);
  }

  /** From now on nobody waits: the end of the stream comes after what has arrived, as in Linux. */
  stop(): void {
    this.#stopped = true;
    this.#wake();
  }

  /** Lets in what has arrived since, after {@linkcode stop}. */
  async look(): Promise<void> {
    const arrived = () =>
      this.available > 0 || this.#ended || this.#error !== undefined;
    await poll({
      get ready() {
        return arrived();
      },
      fill: () => {
        if (!arrived() && !this.flying) this.#fly(this.#next());
      },
    });
  }

  /** Ends every wait with EBADF, for a socket that is being closed. */
  close(): void {
    this.#ended = this.#closed = true;
    this.#empty();
    this.#wake();
  }
}
