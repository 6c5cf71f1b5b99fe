/**
 * The places for requests that several threads share: `maxConnections` of a server whose workers accept.
 *
 * @module
 */

import type { Readiness } from "../waiting/pending_operation.ts";

/** The words of the memory. */
const MAX = 0, REJECTS = 1, PAUSED = 2, TAKEN = 3, CHANGES = 4, WORDS = 5;

/** The most places, for `Infinity`. */
const MOST = 2 ** 31 - 1;

/** Notes the places that a thread has taken, so that another can give them back if it dies. */
export interface PlaceHolder {
  /** Called when the thread has taken a place, or given one back. */
  hold(change: 1 | -1): void;
}

/**
 * Counts the requests of all threads together, and limits them. A thread takes a place before it takes a connection, and
 * gives the place back when the request has ended. Ready while the server may get another request.
 */
export class SharedPlaces implements Readiness {
  /** The memory, for the other threads. */
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  /** Whether the last place that this thread has taken was one too many. */
  exceeded = false;
  readonly #holder: PlaceHolder | undefined;
  #filled = false;

  /**
   * @param memory The memory of another thread's places; without it there are new ones.
   * @param holder Notes the places that this thread takes.
   */
  constructor(
    memory = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT * WORDS),
    holder?: PlaceHolder,
  ) {
    this.memory = memory;
    this.#holder = holder;
    this.#words = new Int32Array(memory);
  }

  /** The number of places that are taken. */
  get taken(): number {
    return Atomics.load(this.#words, TAKEN);
  }

  /** Sets the number of places, and whether a request beyond it is rejected. Otherwise it waits. */
  limit(max: number, rejects: boolean): void {
    Atomics.store(this.#words, MAX, Math.min(max, MOST));
    Atomics.store(this.#words, REJECTS, rejects ? 1 : 0);
    this.#change();
  }

  /** Sets whether no thread gets a request for a while. */
  set paused(paused: boolean) {
    Atomics.store(this.#words, PAUSED, paused ? 1 : 0);
    this.#change();
  }

  get paused(): boolean {
    return Atomics.load(this.#words, PAUSED) === 1;
  }

  get ready(): boolean {
    return !this.paused && !this.full;
  }

  /** Whether all places are taken, and a request waits for one. */
  get full(): boolean {
    return !this.#rejects && this.taken >= this.#max;
  }

  get #max(): number {
    return Atomics.load(this.#words, MAX);
  }

  get #rejects(): boolean {
    return Atomics.load(this.#words, REJECTS) === 1;
  }

  /** Takes a place for a request, if there is one. Notes whether it was the last, or one too many. */
  take(): boolean {
    if (this.paused) return false;
    for (;;) {
      const [before, max] = [this.taken, this.#max];
      this.exceeded = before >= max;
      if (this.exceeded && !this.#rejects) return false;
      if (!this.#replace(before, before + 1)) continue; // another thread was faster
      this.#holder?.hold(1);
      this.#filled = before + 1 === max;
      return true;
    }
  }

  #replace(before: number, after: number): boolean {
    const found = Atomics.compareExchange(this.#words, TAKEN, before, after);
    return found === before;
  }

  /** Reports, once, whether this thread has taken the last place. */
  takeFilled(): boolean {
    const filled = this.#filled;
    this.#filled = false;
    return filled;
  }

  /** Gives the place of a request back. */
  give(): void {
    this.#holder?.hold(-1);
    this.release(1);
  }

  /** Gives back the places of a thread that has died. */
  release(count: number): void {
    Atomics.sub(this.#words, TAKEN, count);
    this.#change();
  }

  #change(): void {
    Atomics.add(this.#words, CHANGES, 1);
    Atomics.notify(this.#words, CHANGES);
  }

  /** Resolves when a place was given back or a setting was changed. */
  fill(): Promise<void> {
    return this.changed(() => this.ready);
  }

  /** Resolves at the next change, or at once if `done` returns true. */
  async changed(done: () => boolean): Promise<void> {
    const seen = Atomics.load(this.#words, CHANGES); // before `done`, or a change between the two would be lost
    if (done()) return;
    await Atomics.waitAsync(this.#words, CHANGES, seen).value;
  }
}
