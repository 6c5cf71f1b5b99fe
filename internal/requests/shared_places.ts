/**
 * The places for requests that several threads share: `maxConnections` of a server whose workers accept.
 *
 * @module
 */

import type { Readiness } from "../waiting/pending_operation.ts";

/** The words of the memory, before those in which each thread counts its own places. */
const MAX = 0, REJECTS = 1, PAUSED = 2, CHANGES = 3, THREADS = 4, FIRST = 5;

/** The most threads. Arbitrary: a process cannot have as many workers. */
const THREADS_MAX = 4096;

/** The most places, for `Infinity`. */
const MOST = 2 ** 31 - 1;

/**
 * Limits the requests of all threads together. A thread takes a place before it takes a connection, and gives the place
 * back when the request has ended. Ready while the server may get another request.
 *
 * Each thread counts its places in a word of its own, and the sum is limited. So the places of a thread that was
 * terminated are known, wherever it was.
 */
export class SharedPlaces implements Readiness {
  /** The memory, for the other threads. */
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  /** The number of this thread. */
  readonly thread: number;
  /** Whether the last place that this thread has taken was one too many. */
  exceeded = false;
  #filled = false;

  /**
   * @param memory The memory of another thread's places; without it there are new ones.
   * @param thread The number of the thread. 0 is the thread that made the memory.
   */
  constructor(
    memory = new SharedArrayBuffer(
      Int32Array.BYTES_PER_ELEMENT * (FIRST + THREADS_MAX),
    ),
    thread = 0,
  ) {
    this.memory = memory;
    this.#words = new Int32Array(memory);
    this.thread = thread;
    if (thread < Atomics.load(this.#words, THREADS)) return;
    Atomics.store(this.#words, THREADS, thread + 1);
  }

  /** The number of places that all threads have taken. */
  get taken(): number {
    const end = FIRST + Atomics.load(this.#words, THREADS);
    let sum = 0;
    for (let at = FIRST; at < end; at++) sum += Atomics.load(this.#words, at);
    return sum;
  }

  /** The word in which this thread counts its places. */
  get #own(): number {
    return FIRST + this.thread;
  }

  /** The number of places that this thread has taken. */
  get held(): number {
    return Atomics.load(this.#words, this.#own);
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
    Atomics.add(this.#words, this.#own, 1); // first: of two threads that take the last place, at most one keeps it
    const { taken } = this;
    const max = this.#max;
    this.exceeded = taken > max;
    this.#filled = taken === max;
    if (!this.exceeded || this.#rejects) return true;
    this.give(); // another thread was faster
    return false;
  }

  /** Reports, once, whether this thread has taken the last place. */
  takeFilled(): boolean {
    const filled = this.#filled;
    this.#filled = false;
    return filled;
  }

  /** Gives the place of a request back. */
  give(): void {
    Atomics.sub(this.#words, this.#own, 1);
    this.#change();
  }

  /** Gives back all places of the thread, which has ended. */
  giveAll(): void {
    Atomics.store(this.#words, this.#own, 0);
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
