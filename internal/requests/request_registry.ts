/**
 * The registry of a server's open requests.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import type { TrustedPeers } from "../proxy/trusted_peers.ts";
import { cutOff } from "../socket/server_calls.ts";
import type { ByteCounts } from "../socket/stream.ts";
import type { LimitName } from "../stages/server_status.ts";
import {
  ActiveRequest,
  ActiveRequests,
  type KnownRequest,
  ReplacedRequests,
  type RequestEnd,
} from "./active_requests.ts";
import { IdleWaits } from "./idle_waits.ts";
import { hasRequestSubscribers, ObservedRequest } from "./observed_request.ts";
import type {
  AcceptingWorkers,
  RemoteRunner,
  RequestWatch,
} from "./remote_requests.ts";
import {
  ByteTotals,
  noLimitHits,
  type RequestCounters,
  RequestResults,
  zeroCounters,
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
  #acceptingWorkers: AcceptingWorkers | undefined;
  /** The limits of the number of requests. */
  readonly limits: RequestLimits;
  /** The limits of the requests' time; undefined if there were none yet. Set by the setters of `limit_settings.ts`. */
  times: RequestTimes | undefined = undefined;
  /** The peers whose PROXY headers are believed; undefined for a server without any. Set by `ProxyProtocolMixIn`. */
  trustedPeers: TrustedPeers | undefined = undefined;
  /** The deadlines of these headers. */
  readonly headerDeadlines: HeaderDeadlines = new HeaderDeadlines();
  /** Where connections are accepted, if not by the server itself. Set by `ThreadingMixIn` and `ForkingMixIn`. */
  acceptedIn: "children" | "workers" | undefined = undefined;
  /** Hears of each request, in a worker that accepts; undefined otherwise. Set by `AcceptingRunner`. */
  watch: RequestWatch | undefined = undefined;
  /** Whether the server drains. Set by {@linkcode Requests.drain}. */
  draining = false;
  /** Whether the server is about to stop, and still accepts. Set by `serve`. */
  stopping = false;
  /** Resolves when the requests that were open at the close of the server have ended. Set by `ServerCloser`. */
  drained: Promise<unknown> | undefined;
  /** Whether each request is a task, whose failures do not end the loop. Set by the mix-ins. */
  concurrent = false;
  /** The number of requests for which `rejectRequest` runs. Set by `rejectAndShutdown` and `ProxyHeaders`. */
  rejecting = 0;
  /** The requests that handlers have replaced; undefined before the first. Set by {@linkcode Requests.replace}. */
  replaced: ReplacedRequests | undefined = undefined;
  /** The waits of handlers between two messages. */
  readonly idleWaits: IdleWaits = new IdleWaits();
  /** The bytes of the requests that have ended. */
  readonly endedBytes: ByteTotals = new ByteTotals();
  /**
   * The counters of the server itself, without those of workers that accept. The dispatcher, the datagram servers and
   * `Acceptors` count here too.
   */
  readonly ownCounters: RequestCounters = zeroCounters();
  /** The results of the requests. */
  readonly results: RequestResults = new RequestResults(
    this.#open,
    this.ownCounters,
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
    return this.#open.size + (this.#acceptingWorkers?.size ?? 0);
  }

  /** The number of handlers that wait between two messages, wherever they run. */
  get idle(): number {
    const { idle = 0 } = this.#acceptingWorkers ?? this.#pool ?? {};
    return this.idleWaits.size + idle;
  }

  /** The workers that accept by themselves; undefined if there are none, or none yet. */
  get acceptingWorkers(): AcceptingWorkers | undefined {
    return this.#acceptingWorkers;
  }

  set acceptingWorkers(acceptingWorkers: AcceptingWorkers | undefined) {
    this.#acceptingWorkers = acceptingWorkers;
    if (this.draining) acceptingWorkers?.drain();
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
    this.#acceptingWorkers?.limit(this.limits.settings);
    this.#pool?.changeAccepts?.();
  }

  /** Stops the server from getting requests, or lets it get them again. */
  suspend(suspended: boolean): void {
    this.limits.suspended = suspended;
    this.#acceptingWorkers?.suspend(suspended);
    this.#pool?.changeAccepts?.();
  }

  /** Begins a request. */
  begin<R>(request: R, clientAddress: Address): KnownRequest<R>;
  begin<R>(request: R, clientAddress?: Address): ActiveRequest<R>;
  begin<R>(request: R, clientAddress?: Address): ActiveRequest<R> {
    const active = new ActiveRequest(request, clientAddress);
    this.ownCounters.accepted++;
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
    if (end === "finished" || end === "idle") this.ownCounters.finished++;
    else if (end === "failed" || end === "forced") this.ownCounters[end]++;
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

  /** Notes that a task ends this request, and not the loop. */
  handToTask<R>(request: R): ActiveRequest<R> {
    const active = this.#open.of(request) ?? this.begin(request);
    active.inTask = true;
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
    if (this.results.counts(former)) return;
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
    this.#acceptingWorkers?.drain();
    this.times?.stopTimers();
    this.#others?.abort();
    for (const { controller } of this.#open) controller?.abort();
  }

  /**
   * Takes all open requests out of the registry, counts them as forced and returns them. The caller cuts their
   * connections off.
   */
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
    if (this.#acceptingWorkers !== undefined) {
      return this.#acceptingWorkers.counters;
    }
    const open = Array.from(this.#open, ({ request }) => request);
    return { ...this.ownCounters, ...this.endedBytes.with(open) };
  }

  /** Iterates over the open requests. */
  [Symbol.iterator](): Iterator<ActiveRequest> {
    return this.#open[Symbol.iterator]();
  }
}

const registries = new WeakMap<object, Requests>();

/** Lets a stand-in of a server have the server's requests. */
export function shareRequests(standIn: object, server: object): void {
  registries.set(standIn, requestsOf(server));
}

/** Returns the requests of a server: one object for its lifetime. */
export function requestsOf(server: object): Requests {
  let requests = registries.get(server);
  if (requests === undefined) {
    registries.set(server, requests = new Requests(server));
  }
  return requests;
}
