/**
 * Sources and sinks in memory for the tests of `internal/files/`.
 *
 * @module
 */
import { type ByteSink, type ByteSource, TimeoutError } from "../../mod.ts";

export type Bytes = Uint8Array<ArrayBuffer>;

/** The UTF-8 bytes of a string. */
export function bytes(text: string): Bytes {
  return new TextEncoder().encode(text);
}

/** The string that UTF-8 bytes stand for. */
export function text(data: Uint8Array): string {
  return new TextDecoder().decode(data);
}

/** A string with one character for each byte. */
export function latin1(data: Uint8Array): string {
  return Array.from(data, (byte) => String.fromCharCode(byte)).join("");
}

/** The bytes of such a string. */
export function fromLatin1(data: string): Bytes {
  return Uint8Array.from(data, (character) => character.charCodeAt(0));
}

/** Random numbers that are the same in every run (mulberry32); `random(n)` is from 0 to n - 1. */
export function seeded(seed: number): (below: number) => number {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (((mixed ^ (mixed >>> 14)) >>> 0) % below);
  };
}

/** Cuts `data` into chunks of 1 to `most` bytes. */
export function cut(
  data: Bytes,
  random: (below: number) => number,
  most: number,
): Bytes[] {
  const chunks: Bytes[] = [];
  for (let at = 0; at < data.length;) {
    const end = at + 1 + random(most);
    chunks.push(data.slice(at, end));
    at = end;
  }
  return chunks;
}

/** The error of a socket whose timeout ran out. */
export function timeout(): TimeoutError {
  return new TimeoutError("Cannot recv: timed out", { code: "ETIMEDOUT" });
}

/** A step of a source: data, text as UTF-8, an error once, or something to wait for. */
export type Step = Bytes | string | Error | Promise<Bytes>;

/** A source that plays its steps and then is at its end. */
export class FakeSource implements ByteSource {
  readonly #steps: Step[];
  /** What each receive asked for. */
  readonly asked: number[] = [];
  /** The buffers that were received into. */
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

  /** What nobody received, without the errors. */
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

/** A clock that stands still, so that no pause of the machine ends what is held; until it is disposed of. */
export class FrozenClock implements Disposable {
  readonly #now = performance.now;
  #time = 0;

  constructor() {
    performance.now = () => this.#time;
  }

  /** Lets so many milliseconds pass. */
  advance(ms: number): void {
    this.#time += ms;
  }

  [Symbol.dispose](): void {
    performance.now = this.#now;
  }
}

/** A sink that keeps what it is sent; it can be told to wait or to fail. */
export class FakeSink implements ByteSink {
  /** The data of each call. */
  readonly sent: string[] = [];
  /** The memory that each call was given. */
  readonly given: Uint8Array[] = [];
  /** The calls to come fail with this. */
  failure: Error | undefined;
  /** The calls to come wait for this. */
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

/** Ends the turn of the event loop. */
export function endOfTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

/** Lets so many microtasks run. */
export async function endOfMicrotasks(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await undefined;
}
