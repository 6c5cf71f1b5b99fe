/**
 * The reading half of a stream.
 *
 * @module
 */

import {
  isRaggedEnd,
  type OSError,
  osError,
  translate,
} from "../base/errors.ts";
import { poll, type Timeout } from "../waiting/timeouts.ts";
import { newPromise, refuse, resolveNew } from "../waiting/promises.ts";
import { memory, viewOf } from "../base/memory.ts";
import type { Bytes } from "../base/memory.ts";
import { ReadMemory } from "./receive_memory.ts";
import type { Readiness } from "../waiting/pending_operation.ts";
import type { StreamTransport } from "../runtime/transport.ts";

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
 *
 * One call gets what a read brings as soon as it is there, with nothing in between. What is known of it, and of the
 * memory, is in this object: two more would cost each connection 70 bytes, and each call one to make.
 */
export class ReadBuffer extends ReadMemory implements Readiness {
  readonly #transport: StreamTransport;
  /** Where the read in flight puts its bytes. */
  #target: Uint8Array | undefined;
  #onLand: ((count: number | null) => void) | undefined;
  #onCrash: ((error: unknown) => void) | undefined;
  /** The call that waits, and what ends it. */
  #call: Promise<unknown> | undefined;
  #resolve: ((value: unknown) => void) | undefined;
  /** The most bytes that it takes, where they are not to go into the caller's memory. */
  #size = 0;
  /** The caller's memory, where they are; until the call has ended. */
  #into: Uint8Array | undefined;
  /** Ends the call when the time runs out; until it has ended. */
  #timeout: Timeout | undefined;
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
    super();
    this.#transport = transport;
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
    return "readOwn" in this.#transport ? OWN : this.next();
  }

  #fly(target: Uint8Array): void {
    this.#target = target;
    const crash = this.#onCrash ??= this.#crash.bind(this); // an arrow would hold a scope besides
    if (target === OWN) return this.#flyOwn(crash);
    const land = this.#onLand ??= this.#land.bind(this);
    readFrom(this.#transport, target).then(land, crash);
  }

  #flyOwn(crash: (error: unknown) => void): void {
    this.#landOwn((this.#transport as OwningTransport).readOwn(), crash);
  }

  #landOwn(
    read: Promise<Bytes | null>,
    crash: (error: unknown) => void,
  ): void {
    read.then((bytes) => {
      if (bytes !== null) this.receive(this.#target = bytes);
      this.#land(bytes && bytes.length);
    }, crash);
  }

  /** Takes over a read that is in flight already, whose memory is this buffer's then. */
  adopt(read: Promise<Bytes | null>): void {
    this.#target = OWN;
    this.#landOwn(read, this.#onCrash ??= this.#crash.bind(this));
  }

  #land(count: number | null): void {
    const target = this.#target!;
    this.#target = undefined;
    const own = this.landed(target, count ?? 0);
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
    const left = !own && !lost && this.#into !== target;
    this.#data = left ? viewOf(target, 0, count) : target;
    this.#start = 0;
    this.#end = Math.min(count, target.length);
    if (before !== undefined) this.putBack(before);
  }

  #crash(error: unknown): void {
    if (isRaggedEnd(error)) return this.#land(null);
    this.landed(this.#target!, 0);
    this.#target = undefined;
    if (!this.#ended) this.#error ??= translate(error, { syscall: "recv" });
    if (this.available === 0) this.#empty();
    this.#wake();
  }

  #wake(): void {
    if (this.#call !== undefined) this.#serve();
    const landed = this.#landed;
    this.#landed = undefined;
    landed?.resolve();
  }

  /** Ends the call that waits with what there is. */
  #serve(): void {
    const into = this.#into;
    if (!this.ready) return this.#fly(this.#straight ?? this.#next()); // a read of 0 bytes, which is not the end
    this.#timeout?.cancel();
    try {
      const taken = into === undefined
        ? this.take(this.#size)
        : this.#given(into);
      this.#resolve!(taken);
    } catch (error) {
      refuse(this.#call!, this.#resolve!, error);
    }
    this.#leave();
  }

  /** Nobody waits any more. */
  #leave(): void {
    this.#call =
      this.#resolve =
      this.#into =
      this.#timeout =
        undefined;
  }

  /** The memory of the call that waits, where its bytes go straight there: it must not be able to leave. */
  get #straight(): Uint8Array | undefined {
    return this.#timeout === undefined ? this.#into : undefined;
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
    this.#size = size;
    return this.#wait(timeout) as Promise<Bytes>;
  }

  /**
   * Reads into the caller's memory: straight, with no copy, where the caller cannot stop waiting. Only
   * where nothing is buffered and no read is in flight.
   *
   * @param into The caller's memory.
   * @param timeout Ends the wait; the read, which is then elsewhere, goes on.
   */
  readInto(into: Uint8Array, timeout?: Timeout): Promise<number> {
    this.#into = into;
    return this.#wait(timeout) as Promise<number>;
  }

  #wait(timeout: Timeout | undefined): Promise<unknown> {
    const call = this.#call = newPromise();
    this.#resolve = resolveNew();
    if (timeout !== undefined) this.#limit(this.#timeout = timeout);
    this.#fly(this.#straight ?? this.#next());
    return call;
  }

  /** A call that is served before its time runs out cancels the timeout. */
  #limit(timeout: Timeout): void {
    timeout.start((error) => {
      if (this.#timeout !== timeout) return; // a timer tells all that were due
      refuse(this.#call!, this.#resolve!, error);
      this.#leave();
    });
  }

  /** Takes at most `size` bytes; empty at the end of the stream. The buffer must be ready. */
  take(size: number): Bytes {
    this.#check();
    const start = this.#start;
    const end = this.#start = Math.min(start + size, this.#end);
    const taken = this.give(this.#data, start, end);
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
    return viewOf(
      this.#data,
      this.#start,
      Math.min(this.#start + size, this.#end),
    );
  }

  /** Puts bytes back in front of what is there. */
  putBack(bytes: Uint8Array): void {
    const joined = memory(bytes.length + this.available);
    joined.set(bytes);
    joined.set(this.#data.subarray(this.#start, this.#end), bytes.length);
    this.#empty();
    this.receive(this.#data = joined);
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
    this.#start = this.#end = 0;
    this.empty(this.#target);
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
