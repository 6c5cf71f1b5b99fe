/**
 * The open requests of a server, and the requests that handlers have replaced.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { Socket, stateOf } from "../socket/socket_object.ts";
import type { ObservedRequest } from "./observed_request.ts";

/**
 * How a request ends: its handler has returned, has thrown, or was between two messages as the server shut down; the
 * server has cut it off, or has turned it away.
 */
export type RequestEnd = "finished" | "failed" | "idle" | "forced" | "rejected";

/** An open request. A member with `declare` has no field until it is set. */
export class ActiveRequest<R = unknown> {
  /** Whether a task ends the request, and not the loop. */
  inTask = false;
  /** Whether its time has begun: not while its PROXY header, its verdict or its handshake is to come. */
  timed = false;
  /** Whether the server still counts the request as open. */
  open = false;
  /** The neighbours in the list of open requests. */
  before: ActiveRequest | undefined = undefined;
  behind: ActiveRequest | undefined = undefined;
  /** Aborted when the server shuts down. Created when the handler asks for its signal. */
  declare controller: AbortController | undefined;
  /** Whether its TLS handshake has ended well; undefined without one. */
  declare secured: boolean | undefined;
  /** How the request counts when it ends. */
  result: RequestEnd = "finished";
  /** How the request ended; undefined while it is open. */
  declare end: RequestEnd | undefined;
  /** Publishes the events of the request; undefined if nobody listened when the request began. */
  declare observed: ObservedRequest | undefined;

  /**
   * @param request The request itself, or the one that its handler has put in its place.
   * @param clientAddress The client's address; undefined while the PROXY header that has it is to come.
   */
  constructor(
    public request: R,
    public clientAddress: Address | undefined,
  ) {}

  /** The client's host, or path; undefined for a client without a name. */
  get client(): string | undefined {
    return clientOf(this.clientAddress);
  }
}

/**
 * An open request whose client is known.
 *
 * @typeParam R The type of a request.
 */
export type KnownRequest<R = unknown> = ActiveRequest<R> & {
  clientAddress: Address;
};

/** Returns the key of a client: its host or path; undefined for an unnamed Unix socket. */
export function clientOf(address: Address | undefined): string | undefined {
  return (typeof address === "string" ? address : address?.[0]) || undefined;
}

/**
 * A list of requests, and an index of them that is made when it is first needed. Datagrams need none: the server looks
 * only for the request that it has just begun. With a `Map` alone an echo over UDP takes 1 to 10 percent more processor
 * time, 5 on average (three runs of `deno task bench udp` with each): V8 shrinks a map whenever it becomes empty.
 */
export class ActiveRequests implements Iterable<ActiveRequest> {
  #first: ActiveRequest | undefined;
  #last: ActiveRequest | undefined;
  #size = 0;
  #index: Map<unknown, ActiveRequest> | undefined;
  #clients: ClientCounts | undefined;

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
    this.#clients?.change(active.client, 1);
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
    this.#clients?.change(active.client, -1);
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

  /** Replaces `active.request` by another object. */
  replace(active: ActiveRequest, request: unknown): void {
    this.#index?.delete(active.request);
    active.request = request;
    this.#index?.set(request, active);
  }

  /** Sets the address of the client of a request that was added without one. */
  setClient<R>(
    active: ActiveRequest<R>,
    clientAddress: Address,
  ): KnownRequest<R> {
    active.clientAddress = clientAddress;
    if (active.open) this.#clients?.change(active.client, 1);
    return active as KnownRequest<R>;
  }

  /** Returns the number of requests of a client. Starts counting at the first call. */
  countOf(client: string): number {
    this.#clients ??= new ClientCounts(this);
    return this.#clients.of(client);
  }

  /** Iterates over the requests that are open now. */
  [Symbol.iterator](): Iterator<ActiveRequest> {
    const all: ActiveRequest[] = [];
    for (let at = this.#first; at !== undefined; at = at.behind) all.push(at);
    return all.values();
  }
}

/** Counts the requests of each client. A client without a name is not counted. */
class ClientCounts {
  readonly #counts = new Map<string, number>();

  /** @param requests The requests that are open already. */
  constructor(requests: Iterable<{ readonly client: string | undefined }>) {
    for (const { client } of requests) this.change(client, 1);
  }

  /** Returns the number of requests of a client. */
  of(client: string): number {
    return this.#counts.get(client) ?? 0;
  }

  /** Counts a request that begins, 1, or ends, -1. */
  change(client: string | undefined, change: 1 | -1): void {
    if (client === undefined) return;
    const now = this.of(client) + change;
    if (now > 0) this.#counts.set(client, now);
    else this.#counts.delete(client);
  }
}

/** The requests that were replaced, and their replacements. */
export class ReplacedRequests {
  readonly #current = new WeakMap<object, unknown>();
  readonly #former = new WeakMap<object, unknown>();

  /** Notes that `current` replaces `former`. */
  set(former: unknown, current: unknown): void {
    if (!isObject(former) || !isObject(current)) return;
    this.#current.set(former, current);
    this.#former.set(current, former);
  }

  /** Returns the latest replacement of `request`; `request` itself if there is none. */
  currentOf(request: unknown): unknown {
    let current = request;
    while (isObject(current) && this.#current.has(current)) {
      current = this.#current.get(current);
    }
    return current;
  }

  /** Closes the connections that `request` has replaced, if they are still open. */
  closeFormer(request: unknown): void {
    let former = request;
    while (isObject(former) && this.#former.has(former)) {
      former = this.#former.get(former);
      if (former instanceof Socket) stateOf(former).close(false);
    }
  }
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
