/**
 * A request that a child process has, as the server sees it.
 *
 * @module
 */

import { type SharedTimer, Timeout } from "../waiting/timeouts.ts";
import type { Job } from "./job.ts";
import type { Operation } from "./messages.ts";

/** How many results of one request may wait to be written: twice as many as there are operations. */
const UNWRITTEN_MAX = 14;

/** A request in a child: how it ends, and what the child asks for meanwhile. */
export class ChildRequest {
  readonly job: Job;
  readonly #end = Promise.withResolvers<number>();
  readonly #given = performance.now();
  readonly #asked = new Set<Operation>();
  #unwritten = 0;
  #timeout: Timeout | undefined;
  /** Whether the child is known to have it. */
  acknowledged = false;

  /** @param job What the child gets. */
  constructor(job: Job) {
    this.job = job;
  }

  /** Resolves when the handler has ended, to the milliseconds that it took. */
  get ended(): Promise<number> {
    return this.#end.promise;
  }

  /** Calls `late` unless the request ends within so many seconds. */
  limit(timer: SharedTimer, seconds: number, late: () => void): void {
    this.#timeout = new Timeout(timer, seconds, "handle");
    this.#timeout.start(late);
  }

  /**
   * Notes that the child asks for something. One call of a kind is under way at a time, and results do not pile up:
   * what a child says must not fill the memory of the server.
   *
   * @throws {TypeError} when it is one call too many.
   */
  ask(operation: Operation): void {
    if (this.#asked.has(operation)) {
      throw new TypeError(`a second ${operation} came before the result`);
    }
    if (this.#unwritten === UNWRITTEN_MAX) {
      throw new TypeError("it does not read the results of its calls");
    }
    this.#asked.add(operation);
  }

  /** Notes that there is a result, which is on its way. */
  answer(operation: Operation): void {
    this.#asked.delete(operation);
    this.#unwritten++;
  }

  /** Notes that a result is in the channel. */
  written(): void {
    this.#unwritten--;
  }

  /** The handler says that it has ended after so many milliseconds: at most as many as have passed. */
  resolve(ms: number): void {
    this.#end.resolve(Math.min(ms, performance.now() - this.#given));
  }

  /** The request has failed. A connection that never arrived is closed. */
  reject(error: unknown): void {
    this.job.socket?.destroy();
    this.#end.reject(error);
  }

  /** Its time is not limited any more. */
  cancelTimeout(): void {
    this.#timeout?.cancel();
  }
}
