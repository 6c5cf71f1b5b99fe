/**
 * The reading half of a stream.
 *
 * @module
 */

import type { OSError } from "../base/errors.ts";
import { isRaggedEnd, osError, translate } from "../base/translate_error.ts";
import type { Cancellation, WaitLimit } from "../waiting/timeouts.ts";
import { nextTurn, turnUntil } from "../waiting/turns.ts";
import { whenReady } from "../waiting/when_ready.ts";
import { quiet } from "../waiting/promises.ts";
import type { Bytes } from "../base/memory.ts";
import { ReceiveMemory } from "./receive_memory.ts";
import type { Readiness } from "../waiting/pending_operation.ts";
import {
  readsOwn,
  type StreamTransport,
} from "../runtime/transport/transport.ts";

/** A placeholder for the memory of a read whose transport returns its own. */
const OWN: Bytes = new Uint8Array(0);

/** Creates the error of a read of a closed socket. Called as late as possible, because an error costs 10 us. */
function closedError(): OSError {
  const reason =
    "the socket was closed; a handler must await its calls before handle() returns";
  return osError("EBADF", { syscall: "recv", reason });
}

/**
 * Receives for the calls of a socket, with at most one read in flight. A call that stops waiting leaves the read, and its
 * bytes, to the next call. Close and shutdown wake every call that waits.
 *
 * One call can wait for the next bytes without {@linkcode ReceiveBuffer.nextChange}: a finished read resolves its
 * promise directly.
 */
export class ReceiveBuffer implements Readiness {
  readonly #transport: StreamTransport;
  /** The memory of reads, and the bytes that wait. */
  readonly #memory = new ReceiveMemory();
  /** The memory of the read in flight. */
  #target: Uint8Array | undefined;
  /** The handlers of a read, bound once for all; arrows would hold a scope besides. */
  #onRead: ((count: number | null) => void) | undefined;
  #onFailure: ((error: unknown) => void) | undefined;
  /** The call that waits for the next bytes. */
  #call: Promise<Bytes | number> | undefined;
  /** Ends the call, with a rejected promise if it fails: a function to reject it would take 100 bytes of a connection. */
  #resolve: ((result: Bytes | number | Promise<never>) => void) | undefined;
  /** The most bytes that the call takes. */
  #size = 0;
  /** The memory of the caller, if the call reads into it. */
  #into: Uint8Array | undefined;
  #timeout: Cancellation | undefined;
  #onExpire: ((error: unknown) => void) | undefined;
  /** Resolved at the end of the read in flight, for {@linkcode ReceiveBuffer.nextChange}. */
  #changed: PromiseWithResolvers<void> | undefined;
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
    return this.#arrived || this.#stopped;
  }

  /** Whether bytes, the end of the stream or an error have come. */
  get #arrived(): boolean {
    return this.#memory.available > 0 || this.#ended ||
      this.#error !== undefined;
  }

  /** The number of bytes that wait. */
  get available(): number {
    return this.#memory.available;
  }

  /** Whether bytes wait, in memory that the program has not transferred. */
  get hasBytes(): boolean {
    return this.#memory.hasBytes;
  }

  /** Whether a read is in flight. */
  get reading(): boolean {
    return this.#target !== undefined;
  }

  /** Whether a call waits for bytes. A read in flight may have none, after a timeout. */
  get awaited(): boolean {
    return this.#call !== undefined;
  }

  /**
   * Receives at most `size` bytes; empty at the end of the stream. With 0 waits for bytes and leaves them.
   *
   * @param limit Ends the wait, but not the read.
   */
  recv(size: number, limit: WaitLimit): Promise<Bytes> {
    if (this.#memory.hasBytes) return Promise.resolve(this.take(size));
    if (limit === "now" || this.reading || this.ready) {
      return this.#recvLater(size, limit);
    }
    this.#size = size;
    return this.#wait(limit) as Promise<Bytes>;
  }

  /** Separate from {@linkcode ReceiveBuffer.recv}, which would otherwise allocate a scope at each call. */
  #recvLater(size: number, limit: WaitLimit): Promise<Bytes> {
    return quiet(this.#whenReady(limit, () => this.take(size)));
  }

  /**
   * Receives into the caller's memory; 0 bytes at the end of the stream. Reads directly into that memory, without a copy,
   * if there is no limit: such a read cannot be taken back.
   *
   * @param limit Ends the wait, but not the read.
   */
  recvInto(into: Uint8Array, limit: WaitLimit): Promise<number> {
    if (this.#memory.hasBytes) return Promise.resolve(this.takeInto(into));
    if (limit === "now" || this.reading || this.ready) {
      return this.#recvIntoLater(into, limit);
    }
    this.#into = into;
    return this.#wait(limit) as Promise<number>;
  }

  #recvIntoLater(into: Uint8Array, limit: WaitLimit): Promise<number> {
    return quiet(this.#whenReady(limit, () => this.takeInto(into)));
  }

  /** Returns a copy of the next bytes, at most `size`, and leaves them in place. */
  recvPeek(size: number, limit: WaitLimit): Promise<Bytes> {
    return this.#whenReady(limit, () => this.peek(size));
  }

  /** Calls `take` when bytes have come. After {@linkcode ReceiveBuffer.stop} reads once more, and does not wait. */
  async #whenReady<T>(limit: WaitLimit, take: () => T): Promise<T> {
    if (this.#stopped) {
      if (!this.#arrived && !this.reading) this.#read();
      await turnUntil(() => this.#arrived);
    } else if (this.ready && !this.hasBytes) await nextTurn(); // the end: a program that reads on and on must not starve the others
    return await whenReady(this, limit, "recv", take);
  }

  /** Reads, and returns the promise of the call that waits for that read. */
  #wait(timeout: Cancellation | null): Promise<Bytes | number> {
    const call = this.#call = new Promise<Bytes | number>((resolve) => {
      this.#resolve = resolve;
    });
    if (timeout !== null) {
      this.#timeout = timeout;
      timeout.start(this.#onExpire ??= this.#failCall.bind(this));
    }
    this.#read();
    return call;
  }

  nextChange(): Promise<void> {
    if (this.ready) return Promise.resolve();
    if (this.#target === undefined) this.#read();
    return (this.#changed ??= Promise.withResolvers()).promise;
  }

  /** Begins a read: into the caller's memory only if the call has no limit. */
  #read(): void {
    const transport = this.#transport;
    const into = this.#timeout === undefined ? this.#into : undefined;
    if (into === undefined && readsOwn(transport)) {
      return this.adopt(transport.readOwn());
    }
    const target = this.#target = into ?? this.#memory.next();
    let read: Promise<number | null>;
    try {
      read = transport.read(target);
    } catch (error) {
      read = Promise.reject(error); // a test double may throw
    }
    read.then(
      this.#onRead ??= this.#finish.bind(this),
      this.#onFailure ??= this.#fail.bind(this),
    );
  }

  /** Takes over a read in flight. Its memory then belongs to this buffer. */
  adopt(read: Promise<Bytes | null>): void {
    this.#target = OWN;
    read.then((bytes) => {
      if (bytes !== null) this.#memory.adopt(this.#target = bytes);
      this.#finish(bytes && bytes.length);
    }, this.#onFailure ??= this.#fail.bind(this));
  }

  /** Ends the read in flight; `count` is null at the end of the stream. */
  #finish(count: number | null): void {
    const target = this.#target!;
    this.#target = undefined;
    if (count === null) this.#ended = true;
    else this.bytesIn += count;
    const kept = this.#ended ? 0 : count!;
    this.#memory.filled(target, kept, this.#into === target);
    this.#wake();
  }

  #fail(error: unknown): void {
    if (isRaggedEnd(error)) return this.#finish(null);
    if (!this.#ended) this.#error ??= translate(error, { syscall: "recv" });
    this.#finish(0);
  }

  #wake(): void {
    if (this.#call !== undefined) this.#endCall();
    const changed = this.#changed;
    this.#changed = undefined;
    changed?.resolve();
  }

  /** Ends the waiting call with the bytes that have come, the end of the stream or the error. */
  #endCall(): void {
    if (!this.ready) return this.#read(); // a read of 0 bytes, which is not the end
    this.#timeout?.cancel();
    const into = this.#into;
    try {
      this.#resolve!(
        into === undefined ? this.take(this.#size) : this.takeInto(into),
      );
    } catch (error) {
      return this.#failCall(error);
    }
    this.#forgetCall();
  }

  /** Rejects the call that waits; the call may go unawaited. */
  #failCall(error: unknown): void {
    quiet(this.#call!);
    this.#resolve!(Promise.reject(error));
    this.#forgetCall();
  }

  #forgetCall(): void {
    this.#call = this.#resolve = this.#into = undefined;
    this.#timeout = undefined;
  }

  /** Takes at most `size` bytes; empty at the end of the stream. The buffer must be ready. */
  take(size: number): Bytes {
    this.#check();
    return this.#memory.take(size);
  }

  /** Moves as much as fits into `target`; 0 at the end of the stream. The buffer must be ready. */
  takeInto(target: Uint8Array): number {
    this.#check();
    return this.#memory.takeInto(target);
  }

  /** Copies the next bytes, at most `size`, and leaves them in place. The buffer must be ready. */
  peek(size: number): Bytes {
    this.#check();
    return this.#memory.peek(size);
  }

  /** Puts bytes back in front of the others. */
  putBack(bytes: Uint8Array): void {
    this.#memory.putBack(bytes);
  }

  /** Throws the error, if all bytes before it are taken. Throws the error of a read only once. */
  #check(): void {
    if (this.#memory.check()) return;
    if (this.#closed) throw this.failure ?? closedError();
    if (this.#error === undefined) return;
    const error = this.#error;
    this.#error = undefined;
    throw error;
  }

  /** Shuts down: calls end at once, with the bytes that have arrived and then the end of the stream, as in Linux. */
  stop(): void {
    this.#stopped = true;
    this.#wake();
  }

  /** Closes: every call that waits ends with EBADF. */
  close(): void {
    this.#ended = this.#closed = true;
    this.#memory.clear();
    this.#wake();
  }
}
