/**
 * The places for requests that several threads share: `maxConnections` of a server whose workers accept.
 *
 * @module
 */

import type { Readiness } from "../waiting/pending_operation.ts";

/** The words of the memory, before the two of each thread: its places, and its requests beyond the limit. */
const MAX = 0, REJECTS = 1, PAUSED = 2, CHANGES = 3, THREADS = 4;
/** Whether a thread has noted that it took the last place, and the first word of the threads. */
const FILLED = 5, FIRST = 6;

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
  /** The word with the number of places that this thread has taken. */
  readonly #own: number;
  /** The word with the number of requests of this thread that have no place, because they are rejected. */
  readonly #extra: number;
  /** Whether there was no place for the last request of this thread, which is rejected. */
  exceeded = false;
  #filled = false;

  /**
   * @param memory The memory of another thread's places; without it there are new ones.
   * @param thread The number of the thread. 0 is the thread that made the memory.
   */
  constructor(
    memory = new SharedArrayBuffer(
      Int32Array.BYTES_PER_ELEMENT * (FIRST + 2 * THREADS_MAX),
    ),
    thread = 0,
  ) {
    this.memory = memory;
    this.#words = new Int32Array(memory);
    this.thread = thread;
    this.#own = FIRST + 2 * thread;
    this.#extra = this.#own + 1;
    if (thread < Atomics.load(this.#words, THREADS)) return;
    Atomics.store(this.#words, THREADS, thread + 1);
  }

  /** The number of requests of all threads. */
  get taken(): number {
    return this.#sum(1);
  }

  /** The number of requests of this thread. */
  get held(): number {
    return Atomics.load(this.#words, this.#own) +
      Atomics.load(this.#words, this.#extra);
  }

  /** The number of places that all threads have taken, without the requests beyond the limit. */
  get #places(): number {
    return this.#sum(2);
  }

  /** Adds up every word of the threads, or every second. */
  #sum(step: 1 | 2): number {
    const end = FIRST + 2 * Atomics.load(this.#words, THREADS);
    let sum = 0;
    for (let at = FIRST; at < end; at += step) {
      sum += Atomics.load(this.#words, at);
    }
    return sum;
  }

  /** Sets the number of places, and whether a request beyond it is rejected. Otherwise it waits. */
  limit(max: number, rejects: boolean): void {
    Atomics.store(this.#words, MAX, Math.min(max, MOST));
    Atomics.store(this.#words, REJECTS, rejects ? 1 : 0);
    Atomics.store(this.#words, FILLED, 0);
    this.#change();
  }

  /** Whether all threads are paused and get no request. */
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
    return !this.#rejects && this.#places >= this.#max;
  }

  get #max(): number {
    return Atomics.load(this.#words, MAX);
  }

  get #rejects(): boolean {
    return Atomics.load(this.#words, REJECTS) === 1;
  }

  /**
   * Takes a place for a request, if there is one, and notes whether it was the last. Returns true without a place for a
   * request that is to be rejected.
   */
  take(): boolean {
    if (this.paused) return false;
    this.exceeded = !this.#takePlace();
    if (!this.exceeded) return true;
    if (!this.#rejects) return false;
    Atomics.add(this.#words, this.#extra, 1);
    return true;
  }

  /**
   * Takes a place. Of the threads that try for the last place at the same time, each may find one too many and give it
   * back. The last to do so finds that, and tries again.
   */
  #takePlace(): boolean {
    this.#filled = false;
    do {
      Atomics.add(this.#words, this.#own, 1);
      const excess = this.#places - this.#max;
      if (excess === 0) this.#noteFilled();
      if (excess <= 0) return true;
      Atomics.sub(this.#words, this.#own, 1);
    } while (this.#places < this.#max);
    this.#change();
    return false;
  }

  /** Notes that no place is left. Of the threads that take the last ones at the same time, one notes that. */
  #noteFilled(): void {
    const before = Atomics.compareExchange(this.#words, FILLED, 0, 1);
    this.#filled = before === 0;
  }

  /** Reports, once, whether this thread has taken the last place. */
  takeFilled(): boolean {
    const filled = this.#filled;
    this.#filled = false;
    return filled;
  }

  /** Gives back the place of a request that has ended. The requests beyond the limit are counted as the first to end. */
  give(): void {
    const beyond = Atomics.load(this.#words, this.#extra) > 0;
    if (!beyond) Atomics.store(this.#words, FILLED, 0); // first: the place may be taken at once
    Atomics.sub(this.#words, beyond ? this.#extra : this.#own, 1);
    this.#change();
  }

  /** Gives back all places of the thread, which has ended. */
  giveAll(): void {
    Atomics.store(this.#words, FILLED, 0);
    Atomics.store(this.#words, this.#own, 0);
    Atomics.store(this.#words, this.#extra, 0);
    this.#change();
  }

  #change(): void {
    Atomics.add(this.#words, CHANGES, 1);
    Atomics.notify(this.#words, CHANGES);
  }

  /** Resolves when a place was given back or a setting was changed. */
  nextChange(): Promise<void> {
    return this.changed(() => this.ready);
  }

  /** Resolves at the next change, or at once if `done` returns true. */
  async changed(done: () => boolean): Promise<void> {
    const seen = Atomics.load(this.#words, CHANGES); // before `done`, or a change between the two would be lost
    if (done()) return;
    await Atomics.waitAsync(this.#words, CHANGES, seen).value;
  }
}
