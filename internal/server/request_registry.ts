/**
 * The requests of a server that are under way.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import type { Readiness } from "../waiting/pending_operation.ts";
import { isInside } from "./scope.ts";
import type { ServerStatus } from "./stages.ts";

/**
 * What to do with a request when `maxConnections` are under way.
 *
 * @category Options
 */
export type MaxConnectionsPolicy = "wait" | "reject";

/** The attributes of a server that say how many requests it takes; a mix-in adds them. */
export interface Limits {
  /** The most requests at a time. */
  maxConnections: number;
  /** What happens to more. */
  maxConnectionsPolicy: MaxConnectionsPolicy;
  /** The most requests of one client at a time. */
  maxConnectionsPerClient: number;
  /** Whether closing the server waits for the requests under way. */
  blockOnClose: boolean;
}

/** One request under way. */
export class ActiveRequest {
  /** Whether a task of its own ends the request, and not the loop that got it. */
  detached = false;
  /** Tells the handler that the server shuts down; made when the handler asks for its signal. */
  controller: AbortController | undefined = undefined;
  /** How the request ended; undefined while it is under way. */
  end: "finished" | "forced" | undefined = undefined;

  /**
   * @param request The request itself.
   * @param client The client's host, or path; undefined for a client without a name.
   */
  constructor(
    readonly request: unknown,
    readonly client: string | undefined,
  ) {}
}

/** The number of requests of each client. A client without a name is not counted. */
type Counts = Map<string, number>;

function count(
  counts: Counts,
  client: string | undefined,
  change: 1 | -1,
): void {
  if (client === undefined) return;
  const now = (counts.get(client) ?? 0) + change;
  if (now > 0) counts.set(client, now);
  else counts.delete(client);
}

/** Counts requests, knows when there is room for another and when all have ended. */
export class Requests implements Iterable<ActiveRequest> {
  readonly #server: Readonly<Partial<Limits>>;
  /** The requests under way, in the order in which they began. */
  readonly #active = new Set<ActiveRequest>();
  /** The same by request; the last one, if an override of `getRequest` gives one object twice. */
  readonly #byRequest = new Map<unknown, ActiveRequest>();
  #perClient: Counts | undefined;
  readonly #givenUp = new Set<unknown>();
  #room: PromiseWithResolvers<void> | undefined;
  #idle: PromiseWithResolvers<void> | undefined;
  #others: AbortController | undefined;
  /** What a mix-in's attributes are set to; see {@linkcode Requests.limit}. */
  readonly limits: Limits = {
    maxConnections: Infinity,
    maxConnectionsPolicy: "wait",
    maxConnectionsPerClient: Infinity,
    blockOnClose: true,
  };
  /** Whether the server drains. */
  draining = false;
  /** Resolves when the requests have ended that were under way as the server closed; set by its close. */
  drained: Promise<unknown> | undefined;
  /** Whether requests are tasks of their own, whose failures are no one else's. */
  concurrent = false;
  /** The counters. */
  readonly status: ServerStatus = {
    active: 0,
    accepted: 0,
    rejected: 0,
    transientErrors: 0,
    resourceErrors: 0,
  };

  /** @param server The server, whose attributes are read at each use: a subclass may have its own. */
  constructor(server: Readonly<Partial<Limits>>) {
    this.#server = server;
  }

  /** How many are under way. */
  get size(): number {
    return this.#active.size;
  }

  /** Sets limits, and tells who waits that there may be room. */
  limit(limits: Partial<Limits>): void {
    Object.assign(this.limits, limits);
    if (this.#room && this.room.ready) this.#room = settle(this.#room);
  }

  /** The most requests at a time. */
  get max(): number {
    return this.#server.maxConnections ?? Infinity;
  }

  /** Whether closing the server waits for them. */
  get blockOnClose(): boolean {
    return this.#server.blockOnClose ?? true;
  }

  /** Ready while another request may be got. */
  readonly room: Readiness = ((requests: Requests) => ({
    get ready() {
      return requests.#server.maxConnectionsPolicy === "reject" ||
        requests.size < requests.max;
    },
    fill: () => (requests.#room ??= Promise.withResolvers()).promise,
  }))(this);

  /** Ready when none is under way. */
  readonly quiet: Readiness = ((requests: Requests) => ({
    get ready() {
      return requests.size === 0;
    },
    fill: () => (requests.#idle ??= Promise.withResolvers()).promise,
  }))(this);

  /** Notes a request that begins. */
  begin(request: unknown, clientAddress?: Address): ActiveRequest {
    const client = clientOf(clientAddress);
    if (this.#perClient) count(this.#perClient, client, 1);
    this.status.accepted++;
    const active = new ActiveRequest(request, client);
    this.#active.add(active);
    this.#byRequest.set(request, active);
    return active;
  }

  /** Notes its end. */
  end(active: ActiveRequest): void {
    const { request, client } = active;
    const counted = this.#active.delete(active);
    if (counted) active.end = "finished";
    if (counted && this.#perClient) count(this.#perClient, client, -1);
    if (this.#byRequest.get(request) === active) {
      this.#byRequest.delete(request);
    }
    if (this.#givenUp.size > 0) this.#givenUp.delete(request);
    if (this.#room && this.room.ready) this.#room = settle(this.#room);
    if (this.#idle && this.size === 0) this.#idle = settle(this.#idle);
  }

  /** Whether a request, which has begun, is one more than the limits allow. */
  exceeds(request: unknown): boolean {
    if (this.size > this.max) return true;
    const most = this.#server.maxConnectionsPerClient ?? Infinity;
    if (most === Infinity) return false;
    const client = this.#byRequest.get(request)?.client;
    return client !== undefined && this.#countOf(client) > most;
  }

  /** How many of a client are under way; from the first call on they are counted. */
  #countOf(client: string): number {
    if (this.#perClient === undefined) {
      this.#perClient = new Map();
      for (const { client } of this.#active) count(this.#perClient, client, 1);
    }
    return this.#perClient.get(client) ?? 0;
  }

  /** Leaves a request to a task of its own, which ends the request. */
  detach(request: unknown): ActiveRequest {
    const active = this.#byRequest.get(request) ?? this.begin(request);
    active.detached = true;
    return active;
  }

  /** Whether what a request throws is worth a report: not when the server gave it up. */
  reports(request: unknown): boolean {
    return !this.#givenUp.has(request);
  }

  /** Tells the request when the server drains; one signal for all that the server did not get, but made. */
  signal(request: unknown): AbortSignal {
    const active = this.#byRequest.get(request);
    const controller = active === undefined
      ? this.#others ??= new AbortController()
      : active.controller ??= new AbortController();
    if (this.draining) controller.abort();
    return controller.signal;
  }

  /** Tells all requests, and those to come, that the server drains. */
  drain(): void {
    this.draining = true;
    this.#others?.abort();
    for (const { controller } of this.#active) controller?.abort();
  }

  /** Gives up all that are left, and returns them. They do not count any more. */
  giveUp(): ActiveRequest[] {
    const left = [...this.#active];
    for (const active of left) {
      active.end = "forced";
      this.#givenUp.add(active.request);
    }
    this.#active.clear();
    this.#byRequest.clear();
    this.#perClient?.clear();
    this.#idle = settle(this.#idle);
    return left;
  }

  /** Those under way. */
  [Symbol.iterator](): Iterator<ActiveRequest> {
    return this.#active[Symbol.iterator]();
  }
}

/** What tells one client from another: unnamed Unix sockets have nothing that does. */
function clientOf(address: Address | undefined): string | undefined {
  return (typeof address === "string" ? address : address?.[0]) || undefined;
}

function settle(waiting: PromiseWithResolvers<void> | undefined): undefined {
  waiting?.resolve();
}

const trackers = new WeakMap<object, Requests>();

/** The requests of a server; one record for its lifetime. */
export function requestsOf(server: object): Requests {
  let requests = trackers.get(server);
  if (requests === undefined) {
    trackers.set(server, requests = new Requests(server));
  }
  return requests;
}

/**
 * Does the rest of a close when the requests have ended: at once after a wait for them, and later where one of them
 * closes the server, which does not wait.
 */
export async function afterDrain(
  server: object,
  rest: () => void | Promise<void>,
): Promise<void> {
  const { drained } = requestsOf(server);
  if (drained !== undefined && isInside(server)) drained.then(rest);
  else await rest();
}
