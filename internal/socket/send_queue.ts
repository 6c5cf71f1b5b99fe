/**
 * The writing half of a stream.
 *
 * @module
 */

import type { Cancellation, WaitLimit } from "../waiting/timeouts.ts";
import { poll } from "../waiting/turns.ts";
import { quiet } from "../waiting/promises.ts";
import type { OSError } from "../base/errors.ts";
import { translate } from "../base/translate_error.ts";
import { Mutex } from "../waiting/mutex.ts";
import type { Readiness } from "../waiting/pending_operation.ts";
import type { StreamTransport } from "../runtime/transport/transport.ts";

/**
 * The most bytes that a `send` with a timeout accepts at once. The socket keeps a copy of them, as the kernel's send
 * buffer does, so that a `send` either takes bytes or throws.
 */
const ACCEPT_MAX = 65536;

/** What a call resolves to: the number of its bytes for `send`, nothing for `sendall`. */
type Result = number | undefined;

/**
 * Writes in the order of the calls, with no mixing of their bytes. A failed write rejects its call. If bytes of a call
 * with a timeout were accepted before their write fails, the next `send` with a timeout, or `flush`, throws the
 * failure. Ready when a `send` would not wait.
 */
export class SendQueue implements Readiness {
  readonly #transport: StreamTransport;
  readonly #mutex = new Mutex();
  #failure: unknown;
  #stuck = false;
  /** The bytes of the call that has its turn. */
  #data: Uint8Array | undefined;
  /** Its promise, until it has timed out. */
  #sent: Promise<Result> | undefined;
  /** What that promise resolves to. */
  #result: Result;
  /** Resolves that promise if the call has a timeout; with a rejected promise if the call fails. */
  #resolve: ((result: undefined | Promise<never>) => void) | undefined;
  #timeout: Cancellation | undefined;
  /** The handlers of a write, bound once for all: closures of each write would take 250 bytes. */
  #onWritten: ((count: number) => Result | Promise<Result>) | undefined;
  #onFailure: ((error: unknown) => undefined) | undefined;
  #onExpire: ((error: unknown) => void) | undefined;
  /** The number of bytes written. */
  bytesOut = 0;
  /** The error of writes that fail after the transport is closed, if it is not that of the transport. */
  declare failure: OSError | undefined; // no field until it is set
  /** The queue that counts the bytes: this one, or the queue whose turn {@linkcode SendQueue.together} uses. */
  readonly #counter: SendQueue;

  /**
   * @param transport The transport to write to. The caller closes it.
   * @param counter The queue that counts the bytes, if it is another one.
   */
  constructor(transport: StreamTransport, counter?: SendQueue) {
    this.#transport = transport;
    this.#counter = counter ?? this;
  }

  get ready(): boolean {
    return this.#mutex.ready;
  }

  nextChange(): Promise<void> {
    return this.#mutex.nextChange();
  }

  /** Whether accepted bytes are not written yet. */
  get busy(): boolean {
    return !this.ready && !this.#stuck;
  }

  /** Whether a call has timed out because the system takes no more bytes. */
  get stuck(): boolean {
    return this.#stuck;
  }

  /** Returns the last failure that no call has thrown, and clears it. */
  takeFailure(): unknown {
    const failure = this.#failure;
    this.#failure = undefined;
    return failure;
  }

  /**
   * Sends all of `data` within a limit. After a timeout the number of sent bytes is unknown, as in Python, and the write in
   * flight still uses `data`. The caller need not await the promise.
   */
  sendall(data: Uint8Array, limit: WaitLimit): Promise<void> {
    if (limit === null) return this.#inTurn(data, undefined) as Promise<void>;
    return limit === "now"
      ? quiet(this.#sendallNow(data))
      : this.#sendallWithin(data, limit);
  }

  /**
   * Sends all of `data`, or what is sent of its start within a timeout, and returns the number of bytes. The caller need not
   * await the promise.
   */
  send(data: Uint8Array, limit: WaitLimit): Promise<number> {
    if (limit === null) {
      return this.#inTurn(data, data.length) as Promise<number>;
    }
    return quiet(this.#sendWithin(data, limit));
  }

  #inTurn(data: Uint8Array, result: Result): Promise<Result> {
    if (this.#mutex.tryAcquire()) return this.#writeAll(data, result);
    return this.#later(data, result);
  }

  /** Separate from {@linkcode SendQueue.#inTurn}, which would otherwise allocate a scope at each call. */
  #later(data: Uint8Array, result: Result): Promise<Result> {
    const turn = this.#mutex.acquire();
    return quiet(turn.then(() => this.#writeAll(data, result)));
  }

  /** Writes all of `data`. Makes one promise if one write takes all, as mostly. */
  #writeAll(data: Uint8Array, result: Result): Promise<Result> {
    this.#result = result;
    return this.#sent = this.#write(data);
  }

  #write(data: Uint8Array): Promise<Result> {
    this.#data = data;
    let written: Promise<number>;
    try {
      written = this.#transport.write(data);
    } catch (error) {
      written = Promise.reject(error); // a test double may throw
    }
    return written.then(
      this.#onWritten ??= this.#written.bind(this),
      this.#onFailure ??= this.#fail.bind(this),
    );
  }

  #written(count: number): Result | Promise<Result> {
    const data = this.#data!;
    this.#counter.bytesOut += count;
    if (count === data.length) return this.#end();
    if (this.#sent !== undefined) quiet(this.#sent);
    return this.#writeRest(data, count);
  }

  /** Writes the rest after a partial write, until the call has timed out. */
  async #writeRest(data: Uint8Array, start: number): Promise<Result> {
    try {
      while (start < data.length && !this.#stuck) {
        const count = await this.#transport.write(data.subarray(start));
        this.#counter.bytesOut += count;
        start += count;
      }
    } catch (error) {
      return this.#fail(error);
    }
    return this.#end();
  }

  /** Ends the call that has its turn. */
  #end(): Result {
    const result = this.#result;
    const resolve = this.#resolve;
    this.#release();
    resolve?.(undefined);
    return result;
  }

  /** Fails the call that has its turn, unless it has timed out. */
  #fail(error: unknown): undefined {
    const failure = this.#translate(error);
    const sent = this.#sent;
    const resolve = this.#resolve;
    this.#release();
    if (sent === undefined) return;
    quiet(sent);
    if (resolve === undefined) throw failure;
    resolve(Promise.reject(failure));
  }

  #translate(error: unknown): unknown {
    return this.#counter.failure ?? translate(error, { syscall: "send" });
  }

  /** Passes the turn on. */
  #release(): void {
    this.#timeout?.cancel();
    this.#sent = this.#resolve = this.#timeout = undefined;
    this.#data = undefined;
    this.#stuck = false;
    this.#mutex.release();
  }

  #sendallWithin(data: Uint8Array, timeout: Cancellation): Promise<void> {
    if (this.#mutex.tryAcquire()) return this.#writeAllWithin(data, timeout);
    const turn = this.#mutex.acquireWithin(timeout, "sendall");
    return quiet(turn.then(() => this.#writeAllWithin(data, timeout)));
  }

  #writeAllWithin(data: Uint8Array, timeout: Cancellation): Promise<void> {
    this.#result = undefined;
    const sent = this.#sent = new Promise<Result>((resolve) => {
      this.#resolve = resolve;
    });
    this.#timeout = timeout;
    timeout.start(this.#onExpire ??= this.#expire.bind(this));
    if (this.#stuck) this.#release(); // aborted since the call got its turn
    else this.#write(data);
    return sent as Promise<void>;
  }

  #expire(error: unknown): void {
    quiet(this.#sent!);
    this.#resolve!(Promise.reject(error));
    this.#sent = this.#resolve = this.#timeout = undefined;
    this.#stuck = true;
  }

  async #sendallNow(data: Uint8Array): Promise<void> {
    while (data.length > 0) {
      data = data.subarray(await this.#sendWithin(data, "now"));
    }
  }

  /**
   * Writes the start of `data` within a time. Bytes that the system takes later are copied and count as sent, so no
   * byte is lost and none is sent twice.
   */
  async #sendWithin(
    data: Uint8Array,
    limit: "now" | Cancellation,
  ): Promise<number> {
    if (limit !== "now" && !limit.timed) { // only a signal ends it: it sends all
      await this.sendall(data, limit);
      return data.length;
    }
    if (!this.#mutex.tryAcquire()) {
      await this.#mutex.acquireWithin(limit, "send");
    }
    const failure = this.takeFailure();
    if (failure !== undefined) {
      this.#mutex.release();
      throw failure;
    }
    const accepted = data.slice(0, ACCEPT_MAX);
    const written = this.#writeAccepted(accepted);
    if (limit === "now") await poll(this);
    else await limit.race(written);
    const failed = this.ready ? this.takeFailure() : undefined;
    if (failed !== undefined) throw failed;
    return accepted.length;
  }

  /** Writes bytes that count as sent, and keeps a failure for the next call. */
  async #writeAccepted(data: Uint8Array): Promise<void> {
    try {
      for (let start = 0; start < data.length;) {
        const count = await this.#transport.write(data.subarray(start));
        this.#counter.bytesOut += count;
        start += count;
      }
    } catch (error) {
      this.#failure = this.#translate(error);
    }
    this.#mutex.release();
  }

  /**
   * Makes several calls with no bytes of other calls between theirs.
   *
   * @param limit The limit of the wait for the turn.
   * @param use Makes the calls on the queue that it gets.
   */
  async together<T>(
    limit: WaitLimit,
    use: (queue: SendQueue) => Promise<T>,
  ): Promise<T> {
    if (limit === null) await this.#mutex.acquire();
    else await this.#mutex.acquireWithin(limit, "send");
    const own = new SendQueue(this.#transport, this);
    try {
      return await use(own);
    } finally {
      this.#stuck = own.stuck;
      if (own.ready) this.#mutex.release();
      else own.nextChange().then(() => this.#release());
    }
  }

  /** Waits until all accepted bytes are written, and throws the last failure that no call has thrown. */
  async flush(): Promise<void> {
    while (!this.ready) await this.nextChange();
    const failure = this.takeFailure();
    if (failure !== undefined) throw failure;
  }
}
