/**
 * The requests of a server that are under way.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import type { TrustedPeers } from "../proxy/trusted_peers.ts";
import { cutOff } from "../socket/server_calls.ts";
import type { AcceptRate } from "./accept_rate.ts";
import {
  ActiveRequest,
  ClientCounts,
  type KnownRequest,
  type RequestEnd,
} from "./active_request.ts";
import type { ConnectionLimits } from "./connection_limits.ts";
import { OpenRequests } from "./open_requests.ts";
import { IdleWaits } from "./idle_waits.ts";
import { RequestTimes } from "./request_timer.ts";
import { HeaderDeadlines } from "./header_deadlines.ts";
import { ReplacedRequests } from "./replaced_requests.ts";
import { RequestResults } from "./request_results.ts";
import { RequestWaits } from "./request_waits.ts";
import { isInside } from "./request_scope.ts";
import type {
  RemoteAcceptors,
  RemoteRunner,
  RequestWatch,
} from "./remote_requests.ts";
import type { SharedPlaces } from "./shared_places.ts";
import {
  ByteTotals,
  noLimitHits,
  noRequests,
  type RequestCounters,
} from "./server_counters.ts";
import type { LimitName } from "../stages/server_status.ts";
import { hasRequestSubscribers, ObservedRequest } from "./observed_request.ts";
import type { ByteCounts } from "../socket/stream.ts";

/**
 * The most requests of a server without a mix-in: it handles one, and the others make their TLS handshakes, or send
 * their PROXY headers. As many as a mix-in allows by default.
 */
const HANDSHAKES_MAX = 1024;

/** Counts the requests of a server, and keeps what is known of each. */
export class Requests implements Iterable<ActiveRequest> {
  readonly #server: Readonly<Partial<ConnectionLimits>>;
  readonly #open = new OpenRequests();
  #perClient: ClientCounts | undefined;
  #suspended = false;
  #reserved = 0;
  #others: AbortController | undefined;
  /** The limits that {@linkcode Requests.setLimits} has set. */
  readonly limits: ConnectionLimits = {
    maxConnections: Infinity,
    maxConnectionsPolicy: "wait",
    maxConnectionsPerClient: Infinity,
    blockOnClose: true,
  };
  /** The peers whose PROXY headers are believed; undefined for a server that expects none. */
  trustedPeers: TrustedPeers | undefined = undefined;
  /** The deadlines of these headers. */
  readonly headerDeadlines: HeaderDeadlines = new HeaderDeadlines();
  /** The limit of the rate of connections; undefined if there was none yet. */
  rate: AcceptRate | undefined = undefined;
  /** The limits of the requests' time. */
  readonly times: RequestTimes = new RequestTimes(this.#open);
  /** The pool that runs the requests elsewhere; undefined if there is none, or none yet. */
  #pool: RemoteRunner | undefined = undefined;
  /** Where connections are accepted, if not by the server itself. */
  acceptedIn: "children" | "workers" | undefined = undefined;
  #acceptors: RemoteAcceptors | undefined = undefined;
  /** The places of all workers that accept for one server, in one of them; undefined otherwise. */
  places: SharedPlaces | undefined = undefined;
  /** Hears of each request, in a worker that accepts; undefined otherwise. */
  watch: RequestWatch | undefined = undefined;
  /** Whether the server drains. */
  draining = false;
  /** Whether the server is about to stop, and still accepts. */
  stopping = false;
  /** Resolves when the requests that were open at the close of the server have ended. Set by the close. */
  drained: Promise<unknown> | undefined;
  /** Whether the server takes the last connections, whatever `maxConnections` is. */
  closing = false;
  /** Whether each request is a task, whose failures do not end the loop. */
  concurrent = false;
  /** The number of requests that are being turned away, and told why. */
  rejecting = 0;
  /** The requests that their handlers have replaced; undefined before the first. */
  replaced: ReplacedRequests | undefined = undefined;
  /** The waits of handlers between two messages. */
  readonly idleWaits: IdleWaits = new IdleWaits();
  /** The bytes of the requests that have ended. */
  readonly endedBytes: ByteTotals = new ByteTotals();
  /** The counters. */
  readonly status: RequestCounters = noRequests();
  /** The results of the requests. */
  readonly results: RequestResults = new RequestResults(
    this.#open,
    this.status,
  );
  /** The waits for the number of requests. */
  readonly waits: RequestWaits = new RequestWaits(this);
  /** How often each limit was reached. */
  readonly limitHits: Record<LimitName, number> = noLimitHits();

  /** @param server The server. Its attributes are read at each use, because a subclass may change them. */
  constructor(server: Readonly<Partial<ConnectionLimits>>) {
    this.#server = server;
  }

  /** The number of open requests. */
  get size(): number {
    return this.#open.size + (this.#acceptors?.size ?? 0);
  }

  /** The number of handlers that wait between two messages, wherever they run. */
  get idle(): number {
    const { idle = 0 } = this.#acceptors ?? this.#pool ?? {};
    return this.idleWaits.size + idle;
  }

  /** The workers that accept by themselves; undefined if there are none, or none yet. */
  get acceptors(): RemoteAcceptors | undefined {
    return this.#acceptors;
  }

  set acceptors(acceptors: RemoteAcceptors | undefined) {
    this.#acceptors = acceptors;
    if (this.draining) acceptors?.drain();
  }

  /** The pool that runs the requests elsewhere; undefined if there is none, or none yet. */
  get pool(): RemoteRunner | undefined {
    return this.#pool;
  }

  set pool(pool: RemoteRunner | undefined) {
    this.#pool = pool;
    if (this.draining) void pool?.drain();
  }

  /** Sets limits, and wakes the loop, because there may be room now. */
  setLimits(limits: Partial<ConnectionLimits>): void {
    Object.assign(this.limits, limits);
    this.#acceptors?.limit(this.limits);
    this.waits.noteLimits();
    this.#pool?.changeAccepts?.();
  }

  /** Whether the server gets no requests for a while. */
  get suspended(): boolean {
    return this.#suspended;
  }

  set suspended(suspended: boolean) {
    this.#suspended = suspended;
    this.#acceptors?.suspend(suspended);
    this.waits.noteLimits();
    this.#pool?.changeAccepts?.();
  }

  /** The most requests at a time. */
  get max(): number {
    return this.#server.maxConnections ?? HANDSHAKES_MAX;
  }

  /** Whether closing the server waits for the requests. */
  get blockOnClose(): boolean {
    return this.#server.blockOnClose ?? true;
  }

  /** Whether as many requests are open as may be, and the server waits for one to end. */
  get full(): boolean {
    if (this.places !== undefined) return this.places.full;
    return this.#server.maxConnectionsPolicy !== "reject" &&
      this.#open.size + this.#reserved >= this.max;
  }

  /** The number of requests that children may begin by themselves, besides those that are open. */
  get reserved(): number {
    return this.#reserved;
  }

  set reserved(reserved: number) {
    this.#reserved = reserved;
    this.waits.noteLimits();
  }

  /** Begins a request. */
  begin<R>(request: R, clientAddress?: Address): ActiveRequest<R> {
    const active = new ActiveRequest(request, clientAddress);
    this.#perClient?.change(active.client, 1);
    this.status.accepted++;
    this.#open.add(active);
    this.watch?.began(active);
    if (hasRequestSubscribers()) this.#observe(active);
    return active;
  }

  /** Publishes the start of a request, unless a PROXY header with the address of the client is to come. */
  #observe(active: ActiveRequest): void {
    const { request, clientAddress } = active;
    active.observed = new ObservedRequest(this.#server);
    if (clientAddress === undefined && this.trustedPeers !== undefined) return;
    active.observed.start(request, clientAddress);
  }

  /** Returns the observation of an open request; undefined if there is none. */
  observed(request: unknown): ObservedRequest | undefined {
    return this.#open.of(request)?.observed;
  }

  /** Sets the address of the client of a request that has begun without one. */
  setClient<R>(
    active: ActiveRequest<R>,
    clientAddress: Address,
  ): KnownRequest<R> {
    active.clientAddress = clientAddress;
    if (active.end === undefined) this.#perClient?.change(active.client, 1);
    active.observed?.start(active.request, clientAddress);
    return active as KnownRequest<R>;
  }

  /** Ends a request. */
  end(active: ActiveRequest): void {
    const { request, client } = active;
    if (this.#open.remove(active)) {
      this.#perClient?.change(client, -1);
      this.#count(active, active.result);
    }
    this.results.forget(request);
    this.times.end(active, this.draining);
    this.waits.noteEnd();
    const { observed, result } = active;
    if (observed !== undefined) observed.stop(request, active.end ?? result);
  }

  #count(active: ActiveRequest, end: RequestEnd): void {
    active.end = end;
    this.endedBytes.add(active.request);
    if (end === "finished" || end === "idle") this.status.finished++;
    else if (end === "failed" || end === "forced") this.status[end]++;
    this.watch?.ended(active);
  }

  /** Returns an open request; undefined for a request that the server did not get itself, or that has ended. */
  of(request: unknown): ActiveRequest | undefined {
    return this.#open.of(this.replaced?.currentOf(request) ?? request);
  }

  /** Notes that a worker or a child has ended the wait of a request because the server drains. */
  endIdle(request: unknown): void {
    if (this.draining) this.results.note(request, "idle", {});
  }

  /** Returns the limit that a request that has begun exceeds; undefined if there is none. */
  exceeds(
    request: unknown,
  ): "maxConnections" | "maxConnectionsPerClient" | undefined {
    const { size } = this.#open;
    const exceeded = this.places?.exceeded ?? size > this.max;
    if (exceeded && !this.closing) return "maxConnections";
    const most = this.#server.maxConnectionsPerClient ?? Infinity;
    if (most === Infinity) return undefined;
    const client = this.#open.of(request)?.client;
    const exceeds = client !== undefined && this.#countOf(client) > most;
    return exceeds ? "maxConnectionsPerClient" : undefined;
  }

  /** Returns the number of open requests of a client. Starts counting at the first call. */
  #countOf(client: string): number {
    this.#perClient ??= new ClientCounts(this.#open);
    return this.#perClient.of(client);
  }

  /** Marks a request as ended by its task. */
  detach<R>(request: R): ActiveRequest<R> {
    const active = this.#open.of(request) ?? this.begin(request);
    active.detached = true;
    return active as ActiveRequest<R>;
  }

  /**
   * Puts another request in the place of an open one: that one is shut down, closed and cut off from now on. If the
   * server has cut off the old one already, closes the new one too.
   */
  replace(former: unknown, current: unknown): void {
    if (former === current) return;
    this.replaced ??= new ReplacedRequests();
    this.replaced.set(former, current);
    const active = this.#open.of(former);
    if (active !== undefined) this.#open.replace(active, current);
    if (this.results.reports(former)) return;
    this.results.giveUp(current);
    cutOff(current);
  }

  /** Returns the signal of a request; a common one for requests that the server did not get itself. */
  signal(request: unknown): AbortSignal {
    const active = this.#open.of(request);
    const controller = active === undefined
      ? this.#others ??= new AbortController()
      : active.controller ??= new AbortController();
    if (this.draining) controller.abort();
    return controller.signal;
  }

  /** Aborts the signals of all requests, also of later ones. The waits between messages go on. */
  drain(): void {
    this.draining = this.idleWaits.draining = true;
    this.#acceptors?.drain();
    this.times.stopTimers();
    this.#others?.abort();
    for (const { controller } of this.#open) controller?.abort();
  }

  /** Cuts off all open requests, and returns them. They no longer count. */
  giveUp(): ActiveRequest[] {
    const left = [...this.#open];
    for (const active of left) {
      this.#open.remove(active);
      this.#perClient?.change(active.client, -1);
      this.times.end(active, this.draining);
      this.#count(active, "forced");
      this.results.giveUp(active.request);
    }
    this.waits.noteGivenUp();
    return left;
  }

  /** The counters and the bytes of all requests, open and ended: if workers accept, of theirs. */
  get counters(): RequestCounters & ByteCounts {
    if (this.#acceptors !== undefined) return this.#acceptors.counters;
    const open = Array.from(this.#open, ({ request }) => request);
    return { ...this.status, ...this.endedBytes.with(open) };
  }

  /** Iterates over the open requests. */
  [Symbol.iterator](): Iterator<ActiveRequest> {
    return this.#open[Symbol.iterator]();
  }
}

const trackers = new WeakMap<object, Requests>();

/** Lets a stand-in of a server have the server's requests. */
export function shareRequests(standIn: object, server: object): void {
  trackers.set(standIn, requestsOf(server));
}

/** Returns the requests of a server: one object for its lifetime. */
export function requestsOf(server: object): Requests {
  let requests = trackers.get(server);
  if (requests === undefined) {
    trackers.set(server, requests = new Requests(server));
  }
  return requests;
}

/**
 * Does the rest of a close when the requests have ended. If a request closes the server, that is later, in the
 * background.
 */
export async function afterDrain(
  server: object,
  rest: () => void | Promise<void>,
): Promise<void> {
  const { drained } = requestsOf(server);
  if (drained !== undefined && isInside(server)) drained.then(rest);
  else await rest();
}
