/**
 * The writing half of a stream.
 *
 * @module
 */

import {
  type Cancellation,
  poll,
  type WaitLimit,
} from "../waiting/timeouts.ts";
import { begun, quiet, rejectQuietly } from "../waiting/promises.ts";
import { type OSError, translate } from "../base/errors.ts";
import { Mutex } from "../waiting/mutex.ts";
import type { Readiness } from "../waiting/pending_operation.ts";
import type { StreamTransport } from "../runtime/transport.ts";

/**
 * The most bytes that a `send` with a timeout accepts at once. The socket keeps a copy of them, as the kernel's send
 * buffer does, so that a `send` either takes bytes or throws.
 */
const ACCEPT_MAX = 65536;

/**
 * Writes in the order of the calls, with no mixing of their bytes. A failed write rejects its call. If bytes of a call
 * with a timeout were accepted before their write fails, the next call or `flush` throws the failure. Ready when a
 * `send` would not wait.
 */
export class SendQueue implements Readiness {
  readonly #transport: StreamTransport;
  readonly #mutex = new Mutex();
  #failure: unknown;
  #stuck = false;
  /** The number of bytes written. */
  bytesOut = 0;
  /** The error of writes that fail after the transport is closed, if it is not that of the transport. */
  declare failure: OSError | undefined; // no field until it is set
  /** The queue that counts the bytes of this one, which has its turn: itself, but for {@linkcode SendQueue.together}. */
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

  fill(): Promise<void> {
    return this.#mutex.fill();
  }

  /** Reports whether accepted bytes are not written yet. */
  get busy(): boolean {
    return !this.ready && !this.#stuck;
  }

  /** Reports whether a call has timed out because the system takes no more bytes. */
  get stuck(): boolean {
    return this.#stuck;
  }

  /** Returns the last failure that no call has thrown, and clears it. */
  takeFailure(): unknown {
    const failure = this.#failure;
    this.#failure = undefined;
    return failure;
  }

  /** Writes all of `data`. The caller need not await the promise. */
  sendall(data: Uint8Array): Promise<void> {
    if (this.#mutex.tryAcquire()) return this.#writeAll(data);
    return quiet(this.#mutex.acquire().then(() => this.#writeAll(data)));
  }

  /** Writes all of `data`, unless `stop` returns true. Makes one promise if one write takes all, as mostly. */
  #writeAll(data: Uint8Array, stop?: () => boolean): Promise<void> {
    const writing = begun(() => this.#transport.write(data));
    const sent: Promise<void> = writing.then(
      (count) => {
        this.#counter.bytesOut += count;
        if (count === data.length) return this.#release();
        quiet(sent);
        return this.#writeRest(data, count, stop);
      },
      (error) => {
        quiet(sent);
        this.#fail(error);
      },
    );
    return sent;
  }

  /** Writes the rest after a partial write, until `stop` returns true. */
  async #writeRest(
    data: Uint8Array,
    start: number,
    stop: (() => boolean) | undefined,
  ): Promise<void> {
    try {
      while (start < data.length && !stop?.()) {
        const count = await this.#transport.write(data.subarray(start));
        this.#counter.bytesOut += count;
        start += count;
      }
    } catch (error) {
      this.#fail(error);
    }
    this.#release();
  }

  #fail(error: unknown): never {
    this.#release();
    throw this.#translate(error);
  }

  #translate(error: unknown): unknown {
    return this.#counter.failure ?? translate(error, { syscall: "send" });
  }

  #release(): void {
    this.#stuck = false;
    this.#mutex.release();
  }

  /**
   * Writes all of `data` within a time. After a timeout the number of written bytes is unknown, as in Python, and the
   * write in flight still uses `data`.
   */
  sendallWithin(data: Uint8Array, timeout: Cancellation): Promise<void> {
    if (this.#mutex.tryAcquire()) return this.#writeAllWithin(data, timeout);
    const turn = this.#mutex.acquireWithin(timeout, "sendall");
    return quiet(turn.then(() => this.#writeAllWithin(data, timeout)));
  }

  #writeAllWithin(data: Uint8Array, timeout: Cancellation): Promise<void> {
    const call = Promise.withResolvers<void>();
    let expired = false;
    timeout.start((error) => {
      expired = this.#stuck = true;
      rejectQuietly(call, error);
    });
    if (expired) this.#release(); // aborted since the call got its turn
    else {
      this.#writeAll(data, () => expired).then(() => {
        timeout.cancel();
        call.resolve();
      }, (error) => {
        timeout.cancel();
        rejectQuietly(call, error);
      });
    }
    return call.promise;
  }

  /**
   * Writes the start of `data` within a time. Bytes that the system takes later are copied and count as sent, so no
   * byte is lost and none is sent twice.
   */
  async sendWithin(
    data: Uint8Array,
    limit: "now" | Cancellation,
  ): Promise<number> {
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
      else own.fill().then(() => this.#release());
    }
  }

  /** Waits until all accepted bytes are written, and throws the last failure that no call has thrown. */
  async flush(): Promise<void> {
    while (!this.ready) await this.fill();
    const failure = this.takeFailure();
    if (failure !== undefined) throw failure;
  }
}
