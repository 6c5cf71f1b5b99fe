/**
 * The requests of a server that are under way.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import type { TrustedPeers } from "../proxy/trusted_peers.ts";
import { cutOff } from "../socket/server_calls.ts";
import type { ByteCounts } from "../socket/stream.ts";
import { requestStart, requestStop } from "../stages/events.ts";
import type { LimitName } from "../stages/server_status.ts";
import {
  ActiveRequest,
  ActiveRequests,
  type KnownRequest,
  ReplacedRequests,
  type RequestEnd,
} from "./active_requests.ts";
import { IdleWaits } from "./idle_waits.ts";
import { ObservedRequest } from "./observed_request.ts";
import type {
  RemoteAcceptors,
  RemoteRunner,
  RequestWatch,
} from "./remote_requests.ts";
import {
  ByteTotals,
  noLimitHits,
  noRequests,
  type RequestCounters,
  RequestResults,
} from "./request_counters.ts";
import { type ConnectionLimits, RequestLimits } from "./request_limits.ts";
import { HeaderDeadlines, type RequestTimes } from "./request_timer.ts";

/** Registers the open requests of a server, and counts all requests. */
export class Requests implements Iterable<ActiveRequest> {
  readonly #server: Readonly<Partial<ConnectionLimits>>;
  readonly #open = new ActiveRequests();
  #ended: PromiseWithResolvers<void> | undefined;
  #others: AbortController | undefined;
  #pool: RemoteRunner | undefined;
  #acceptors: RemoteAcceptors | undefined;
  /** The limits of the number of requests. */
  readonly limits: RequestLimits;
  /** The limits of the requests' time; undefined if there were none yet. */
  times: RequestTimes | undefined = undefined;
  /** The peers whose PROXY headers are believed; undefined for a server that expects none. */
  trustedPeers: TrustedPeers | undefined = undefined;
  /** The deadlines of these headers. */
  readonly headerDeadlines: HeaderDeadlines = new HeaderDeadlines();
  /** Where connections are accepted, if not by the server itself. */
  acceptedIn: "children" | "workers" | undefined = undefined;
  /** Hears of each request, in a worker that accepts; undefined otherwise. */
  watch: RequestWatch | undefined = undefined;
  /** Whether the server drains. */
  draining = false;
  /** Whether the server is about to stop, and still accepts. */
  stopping = false;
  /** Resolves when the requests that were open at the close of the server have ended. Set by the close. */
  drained: Promise<unknown> | undefined;
  /** Whether each request is a task, whose failures do not end the loop. */
  concurrent = false;
  /** The number of requests for which `rejectRequest` runs. */
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
  /** How often each limit was reached. */
  readonly limitHits: Record<LimitName, number> = noLimitHits();

  /** @param server The server. */
  constructor(server: Readonly<Partial<ConnectionLimits>>) {
    this.#server = server;
    this.limits = new RequestLimits(server, this.#open);
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

  /** Changes the limits, here and in the workers and children that accept. */
  setLimits(limits: Partial<ConnectionLimits>): void {
    this.limits.set(limits);
    this.#acceptors?.limit(this.limits.settings);
    this.#pool?.changeAccepts?.();
  }

  /** Lets the server get no requests for a while, or again. */
  suspend(suspended: boolean): void {
    this.limits.suspended = suspended;
    this.#acceptors?.suspend(suspended);
    this.#pool?.changeAccepts?.();
  }

  /** Begins a request. */
  begin<R>(request: R, clientAddress: Address): KnownRequest<R>;
  begin<R>(request: R, clientAddress?: Address): ActiveRequest<R>;
  begin<R>(request: R, clientAddress?: Address): ActiveRequest<R> {
    const active = new ActiveRequest(request, clientAddress);
    this.status.accepted++;
    this.#open.add(active);
    this.watch?.began(active);
    if (requestStart.hasSubscribers || requestStop.hasSubscribers) {
      this.#observe(active);
    }
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
    active.observed?.start(active.request, clientAddress);
    return this.#open.setClient(active, clientAddress);
  }

  /** Begins the time of a request. */
  beginTime(active: ActiveRequest): void {
    active.timed = true;
    this.times?.begin(active);
  }

  /** Ends a request. */
  end(active: ActiveRequest): void {
    const { request, result } = active;
    if (this.#open.remove(active)) this.#count(active, result);
    else this.results.forget(request); // the server has cut it off before
    this.times?.end(active, this.draining);
    this.limits.noteChange();
    if (this.#ended !== undefined) this.#noteEnd();
    active.observed?.stop(request, active.end ?? result);
  }

  #count(active: ActiveRequest, end: RequestEnd): void {
    active.end = end;
    this.endedBytes.add(active.request);
    if (end === "finished" || end === "idle") this.status.finished++;
    else if (end === "failed" || end === "forced") this.status[end]++;
    this.watch?.ended(active);
  }

  /** Resolves when the next request has ended. */
  nextEnd(): Promise<void> {
    return (this.#ended ??= Promise.withResolvers()).promise;
  }

  #noteEnd(): void {
    this.#ended?.resolve();
    this.#ended = undefined;
  }

  /** Returns an open request; undefined for a request that the server did not get itself, or that has ended. */
  of(request: unknown): ActiveRequest | undefined {
    return this.#open.of(this.replaced?.currentOf(request) ?? request);
  }

  /** Notes that a worker or a child has ended the wait of a request because the server drains. */
  endIdle(request: unknown): void {
    if (this.draining) this.results.note(request, "idle", {});
  }

  /** Marks a request as ended by its task. */
  detach<R>(request: R): ActiveRequest<R> {
    const active = this.#open.of(request) ?? this.begin(request);
    active.detached = true;
    return active as ActiveRequest<R>;
  }

  /**
   * Replaces an open request: the server shuts down, closes and cuts off the current one from now on. If the server has
   * cut off the former one already, closes the current one too.
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
    this.times?.stopTimers();
    this.#others?.abort();
    for (const { controller } of this.#open) controller?.abort();
  }

  /** Cuts off all open requests, and returns them. They no longer count. */
  giveUp(): ActiveRequest[] {
    const left = [...this.#open];
    for (const active of left) {
      this.#open.remove(active);
      this.times?.end(active, this.draining);
      this.#count(active, "forced");
      this.results.giveUp(active.request);
    }
    this.#noteEnd();
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
