/**
 * Puts a thread to sleep until another thread has work for it.
 *
 * @module
 */

const RUNNING = 0;
const WAITING = 1;

/** The size of a flag in bytes: a cache line, so that two flags share none. */
export const WAKEUP_FLAG_BYTES = 64;

/**
 * A flag in shared memory that its owner waits on. The owner calls `prepareWait`, looks once more for work, and waits.
 * The other side leaves work and then notifies: one load if the owner runs, a system call only if it waits.
 */
export class WakeupFlag {
  readonly #flag: Int32Array;

  /**
   * @param memory The memory of the flag.
   * @param offset The position of the flag in it.
   */
  constructor(memory: SharedArrayBuffer, offset: number) {
    this.#flag = new Int32Array(memory, offset, 1);
  }

  /** Announces that the owner is about to wait. */
  prepareWait(): void {
    Atomics.store(this.#flag, 0, WAITING);
  }

  /** Announces that the owner runs. */
  cancelWait(): void {
    Atomics.store(this.#flag, 0, RUNNING);
  }

  /** Wakes the owner if it waits. */
  notifyIfWaiting(): void {
    if (Atomics.load(this.#flag, 0) === WAITING) this.notify();
  }

  /** Wakes the owner, whether it waits or not. */
  notify(): void {
    Atomics.store(this.#flag, 0, RUNNING);
    Atomics.notify(this.#flag, 0);
  }

  /** Waits for a notification while the event loop goes on. */
  async waitAsync(): Promise<void> {
    const { async, value } = Atomics.waitAsync(this.#flag, 0, WAITING);
    if (async) await value;
  }

  /** Blocks the thread until a notification, for at most `ms`. Returns false if the time ran out. */
  wait(ms: number): boolean {
    return Atomics.wait(this.#flag, 0, WAITING, ms) !== "timed-out";
  }
}
