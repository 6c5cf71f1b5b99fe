/**
 * The requests of a server that are under way.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { begun } from "../waiting/promises.ts";
import { Socket, stateOf } from "../socket/socket_object.ts";
import type { Readiness } from "../waiting/pending_operation.ts";
import {
  type ActiveRequest,
  ActiveRequests,
  type Detached,
} from "./active_requests.ts";
import { sayHookFailed } from "./report.ts";
import { isInside } from "./scope.ts";
import type { Step } from "./steps.ts";
import type { ServerStages, ServerStatus } from "./stages.ts";

/** What to do with a request when `maxConnections` are under way. */
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

/** How many there are of each client; one that cannot be told from others is not counted. */
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
  readonly #active = new ActiveRequests();
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
    return this.#active.add(request, client);
  }

  /** Notes its end. */
  end(active: ActiveRequest): void {
    const counted = this.#active.delete(active);
    if (counted && this.#perClient) count(this.#perClient, active.client, -1);
    if (this.#givenUp.size > 0) this.#givenUp.delete(active.request);
    if (this.#room && this.room.ready) this.#room = settle(this.#room);
    if (this.#idle && this.size === 0) this.#idle = settle(this.#idle);
  }

  /** Whether a request, which has begun, is one more than the limits allow. */
  exceeds(request: unknown): boolean {
    if (this.size > this.max) return true;
    const most = this.#server.maxConnectionsPerClient ?? Infinity;
    if (most === Infinity) return false;
    const client = this.#active.find(request)?.client;
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

  /** Leaves a request to a task, with which it ends. */
  detach(
    request: unknown,
    server: ServerStages<unknown>,
    clientAddress: Address,
  ): Detached {
    const active = this.#active.find(request) ?? this.begin(request);
    return active.detach(server, clientAddress);
  }

  /** Ends a request when its task has ended. */
  endAfter(active: Detached, task: Step): void {
    if (task === undefined) this.end(active);
    else this.#endLater(active, task);
  }

  /** Apart from {@linkcode Requests.endAfter}, which would make a scope for the functions at each call. */
  #endLater(active: Detached, task: Promise<void>): void {
    Promise.resolve(task).then(() => this.end(active), (error) => {
      this.end(active);
      endStray(active, error);
    });
  }

  /**
   * Shuts down a request that is one too many, or unwanted. It does not count meanwhile: a client that puts off its
   * end takes neither a place nor the time of the loop.
   */
  turnAway(active: Detached): void {
    this.status.rejected++;
    this.end(active);
    begun(shutDown, active)?.catch((error) => endStray(active, error));
  }

  /** Whether what a request throws is worth a report: not when the server gave it up. */
  reports(request: unknown): boolean {
    return !this.#givenUp.has(request);
  }

  /** Tells the request when the server drains; one signal for all that the server did not get, but made. */
  signal(request: unknown): AbortSignal {
    const active = this.#active.find(request);
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
    this.#active.clear();
    this.#perClient?.clear();
    for (const { request } of left) this.#givenUp.add(request);
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

function shutDown(this: Detached): Step {
  return this.server.shutdownRequest(this.request);
}

/** A hook has failed that ends the request: says so, and closes the connection, which nobody else will. */
function endStray({ request, clientAddress }: Detached, error: unknown): void {
  sayHookFailed(clientAddress, error);
  if (request instanceof Socket) stateOf(request).close(false);
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
