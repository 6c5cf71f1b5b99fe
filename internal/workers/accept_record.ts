/**
 * The counters and the clients of a worker that accepts. The main thread can read them even after the worker has died.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import {
  type RequestCounters,
  zeroCounters,
} from "../requests/request_counters.ts";
import type { ByteCounts } from "../socket/stream.ts";

/** The counters of a worker. */
export type AcceptCounters =
  & RequestCounters
  & { -readonly [K in keyof ByteCounts]: ByteCounts[K] };

/** Returns the counters of a worker that has got no request. */
export function noAccepts(): AcceptCounters {
  return { ...zeroCounters(), bytesIn: 0, bytesOut: 0 };
}

const NAMES = Object.keys(noAccepts()) as (keyof AcceptCounters)[];

/**
 * The clients whose addresses are kept: as many as a server handles at a time by default. The requests of further ones
 * count, but if the worker dies, they are reported without an address.
 */
const CLIENTS_MAX = 1024;

/** The bytes of a client's address: its length, and an IPv6 address with scope and port. A longer one is cut. */
const CLIENT_BYTES = 72;

/** The memory begins with the counters. The number of handlers between two messages follows, and then the clients. */
const IDLE_AT = Float64Array.BYTES_PER_ELEMENT * NAMES.length;
const CLIENTS_AT = IDLE_AT + Int32Array.BYTES_PER_ELEMENT;
/** The slot behind the others. */
const LAST_CLIENT = CLIENTS_MAX;
const BYTES = CLIENTS_AT + (CLIENTS_MAX + 1) * CLIENT_BYTES;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The shared memory of one worker. The worker writes it, and the main thread reads it. */
export class AcceptRecord {
  /** The memory, for the other thread. */
  readonly memory: SharedArrayBuffer;
  readonly #idle: Int32Array;
  readonly #counters: Float64Array;
  readonly #clients: Uint8Array;
  /** The slots of clients that are free. The worker's own, as only it writes them. */
  readonly #free: number[] = [];
  #used = 0;

  /** @param memory The memory of another thread's record; without it there is a new one. */
  constructor(memory = new SharedArrayBuffer(BYTES)) {
    this.memory = memory;
    this.#counters = new Float64Array(memory, 0, NAMES.length);
    this.#idle = new Int32Array(memory, IDLE_AT, 1);
    this.#clients = new Uint8Array(memory, CLIENTS_AT);
  }

  /** The number of handlers that wait between two messages. */
  get idle(): number {
    return Atomics.load(this.#idle, 0);
  }

  set idle(idle: number) {
    Atomics.store(this.#idle, 0, idle);
  }

  /** The counters. */
  get counters(): AcceptCounters {
    const entries = NAMES.map((name, at) => [name, this.#counters[at]]);
    return Object.fromEntries(entries);
  }

  set counters(counters: AcceptCounters) {
    for (let at = 0; at < NAMES.length; at++) {
      this.#counters[at] = counters[NAMES[at]];
    }
  }

  /** Notes the client of a request that has begun. Returns its slot; undefined if all slots are taken. */
  addClient(client: Address): number | undefined {
    const text = encoder.encode(textOf(client)).subarray(0, CLIENT_BYTES - 1);
    this.#write(LAST_CLIENT, text);
    const slot = this.#free.pop() ??
      (this.#used < CLIENTS_MAX ? this.#used++ : undefined);
    if (slot !== undefined) this.#write(slot, text);
    return slot;
  }

  #write(slot: number, text: Uint8Array): void {
    const start = slot * CLIENT_BYTES;
    this.#clients.set(text, start + 1);
    this.#clients[start] = text.length; // last: from then on the main thread reads the text
  }

  #read(slot: number): Address | undefined {
    const start = slot * CLIENT_BYTES;
    const length = this.#clients[start];
    if (length === 0) return undefined;
    const text = this.#clients.slice(start + 1, start + 1 + length); // a copy: a decoder takes no shared memory
    return addressOf(decoder.decode(text));
  }

  /** Notes that the request of a client has ended. */
  removeClient(slot: number): void {
    this.#clients[slot * CLIENT_BYTES] = 0;
    this.#free.push(slot);
  }

  /** The clients with open requests. */
  get clients(): Address[] {
    const slots = Array.from(
      { length: CLIENTS_MAX },
      (_, at) => this.#read(at),
    );
    return slots.filter((client) => client !== undefined);
  }

  /** The client of the last request; undefined before the first. */
  get lastClient(): Address | undefined {
    return this.#read(LAST_CLIENT);
  }
}

function textOf(client: Address): string {
  return Array.isArray(client) ? client.join(" ") : String(client);
}

function addressOf(text: string): Address {
  const [host, port] = text.split(" ");
  return [host, Number(port)];
}

/** Adds counters to others. */
export function addCounters(
  sum: AcceptCounters,
  counters: AcceptCounters,
): void {
  for (const name of NAMES) sum[name] += counters[name];
}
