/**
 * The requests that one child process has.
 *
 * @module
 */

import type { OSError } from "../base/errors.ts";
import type { ExpiredRequests } from "../requests/remote_requests.ts";
import { SharedTimer } from "../waiting/timeouts.ts";
import type { Job } from "./child_job.ts";
import { ChildRequest } from "./child_request.ts";

/**
 * The requests of one child that have not ended, by their ids: which of them the child has acknowledged, and how long each
 * may take.
 */
export class AssignedRequests {
  readonly #requests = new Map<number, ChildRequest>();
  readonly #timer = new SharedTimer();
  readonly #seconds: number | null;
  readonly #onLate: (id: number) => void;
  #timed = false;
  #unacknowledged = 0;
  /** The time at which the child last got its first request or ended one, on the clock of `performance.now()`. */
  lastProgress = 0;

  /**
   * @param seconds The seconds that a request may take once the child is ready; null is no limit.
   * @param onLate Called with the id of a request that takes longer.
   */
  constructor(seconds: number | null, onLate: (id: number) => void) {
    this.#seconds = seconds;
    this.#onLate = onLate;
  }

  /** The number of requests. */
  get size(): number {
    return this.#requests.size;
  }

  /** The ids of the requests, as they are now. */
  get ids(): number[] {
    return [...this.#requests.keys()];
  }

  /** Whether the child has acknowledged all of them. */
  get acknowledged(): boolean {
    return this.#unacknowledged === 0;
  }

  /** Reports whether there is a request with this id. */
  has(id: number): boolean {
    return this.#requests.has(id);
  }

  /**
   * Returns a request.
   *
   * @throws {TypeError} if the child has no such request.
   */
  get(id: number): ChildRequest {
    const request = this.#requests.get(id);
    if (request !== undefined) return request;
    throw new TypeError(`it has no request ${Deno.inspect(id)}`);
  }

  /** Adds a request, which the child has not acknowledged. */
  add(id: number, job: Job): ChildRequest {
    if (this.size === 0) this.lastProgress = performance.now();
    const request = new ChildRequest(job);
    this.#requests.set(id, request);
    this.#unacknowledged++;
    if (this.#timed) this.#limit(id, request);
    return request;
  }

  /** Notes that the child has acknowledged a request. Returns false if it had done so before. */
  acknowledge(request: ChildRequest): boolean {
    if (request.acknowledged) return false;
    request.acknowledged = true;
    this.#unacknowledged--;
    return true;
  }

  /** Removes a request that has ended, and returns it. */
  delete(id: number): ChildRequest | undefined {
    const request = this.#requests.get(id);
    if (request === undefined) return;
    this.#requests.delete(id);
    if (this.size > 0) this.lastProgress = performance.now();
    request.cancelTimeout();
    return request;
  }

  /** Limits the time of all requests from now on, also of later ones. */
  startTimeouts(): void {
    this.#timed = true;
    for (const [id, request] of this.#requests) this.#limit(id, request);
  }

  #limit(id: number, request: ChildRequest): void {
    if (this.#seconds === null) return;
    request.limit(this.#timer, this.#seconds, () => this.#onLate(id));
  }

  /** Limits the time of no request any more. */
  stopTimeouts(): void {
    this.#timer.stop();
  }

  /** Notes the bytes of requests that have ended: two numbers for each. */
  count(ids: number[], bytes: number[]): void {
    ids.forEach((id, at) => {
      this.get(id).count(bytes[2 * at], bytes[2 * at + 1]);
    });
  }

  /** Returns the ids of those requests whose time is up, and their errors. */
  find(expired: ExpiredRequests): [id: number, error: OSError][] {
    const found: [number, OSError][] = [];
    for (const [id, { job }] of this.#requests) {
      const error = expired.get(job.request);
      if (error !== undefined) found.push([id, error]);
    }
    return found;
  }
}
