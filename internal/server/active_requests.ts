/**
 * The set of the requests that are under way.
 *
 * A datagram enters and leaves it in a microsecond or two, and hardly ever is it looked for in between, but by the
 * stages right after it entered. So it is a linked list, which costs two fields of an object that is there
 * anyhow, and no entry of a `Map` (94 ns to come and go); a `Map` is made when somebody looks for another
 * than the last one, as a handler does that waits before it asks for its `signal`.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import type { ServerStages } from "./stages.ts";

/** One request under way. */
export class ActiveRequest {
  /** Set where a task of its own ends it, and not the loop that got it: whose stages the task runs. */
  server: ServerStages<unknown> | undefined = undefined;
  /** The address that the stages of the task are given. */
  clientAddress: Address = "";
  /** Tells the handler that the server drains; made when the handler asks. */
  controller: AbortController | undefined = undefined;
  /** The one that began before it, and the one after. */
  before: ActiveRequest | undefined = undefined;
  next: ActiveRequest | undefined = undefined;
  /** How it ended; undefined while it is in the set. */
  end: "finished" | "forced" | undefined = undefined;

  /**
   * @param request The request itself.
   * @param client The client's host, or path; undefined where it has no name.
   */
  constructor(
    readonly request: unknown,
    readonly client: string | undefined,
  ) {}

  /** Whether a task of its own ends it. */
  get detached(): boolean {
    return this.server !== undefined;
  }

  /** Leaves it to a task. */
  detach(server: ServerStages<unknown>, clientAddress: Address): Detached {
    this.server = server;
    this.clientAddress = clientAddress;
    return this as Detached;
  }
}

/** A request that was left to a task. */
export type Detached = ActiveRequest & {
  readonly server: ServerStages<unknown>;
};

/** Requests in the order in which they began. */
export class ActiveRequests implements Iterable<ActiveRequest> {
  #first: ActiveRequest | undefined;
  #last: ActiveRequest | undefined;
  #index: Map<unknown, ActiveRequest> | undefined;
  /** How many there are. */
  size = 0;

  /** Puts a request in. */
  add(request: unknown, client: string | undefined): ActiveRequest {
    const active = new ActiveRequest(request, client);
    const last = active.before = this.#last;
    if (last === undefined) this.#first = active;
    else last.next = active;
    this.#last = active;
    this.#index?.set(request, active);
    this.size++;
    return active;
  }

  /** Takes a request out; false when it was out. */
  delete(active: ActiveRequest): boolean {
    if (active.end !== undefined) return false;
    const { before, next } = active;
    if (before === undefined) this.#first = next;
    else before.next = next;
    if (next === undefined) this.#last = before;
    else next.before = before;
    active.end = "finished";
    this.#index?.delete(active.request);
    this.size--;
    return true;
  }

  /** Looks for a request. */
  find(request: unknown): ActiveRequest | undefined {
    if (this.#last?.request === request) return this.#last;
    this.#index ??= new Map(
      Array.from(this, (active) => [active.request, active]),
    );
    return this.#index.get(request);
  }

  /** Takes all out, by force. */
  clear(): void {
    for (const active of this) active.end = "forced";
    this.#first = this.#last = this.#index = undefined;
    this.size = 0;
  }

  *[Symbol.iterator](): Iterator<ActiveRequest> {
    for (let each = this.#first; each !== undefined; each = each.next) {
      yield each;
    }
  }
}
