/**
 * The requests of a server that are under way, in the order in which they began.
 *
 * @module
 */

import type { ActiveRequest } from "./active_request.ts";

/**
 * A list of requests, and an index of them that is made when it is first needed. Datagrams need none: the server looks
 * only for the request that it has just begun. With a `Map` alone an echo over UDP takes 1 to 10 percent more processor
 * time, 5 on average (three runs of `deno task bench udp` with each): V8 shrinks a map whenever it becomes empty.
 */
export class OpenRequests implements Iterable<ActiveRequest> {
  #first: ActiveRequest | undefined;
  #last: ActiveRequest | undefined;
  #size = 0;
  #index: Map<unknown, ActiveRequest> | undefined;

  /** The number of requests. */
  get size(): number {
    return this.#size;
  }

  /** Adds a request that has begun. */
  add(active: ActiveRequest): void {
    const before = this.#last;
    active.open = true;
    active.before = before;
    if (before === undefined) this.#first = active;
    else before.behind = active;
    this.#last = active;
    this.#size++;
    this.#index?.set(active.request, active);
  }

  /** Removes a request. Returns false if it has been removed before. */
  remove(active: ActiveRequest): boolean {
    if (!active.open) return false;
    const { before, behind, request } = active;
    if (before === undefined) this.#first = behind;
    else before.behind = behind;
    if (behind === undefined) this.#last = before;
    else behind.before = before;
    active.open = false;
    active.before = active.behind = undefined;
    this.#size--;
    if (this.#index?.get(request) === active) this.#index.delete(request);
    return true;
  }

  /**
   * Returns the request that a server got as `request`; the last one, if an override of `getRequest` returned one object
   * twice.
   */
  of(request: unknown): ActiveRequest | undefined {
    const last = this.#last;
    if (last === undefined || last.request === request) return last;
    this.#index ??= new Map([...this].map((each) => [each.request, each]));
    return this.#index.get(request);
  }

  /** Puts another object in the place of `active.request`. */
  replace(active: ActiveRequest, request: unknown): void {
    this.#index?.delete(active.request);
    active.request = request;
    this.#index?.set(request, active);
  }

  /** Iterates over the requests that are open now. */
  [Symbol.iterator](): Iterator<ActiveRequest> {
    const all: ActiveRequest[] = [];
    for (let at = this.#first; at !== undefined; at = at.behind) all.push(at);
    return all.values();
  }
}
