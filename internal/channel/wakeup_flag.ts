/**
 * How a thread that has nothing to do sleeps until another one has something for it.
 *
 * @module
 */

const RUNNING = 0;
const WAITING = 1;

/** The bytes of memory of a flag, a cache line. */
export const WAKEUP_FLAG_BYTES = 64;

/**
 * One flag in shared memory. Its owner arms it, looks once more whether there is work, and sleeps. The
 * other side rings after it has left work: a load where the owner is awake, a wake-up only where it sleeps.
 */
export class WakeupFlag {
  readonly #flag: Int32Array;

  /**
   * @param memory The memory.
   * @param offset Where in it.
   */
  constructor(memory: SharedArrayBuffer, offset: number) {
    this.#flag = new Int32Array(memory, offset, 1);
  }

  /** Says that the owner is about to sleep. */
  prepareWait(): void {
    Atomics.store(this.#flag, 0, WAITING);
  }

  /** Says that it is not. */
  cancelWait(): void {
    Atomics.store(this.#flag, 0, RUNNING);
  }

  /** Wakes the owner if it sleeps. */
  notifyIfWaiting(): void {
    if (Atomics.load(this.#flag, 0) === WAITING) this.notify();
  }

  /** Wakes the owner. */
  notify(): void {
    Atomics.store(this.#flag, 0, RUNNING);
    Atomics.notify(this.#flag, 0);
  }

  /** Sleeps, and lets the event loop run meanwhile. */
  async waitAsync(): Promise<void> {
    const { async, value } = Atomics.waitAsync(this.#flag, 0, WAITING);
    if (async) await value;
  }

  /** Sleeps and blocks the thread, at most `ms`; false where the time ran out. */
  wait(ms: number): boolean {
    return Atomics.wait(this.#flag, 0, WAITING, ms) !== "timed-out";
  }
}
