/**
 * A condition that the calls of sockets in memory wait on.
 *
 * @module
 */

import { MAX_DELAY } from "../waiting/timeouts.ts";

let waiting = 0;
let timer: ReturnType<typeof setInterval> | undefined;

/**
 * Lets calls wait until something has changed. Waiting calls keep the process alive, as calls to the system do: the
 * timeouts of sockets do not keep it alive.
 */
export class Condition {
  #next = Promise.withResolvers<void>();

  /** Waits for the next change. */
  async wait(): Promise<void> {
    const { promise } = this.#next; // first: making a timer may run microtasks, and a change with them
    if (waiting++ === 0) timer = setInterval(() => {}, MAX_DELAY);
    await promise;
    if (--waiting === 0) clearInterval(timer);
  }

  /** Wakes all calls that wait. */
  notifyAll(): void {
    const { resolve } = this.#next;
    this.#next = Promise.withResolvers();
    resolve();
  }
}
