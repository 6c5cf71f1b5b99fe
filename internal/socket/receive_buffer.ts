/**
 * The reading half of a stream.
 *
 * @module
 */

import type { OSError } from "../base/errors.ts";
import { isRaggedEnd, osError, translate } from "../base/translate_error.ts";
import type { Cancellation } from "../waiting/timeouts.ts";
import { poll } from "../waiting/turns.ts";
import { quiet } from "../waiting/promises.ts";
import { type Bytes, copyOf, memory } from "../base/memory.ts";
import { ReceiveMemory } from "./receive_memory.ts";
import type { Readiness } from "../waiting/pending_operation.ts";
import type { StreamTransport } from "../runtime/transport/transport.ts";

const NOTHING: Bytes = new Uint8Array(0);

/** A placeholder for the memory of a read whose transport returns its own. */
const OWN: Bytes = new Uint8Array(0);

/** A transport that returns memory of its own for each read. */
export interface OwningTransport extends StreamTransport {
  /** Reads the next bytes; null at the end of the stream. The caller owns all of the memory. */
  readOwn(): Promise<Bytes | null>;
}

/** Begins a read. A transport that throws instead of rejecting, as a test double may, rejects too. */
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

/** Creates the error of bytes that are lost because the program has transferred the memory that they were read into. */
function lostError(): OSError {
  const reason =
    "the memory of the read was transferred; slice() what recv() gives before its buffer is";
  return osError("EFAULT", { syscall: "recv", reason });
}

/** Creates the error of a read of a closed socket. Called as late as possible, because an error costs 10 us. */
function closedError(): OSError {
  const reason =
    "the socket was closed; a handler must await its calls before handle() returns";
  return osError("EBADF", { syscall: "recv", reason });
}

/**
 * Holds bytes that were read and not yet taken, and at most one read in flight. A call that stops waiting leaves the
 * read to the next call. Close and shutdown wake every call that waits.
 *
 * One call can wait for the next bytes without {@linkcode ReceiveBuffer.fill}: a finished read resolves its promise
 * directly.
 */
export class ReceiveBuffer implements Readiness {
  readonly #transport: StreamTransport;
  readonly #memory = new ReceiveMemory();
  /** The memory of the read in flight. */
  #target: Uint8Array | undefined;
  /** The handlers of a read, bound once for all. */
  #onRead: ((count: number | null) => void) | undefined;
  #onFailure: ((error: unknown) => void) | undefined;
  /**
   * The call that waits for the next bytes, and its end. A call fails by being resolved to a rejected promise: another
   * function to reject it would take 100 bytes of each idle connection.
   */
  #call: Promise<Bytes | number> | undefined;
  #resolve: ((result: Bytes | number | Promise<never>) => void) | undefined;
  /** The most bytes that the call takes. */
  #size = 0;
  /** The memory of the caller, if the call reads into it. */
  #into: Uint8Array | undefined;
  #timeout: Cancellation | undefined;
  #onExpire: ((error: unknown) => void) | undefined;
  /** Resolved at the end of the read in flight, for {@linkcode ReceiveBuffer.fill}. */
  #filled: PromiseWithResolvers<void> | undefined;
  /** The bytes that wait: from `#start` to `#end` of `#data`. */
  #data: Uint8Array = NOTHING;
  #start = 0;
  #end = 0;
  #ended = false;
  #stopped = false;
  #closed = false;
  #error: unknown;
  /** The number of bytes received. */
  bytesIn = 0;
  /** The error of calls after the close, if it is not EBADF. */
  declare failure: OSError | undefined; // no field until it is set: 8 bytes of each connection

  /** @param transport The transport to read from. The caller closes it. */
  constructor(transport: StreamTransport) {
    this.#transport = transport;
  }

  get ready(): boolean {
    return this.#start < this.#end || this.#ended ||
      this.#error !== undefined || this.#stopped;
  }

  /** Reports whether {@linkcode ReceiveBuffer.stop} was called. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** The number of bytes that wait. */
  get available(): number {
    return this.#end - this.#start;
  }

  /** Reports whether bytes wait, in memory that the program has not transferred. */
  get hasBytes(): boolean {
    return this.#start < this.#end && this.#end <= this.#data.length;
  }

  /** Reports whether a read is in flight. */
  get reading(): boolean {
    return this.#target !== undefined;
  }

  /** Whether a call waits for bytes. A read in flight may have none, after a timeout. */
  get awaited(): boolean {
    return this.#call !== undefined;
  }

  fill(): Promise<void> {
    if (this.ready) return Promise.resolve();
    if (this.#target === undefined) this.#read(this.#nextTarget());
    return (this.#filled ??= Promise.withResolvers()).promise;
  }

  #nextTarget(): Uint8Array {
    return "readOwn" in this.#transport ? OWN : this.#memory.next();
  }

  #read(target: Uint8Array): void {
    this.#target = target;
    const onFailure = this.#onFailure ??= this.#fail.bind(this); // an arrow would hold a scope besides
    if (target === OWN) {
      const read = (this.#transport as OwningTransport).readOwn();
      return this.#readOwn(read, onFailure);
    }
    const onRead = this.#onRead ??= this.#finish.bind(this);
    readFrom(this.#transport, target).then(onRead, onFailure);
  }

  #readOwn(
    read: Promise<Bytes | null>,
    onFailure: (error: unknown) => void,
  ): void {
    read.then((bytes) => {
      if (bytes !== null) this.#memory.adopt(this.#target = bytes);
      this.#finish(bytes && bytes.length);
    }, onFailure);
  }

  /** Takes over a read in flight. Its memory then belongs to this buffer. */
  adopt(read: Promise<Bytes | null>): void {
    this.#target = OWN;
    this.#readOwn(read, this.#onFailure ??= this.#fail.bind(this));
  }

  #finish(count: number | null): void {
    const target = this.#target!;
    this.#target = undefined;
    const own = this.#memory.filled(target, count ?? 0);
    if (count === null) this.#ended = true;
    else {
      this.bytesIn += count;
      if (!this.#ended) this.#keep(target, count, own);
    }
    if (this.available === 0) this.#empty();
    this.#wake();
  }

  /**
   * Keeps the bytes of a read, after bytes that were put back meanwhile. Copies bytes in the memory of a caller that no
   * longer waits, because the caller may use that memory again.
   */
  #keep(target: Uint8Array, count: number, own: boolean): void {
    const lost = count > target.length;
    if (lost) this.#error ??= lostError();
    const before = this.available === 0
      ? undefined
      : this.#data.subarray(this.#start, this.#end);
    const abandoned = !own && !lost && this.#into !== target;
    this.#data = abandoned ? copyOf(target, 0, count) : target;
    this.#start = 0;
    this.#end = Math.min(count, target.length);
    if (before !== undefined) this.putBack(before);
  }

  #fail(error: unknown): void {
    if (isRaggedEnd(error)) return this.#finish(null);
    this.#memory.filled(this.#target!, 0);
    this.#target = undefined;
    if (!this.#ended) this.#error ??= translate(error, { syscall: "recv" });
    if (this.available === 0) this.#empty();
    this.#wake();
  }

  #wake(): void {
    if (this.#call !== undefined) this.#serve();
    const filled = this.#filled;
    this.#filled = undefined;
    filled?.resolve();
  }

  /** Ends the waiting call with the bytes at hand, the end of the stream or the error. */
  #serve(): void {
    const into = this.#into;
    if (!this.ready) return this.#read(this.#direct ?? this.#nextTarget()); // a read of 0 bytes, which is not the end
    this.#timeout?.cancel();
    try {
      this.#resolve!(
        into === undefined ? this.#takeCall() : this.#takeDirect(into),
      );
    } catch (error) {
      this.#reject(error);
    }
    this.#forgetCall();
  }

  /** Takes the bytes for the waiting call; none for one that only waits for them. */
  #takeCall(): Bytes {
    if (this.#size > 0) return this.take(this.#size);
    this.#check();
    return NOTHING;
  }

  /** Rejects the call that waits; the call may go unawaited. */
  #reject(error: unknown): void {
    quiet(this.#call!);
    this.#resolve!(Promise.reject(error));
  }

  #forgetCall(): void {
    this.#call =
      this.#resolve =
      this.#into =
      this.#timeout =
        undefined;
  }

  /** The caller's memory, if the call has no timeout. Only then the read may use that memory. */
  get #direct(): Uint8Array | undefined {
    return this.#timeout === undefined ? this.#into : undefined;
  }

  /** Returns the number of bytes that the read has put into the caller's memory. */
  #takeDirect(into: Uint8Array): number {
    if (this.#data !== into) return this.takeInto(into); // the end of the stream, or an error
    const count = this.#end;
    this.#empty();
    return count;
  }

  /**
   * Takes at most `size` bytes as soon as some come. The buffer must be empty, with no read in flight.
   *
   * @param size The most bytes; 0 waits for bytes and leaves them.
   * @param timeout Ends the wait, but not the read.
   */
  takeNext(size: number, timeout?: Cancellation): Promise<Bytes> {
    this.#size = size;
    return this.#wait(timeout) as Promise<Bytes>;
  }

  /**
   * Reads into the caller's memory: directly, without a copy, if the call has no timeout. The buffer must be empty,
   * with no read in flight.
   *
   * @param into The caller's memory.
   * @param timeout Ends the wait, but not the read. With a timeout the read uses other memory.
   */
  readInto(into: Uint8Array, timeout?: Cancellation): Promise<number> {
    this.#into = into;
    return this.#wait(timeout) as Promise<number>;
  }

  #wait(timeout: Cancellation | undefined): Promise<Bytes | number> {
    const call = this.#call = new Promise<Bytes | number>((resolve) => {
      this.#resolve = resolve;
    });
    if (timeout !== undefined) this.#limit(timeout);
    this.#read(this.#direct ?? this.#nextTarget());
    return call;
  }

  #limit(timeout: Cancellation): void {
    this.#timeout = timeout;
    timeout.start(this.#onExpire ??= this.#expire.bind(this));
  }

  #expire(error: unknown): void {
    this.#reject(error);
    this.#forgetCall();
  }

  /** Takes at most `size` bytes; empty at the end of the stream. The buffer must be ready. */
  take(size: number): Bytes {
    this.#check();
    const start = this.#start;
    const end = this.#start = Math.min(start + size, this.#end);
    const taken = this.#memory.handOut(this.#data, start, end);
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

  /** Copies the next bytes, at most `size`, and leaves them in place. The buffer must be ready. */
  peek(size: number): Bytes {
    this.#check();
    const end = Math.min(this.#start + size, this.#end);
    return copyOf(this.#data, this.#start, end);
  }

  /** Puts bytes back in front of the others. */
  putBack(bytes: Uint8Array): void {
    const joined = memory(bytes.length + this.available);
    joined.set(bytes);
    joined.set(this.#data.subarray(this.#start, this.#end), bytes.length);
    this.#empty();
    this.#memory.adopt(this.#data = joined);
    this.#end = joined.length;
  }

  /** Throws the error, if all bytes before it are taken. Throws the error of a read only once. */
  #check(): void {
    if (this.hasBytes) return;
    if (this.#start < this.#end) {
      this.#empty();
      throw lostError();
    }
    if (this.#closed) throw this.failure ?? closedError();
    if (this.#error === undefined) return;
    const error = this.#error;
    this.#error = undefined;
    throw error;
  }

  #empty(): void {
    this.#data = NOTHING;
    this.#start = this.#end = 0;
    this.#memory.emptied(this.#target);
  }

  /** Shuts down: calls end at once, with the bytes that have arrived and then the end of the stream, as in Linux. */
  stop(): void {
    this.#stopped = true;
    this.#wake();
  }

  /** Reads the bytes that have arrived since {@linkcode ReceiveBuffer.stop}. */
  async look(): Promise<void> {
    const arrived = () =>
      this.available > 0 || this.#ended || this.#error !== undefined;
    await poll({
      get ready() {
        return arrived();
      },
      fill: () => {
        if (!arrived() && !this.reading) this.#read(this.#nextTarget());
      },
    });
  }

  /** Closes: every call that waits ends with EBADF. */
  close(): void {
    this.#ended = this.#closed = true;
    this.#empty();
    this.#wake();
  }
}
