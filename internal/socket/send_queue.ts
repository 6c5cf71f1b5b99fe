/**
 * The writing half of a stream.
 *
 * @module
 */

import { poll, type Timeout, type WaitLimit } from "../waiting/timeouts.ts";
import {
  newPromise,
  quiet,
  refuse,
  type Resolve,
  resolveNew,
} from "../waiting/promises.ts";
import { translate } from "../base/errors.ts";
import { Mutex } from "../waiting/mutex.ts";
import type { StreamTransport } from "../runtime/transport.ts";

/**
 * The most that a `send` with a timeout accepts at once. The socket keeps a copy of that much, so
 * that a `send` either takes bytes or throws, whatever the time: like the kernel's own send buffer.
 */
const ACCEPT_MAX = 65536;

/** Begins a write; a transport that throws instead of rejecting, as a test double may, rejects too. */
function writeTo(
  transport: StreamTransport,
  data: Uint8Array,
): Promise<number> {
  try {
    return transport.write(data);
  } catch (error) {
    return Promise.reject(error);
  }
}

/**
 * Writes in the order of the calls, each call whole. A write that fails is told to its caller; what
 * fails later, when a call with a timeout has counted it as sent, to the next call or `flush`.
 *
 * It is itself the lock that its calls take, which costs a connection 32 bytes less than to have one. So as a
 * source, for `select`, it is ready when a `send` would not wait.
 */
export class Writer extends Mutex {
  readonly #transport: StreamTransport;
  #failure: unknown;
  #stuck = false;

  /** @param transport Where to write. It stays the caller's to close. */
  constructor(transport: StreamTransport) {
    super();
    this.#transport = transport;
  }

  /** Whether bytes that were accepted are still on their way. */
  get busy(): boolean {
    return !this.ready && !this.#stuck;
  }

  /** Whether a call gave up on bytes that the system does not take. */
  get stuck(): boolean {
    return this.#stuck;
  }

  /** The last failure that no call told, cleared by asking. */
  takeFailure(): unknown {
    const failure = this.#failure;
    this.#failure = undefined;
    return failure;
  }

  /** Writes all of `data`. A failure that nobody awaits is nobody's. */
  sendall(data: Uint8Array): Promise<void> {
    if (this.tryAcquire()) return this.#whole(data);
    return quiet(this.acquire().then(() => this.#whole(data)));
  }

  /** Mostly one write takes all: then this makes one promise. */
  #whole(data: Uint8Array): Promise<void> {
    const sent: Promise<void> = writeTo(this.#transport, data).then(
      (count) => {
        if (count === data.length) return this.release();
        quiet(sent);
        return this.#rest(data, count);
      },
      (error) => {
        quiet(sent);
        this.#fail(error);
      },
    );
    return sent;
  }

  /** Writes what a first, partial write left over; stops early where `stop` says so. */
  async #rest(
    data: Uint8Array,
    start: number,
    stop?: () => boolean,
  ): Promise<void> {
    try {
      while (start < data.length && !stop?.()) {
        start += await this.#transport.write(data.subarray(start));
      }
    } catch (error) {
      this.#fail(error);
    }
    this.#unstick();
  }

  #fail(error: unknown): never {
    this.#unstick();
    throw translate(error, { syscall: "send" });
  }

  /**
   * Writes all of `data`, within a limit of time. When it runs out, nothing says how much was
   * written, as in Python; the part in flight still refers to `data`.
   */
  sendallWithin(data: Uint8Array, timeout: Timeout): Promise<void> {
    if (this.tryAcquire()) return this.#within(data, timeout);
    const turn = this.acquireWithin(timeout, "sendall");
    return quiet(turn.then(() => this.#within(data, timeout)));
  }

  #within(data: Uint8Array, timeout: Timeout): Promise<void> {
    const call = newPromise() as Promise<void>;
    const resolve: Resolve<void> = resolveNew();
    let expired = false;
    timeout.start((error) => {
      expired = this.#stuck = true;
      refuse(call, resolve, error);
    });
    const done = () => {
      timeout.cancel();
      resolve();
    };
    const failed = (error: unknown) => {
      timeout.cancel();
      refuse(call, resolve, error);
    };
    writeTo(this.#transport, data).then((count) => {
      if (count < data.length) {
        return void this.#rest(data, count, () => expired).then(done, failed);
      }
      this.#unstick();
      done();
    }, (error) => {
      this.#unstick();
      failed(translate(error, { syscall: "send" }));
    });
    return call;
  }

  /**
   * Writes the start of `data`, within a limit of time, and loses count of nothing: where the
   * system takes the bytes too late, they belong to the socket and count as sent.
   */
  async sendWithin(data: Uint8Array, limit: "now" | Timeout): Promise<number> {
    if (!this.tryAcquire()) await this.acquireWithin(limit, "send");
    const failure = this.takeFailure();
    if (failure !== undefined) {
      this.release();
      throw failure;
    }
    const accepted = data.slice(0, ACCEPT_MAX);
    const flight = this.#accepted(accepted);
    if (limit === "now") await poll(this);
    else await limit.race(flight);
    const failed = this.ready ? this.takeFailure() : undefined;
    if (failed !== undefined) throw failed;
    return accepted.length;
  }

  /**
   * Makes several calls as one, with no other call's bytes between theirs.
   *
   * @param limit The limit of time for the turn to come.
   * @param use Makes the calls, on a writer of their own.
   */
  async together<T>(
    limit: WaitLimit,
    use: (writer: Writer) => Promise<T>,
  ): Promise<T> {
    if (limit === null) await this.acquire();
    else await this.acquireWithin(limit, "send");
    const own = new Writer(this.#transport);
    try {
      return await use(own);
    } finally {
      this.#stuck = own.stuck;
      if (own.ready) this.release();
      else own.fill().then(() => this.#unstick());
    }
  }

  #unstick(): void {
    this.#stuck = false;
    this.release();
  }

  /** Writes what counts as sent, and keeps the failure. */
  async #accepted(data: Uint8Array): Promise<void> {
    try {
      for (let start = 0; start < data.length;) {
        start += await this.#transport.write(data.subarray(start));
      }
    } catch (error) {
      this.#failure = translate(error, { syscall: "send" });
    }
    this.release();
  }

  /** Waits for all that was accepted, and throws the last failure that no call told. */
  async flush(): Promise<void> {
    while (!this.ready) await this.fill();
    const failure = this.takeFailure();
    if (failure !== undefined) throw failure;
  }
}
