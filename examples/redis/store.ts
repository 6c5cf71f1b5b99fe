/**
 * Keys and values, some of which expire.
 *
 * @module
 */

import type { Bytes } from "./bytes.ts";

/** A value, and the time when it expires, in milliseconds since 1970. */
export interface Entry {
  value: Bytes;
  ends: number;
}

/** How many keys that expire one sweep checks; arbitrary. */
const SWEEP = 1000;

/** Learns of changes. */
export interface Watcher {
  /** Whether a watched key has changed. */
  changed: boolean;
}

/** Stores all keys. An expired key does not exist, swept or not. */
export class Store {
  readonly #entries = new Map<string, Entry>();
  /** The keys that expire, in the order in which the next sweeps check them. */
  readonly #mortal = new Set<string>();

  readonly #watchers = new Map<string, Set<Watcher>>();

  /** Returns the entry of a key. */
  get(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.ends > Date.now()) return entry;
    this.delete(key);
    return undefined;
  }

  set(key: string, value: Bytes, ends = Infinity): void {
    this.#entries.set(key, { value, ends });
    this.#tell(key);
    if (ends === Infinity) this.#mortal.delete(key);
    else this.#mortal.add(key);
  }

  /** Deletes a key, and reports whether it existed. */
  delete(key: string): boolean {
    this.#mortal.delete(key);
    const deleted = this.#entries.delete(key);
    if (deleted) this.#tell(key);
    return deleted;
  }

  clear(): void {
    for (const key of this.#watchers.keys()) {
      if (this.#entries.has(key)) this.#tell(key);
    }
    this.#entries.clear();
    this.#mortal.clear();
  }

  /** Tells a watcher about changes of a key, until `unwatch`. */
  watch(key: string, watcher: Watcher): void {
    this.get(key); // one that has ended is gone already
    const watchers = this.#watchers.get(key) ?? new Set();
    this.#watchers.set(key, watchers.add(watcher));
  }

  unwatch(key: string, watcher: Watcher): void {
    const watchers = this.#watchers.get(key);
    watchers?.delete(watcher);
    if (watchers?.size === 0) this.#watchers.delete(key);
  }

  #tell(key: string): void {
    if (this.#watchers.size === 0) return;
    for (const watcher of this.#watchers.get(key) ?? []) watcher.changed = true;
  }

  /** Returns the keys that have not expired. */
  keys(): string[] {
    return [...this.#entries.keys()].filter((key) => this.get(key));
  }

  /** Deletes some of the expired keys. */
  sweep(): void {
    let left = SWEEP;
    for (const key of this.#mortal) {
      if (left-- === 0) break;
      this.#mortal.delete(key);
      if (this.get(key) !== undefined) this.#mortal.add(key); // behind the others
    }
  }
}
