/**
 * Doubles in memory: transports, the sources and sinks of files, and a signal.
 *
 * @module
 */

import { SharedTimer, Timeout } from "../../internal/waiting/timeouts.ts";
import { type ByteSink, type ByteSource, TimeoutError } from "../../mod.ts";
import type {
  DatagramTransport,
  StreamTransport,
  TransportAddr,
} from "../../socket.ts";
import { type Bytes, bytes, latin1, text } from "./bytes.ts";

const TCP: TransportAddr = { transport: "tcp", hostname: "127.0.0.1", port: 1 };

/** The result of a read of {@linkcode FakeStream}: bytes, `null` at the end, an error, or a promise to wait for. */
export type Read = Bytes | null | Error | Promise<Bytes | null>;

/** A connection in memory. It plays its reads in order; further reads wait until it is closed. */
export class FakeStream implements StreamTransport {
  readonly localAddr: TransportAddr = TCP;
  readonly remoteAddr: TransportAddr = TCP;
  /** The reads to come. */
  readonly reads: Read[];
  /** The size of the buffer of each read. */
  readonly sizes: number[] = [];
  /** The data of each write. */
  readonly written: Bytes[] = [];
  /** The names of the other calls. */
  readonly calls: string[] = [];
  readonly #closed = Promise.withResolvers<never>();

  constructor(...reads: Read[]) {
    this.reads = reads;
    this.#closed.promise.catch(() => {});
  }

  async read(p: Uint8Array): Promise<number | null> {
    this.sizes.push(p.length);
    const step = this.reads.length > 0
      ? this.reads.shift()!
      : this.#closed.promise;
    if (step instanceof Error) throw step;
    const data = await step;
    if (data === null) return null;
    p.set(data.subarray(0, p.length));
    if (data.length > p.length) this.reads.unshift(data.subarray(p.length));
    return Math.min(data.length, p.length);
  }

  write(p: Uint8Array): Promise<number> {
    this.written.push(p.slice() as Bytes);
    return Promise.resolve(p.length);
  }

  closeWrite(): Promise<void> {
    this.calls.push("closeWrite");
    return Promise.resolve();
  }

  close(): void {
    this.calls.push("close");
    this.#closed.reject(new Deno.errors.BadResource("closed"));
  }
}

/** A datagram socket in memory. */
export class FakeDatagram implements DatagramTransport {
  readonly addr: TransportAddr = {
    transport: "udp",
    hostname: "127.0.0.1",
    port: 1,
  };
  /** The data of each send. */
  readonly sent: Bytes[] = [];
  /** The datagrams to come, and errors. */
  readonly received: (Bytes | Error)[];

  constructor(...received: (Bytes | Error)[]) {
    this.received = received;
  }

  receive(p: Uint8Array): Promise<[Uint8Array, TransportAddr]> {
    const next = this.received.shift();
    if (next === undefined) return Promise.withResolvers<never>().promise;
    if (next instanceof Error) return Promise.reject(next);
    p.set(next);
    return Promise.resolve([p.subarray(0, next.length), this.addr]);
  }

  send(p: Uint8Array, _addr?: TransportAddr): Promise<number> {
    this.sent.push(p.slice() as Bytes);
    return Promise.resolve(p.length);
  }

  close(): void {}
}

/** A step of {@linkcode FakeSource}: data, text as UTF-8, an error to throw once, or a promise to wait for. */
export type Step = Bytes | string | Error | Promise<Bytes>;

/** A source that plays its steps, and ends. */
export class FakeSource implements ByteSource {
  readonly #steps: Step[];
  /** The size that each receive asked for. */
  readonly asked: number[] = [];
  /** The buffer of each `recvInto`. */
  readonly targets: Uint8Array[] = [];

  constructor(...steps: Step[]) {
    this.#steps = [...steps];
  }

  async recv(n: number): Promise<Bytes> {
    this.asked.push(n);
    const step = this.#steps.shift();
    if (step instanceof Error) throw step;
    if (step === undefined) return new Uint8Array(0);
    const data = typeof step === "string" ? bytes(step) : await step;
    if (data.length > n) this.#steps.unshift(data.slice(n));
    return data.slice(0, n);
  }

  async recvInto(buffer: Uint8Array): Promise<number> {
    this.targets.push(buffer);
    const data = await this.recv(buffer.length);
    buffer.set(data);
    return data.length;
  }

  /** The text of the steps that nobody has received, without the errors. */
  get rest(): string {
    return this.#steps.map((step) => {
      return typeof step === "string"
        ? step
        : step instanceof Uint8Array
        ? text(step)
        : "";
    }).join("");
  }
}

/** A sink that keeps its data, and waits or fails if a test says so. */
export class FakeSink implements ByteSink {
  /** The data of each call. */
  readonly sent: string[] = [];
  /** The memory of each call. */
  readonly given: Uint8Array[] = [];
  /** The error with which the calls to come fail. */
  failure: Error | undefined;
  /** The promise that the calls to come wait for. */
  gate: Promise<void> | undefined;

  sendall(data: Uint8Array): Promise<void> {
    this.given.push(data);
    const sending = this.#send(data, this.failure, this.gate);
    sending.catch(() => {}); // as a socket does
    return sending;
  }

  async #send(
    data: Uint8Array,
    failure?: Error,
    gate?: Promise<void>,
  ): Promise<void> {
    if (gate !== undefined) await gate;
    if (failure !== undefined) throw failure;
    this.sent.push(latin1(data));
  }
}

/** Returns the error of a receive that timed out. */
export function timeout(): TimeoutError {
  return new TimeoutError("Cannot recv: timed out", { code: "ETIMEDOUT" });
}

/** Returns a timeout without a timer: it expires when the test says so. */
export function timeoutByHand(syscall = "recv"): Timeout {
  const timer = new SharedTimer();
  timer.stop();
  return new Timeout(timer, 3600, syscall);
}

/** An `AbortController` that counts the listeners of its signal. */
export class Aborting extends AbortController {
  /** The number of listeners of the signal. */
  listeners = 0;
  /** The most listeners of the signal at a time. */
  most = 0;

  constructor() {
    super();
    const { signal } = this;
    const { addEventListener, removeEventListener } = signal;
    signal.addEventListener = (...args: unknown[]) => {
      this.most = Math.max(this.most, ++this.listeners);
      return Reflect.apply(addEventListener, signal, args);
    };
    signal.removeEventListener = (...args: unknown[]) => {
      this.listeners--;
      return Reflect.apply(removeEventListener, signal, args);
    };
  }
}
