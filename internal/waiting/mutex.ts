/**
 * A mutex: lets one operation run at a time, in the order of the calls.
 *
 * @module
 */

import { type Cancellation, wouldBlock } from "./timeouts.ts";
import { poll } from "./turns.ts";
import { Queue } from "../base/queue.ts";
import type { Readiness } from "./pending_operation.ts";

/** A mutex that serves its waiters in their order. Ready when it is free. */
export class Mutex implements Readiness {
  #held = false;
  #waiting: Queue<() => void> | undefined;
  #freed: PromiseWithResolvers<void> | undefined;

  get ready(): boolean {
    return !this.#held;
  }

  /** Resolves when the mutex is free, without taking it. */
  nextChange(): Promise<void> {
    if (!this.#held) return Promise.resolve();
    this.#freed ??= Promise.withResolvers();
    return this.#freed.promise;
  }

  /** Takes the mutex if it is free. */
  tryAcquire(): boolean {
    if (this.#held) return false;
    return this.#held = true;
  }

  /** Waits for the caller's turn, and takes the mutex. */
  acquire(): Promise<void> {
    if (this.tryAcquire()) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    (this.#waiting ??= new Queue()).push(resolve);
    return promise;
  }

  /**
   * Takes the mutex within a time.
   *
   * @param limit The limit of the wait.
   * @param syscall The call that waits, for the message.
   * @throws {BlockingIOError} if the call must not wait and the mutex is held.
   * @throws {TimeoutError} if the time runs out.
   */
  async acquireWithin(
    limit: "now" | Cancellation,
    syscall: string,
  ): Promise<void> {
    if (this.tryAcquire()) return;
    if (limit !== "now") return await this.#acquireUntil(limit);
    if (!await poll(this) || !this.tryAcquire()) throw wouldBlock(syscall);
  }

  async #acquireUntil(timeout: Cancellation): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const leave = (this.#waiting ??= new Queue()).push(resolve);
    if (await timeout.race(promise)) return;
    if (leave()) throw timeout.error(); // else handed over in the turn in which the time ran out
  }

  /** Passes the mutex to the next waiter, or frees it. */
  release(): void {
    const next = this.#waiting?.shift();
    if (next !== undefined) return next();
    this.#held = false;
    this.#freed?.resolve();
    this.#freed = undefined;
  }

  /** Runs `operation` once the ones before it have ended, with or without an error. */
  async run<T>(operation: () => Promise<T>): Promise<T> {
    if (!this.tryAcquire()) await this.acquire();
    try {
      return await operation();
    } finally {
      this.release();
    }
  }
}
