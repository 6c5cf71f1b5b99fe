/**
 * Keys and values, some of them for a time only.
 *
 * @module
 */

import type { Bytes } from "./resp.ts";

/** A value, and when it ends: milliseconds since 1970. */
export interface Entry {
  value: Bytes;
  ends: number;
}

/** How many keys with an end are looked at in one sweep; arbitrary. */
const SWEEP = 1000;

/** All keys. What has ended is not there, whether it was swept away or not. */
export class Store {
  readonly #entries = new Map<string, Entry>();
  /** The keys that end, in the order in which the next sweeps look at them. */
  readonly #mortal = new Set<string>();

  /** The entry of a key. */
  get(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.ends > Date.now()) return entry;
    this.delete(key);
    return undefined;
  }

  set(key: string, value: Bytes, ends = Infinity): void {
    this.#entries.set(key, { value, ends });
    if (ends === Infinity) this.#mortal.delete(key);
    else this.#mortal.add(key);
  }

  /** Whether the key was there. */
  delete(key: string): boolean {
    this.#mortal.delete(key);
    return this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
    this.#mortal.clear();
  }

  /** The keys that have not ended. */
  keys(): string[] {
    return [...this.#entries.keys()].filter((key) => this.get(key));
  }

  /** Forgets some of what has ended and was not asked for. */
  sweep(): void {
    let left = SWEEP;
    for (const key of this.#mortal) {
      if (left-- === 0) break;
      this.#mortal.delete(key);
      if (this.get(key) !== undefined) this.#mortal.add(key); // behind the others
    }
  }
}
