/**
 * Keys and values, some of them for a time only.
 *
 * @module
 */

import type { Bytes } from "./bytes.ts";

/** A value, and when it ends: milliseconds since 1970. */
export interface Entry {
  value: Bytes;
  ends: number;
}

/** How many keys with an end are looked at in one sweep; arbitrary. */
const SWEEP = 1000;

/** Somebody who wants to know of changes. */
export interface Watcher {
  /** Whether a key that it watches was changed. */
  changed: boolean;
}

/** All keys. What has ended is not there, whether it was swept away or not. */
export class Store {
  readonly #entries = new Map<string, Entry>();
  /** The keys that end, in the order in which the next sweeps look at them. */
  readonly #mortal = new Set<string>();

  readonly #watchers = new Map<string, Set<Watcher>>();

  /** The entry of a key. */
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

  /** Whether the key was there. */
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

  /** Tells a watcher of the changes of a key, until `unwatch`. */
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
