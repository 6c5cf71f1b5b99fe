/**
 * How a thread that has nothing to do sleeps until another one has something for it.
 *
 * @module
 */

const AWAKE = 0;
const ASLEEP = 1;

/** The bytes of memory of a bell, a cache line. */
export const BELL_BYTES = 64;

/**
 * One flag in shared memory. Its owner arms it, looks once more whether there is work, and sleeps. The
 * other side rings after it has left work: a load where the owner is awake, a wake-up only where it sleeps.
 */
export class Bell {
  readonly #flag: Int32Array;

  /**
   * @param memory The memory.
   * @param offset Where in it.
   */
  constructor(memory: SharedArrayBuffer, offset: number) {
    this.#flag = new Int32Array(memory, offset, 1);
  }

  /** Says that the owner is about to sleep. */
  arm(): void {
    Atomics.store(this.#flag, 0, ASLEEP);
  }

  /** Says that it is not. */
  disarm(): void {
    Atomics.store(this.#flag, 0, AWAKE);
  }

  /** Wakes the owner if it sleeps. */
  ring(): void {
    if (Atomics.load(this.#flag, 0) === ASLEEP) this.wake();
  }

  /** Wakes the owner. */
  wake(): void {
    Atomics.store(this.#flag, 0, AWAKE);
    Atomics.notify(this.#flag, 0);
  }

  /** Sleeps, and lets the event loop run meanwhile. */
  async sleep(): Promise<void> {
    const { async, value } = Atomics.waitAsync(this.#flag, 0, ASLEEP);
    if (async) await value;
  }

  /** Sleeps and blocks the thread, at most `ms`; false where the time ran out. */
  block(ms: number): boolean {
    return Atomics.wait(this.#flag, 0, ASLEEP, ms) !== "timed-out";
  }
}
