/**
 * The pool of workers that accept by themselves, `acceptIn: "workers"`.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { clientOf } from "../requests/active_requests.ts";
import type { Incident } from "../channel/frames.ts";
import { hasRequestSubscribers } from "../requests/observed_request.ts";
import type { AcceptingWorkers } from "../requests/remote_requests.ts";
import type { ConnectionLimits } from "../requests/request_limits.ts";
import { SharedPlaces } from "../requests/shared_places.ts";
import type { AnyServer } from "../stages/event_types.ts";
import { sumOfReports } from "../server/drain.ts";
import type { ServerCloseReport } from "../stages/server_options.ts";
import { resolvesWithin } from "../waiting/promises.ts";
import type { Socket } from "../socket/socket_object.ts";
import { AcceptEvents, closedRequest } from "./accept_events.ts";
import {
  type AcceptCounters,
  addCounters,
  noAccepts,
} from "./accept_record.ts";
import type { WorkerSettings } from "./accepting_runner.ts";
import {
  AcceptingWorker,
  type AcceptingWorkerHooks,
  type AcceptingWorkerInit,
} from "./accepting_worker.ts";
import type { PoolLimits } from "./worker_limits.ts";
import { publishWorker } from "./worker_thread.ts";

/** The milliseconds without a new worker after one that failed to start, or that died before it had a request. Arbitrary. */
const PAUSE_MS = 1000;

/** The milliseconds between two looks for a subscriber to requests. Arbitrary. */
const LOOK_MS = 250;

/** The milliseconds that the first worker waits for the others before it accepts. Arbitrary. */
const OPEN_MS = 1000;

/** The options of a pool. */
export interface AcceptorPoolOptions extends PoolLimits {
  /** The server. */
  readonly server: AnyServer;
  /** The data that each worker starts with. */
  readonly init: Pick<AcceptingWorkerInit, "handler" | "server"> & {
    readonly accept: Pick<AcceptingWorkerInit["accept"], "addr" | "settings">;
  };
  /** The limits of the server. */
  readonly limits: ConnectionLimits;
  /** The calls to the server. */
  readonly hooks: {
    /** Reports that a request has failed or is over a limit. */
    onIncident(incident: Incident, request: Socket): void;
    /** Reports that the worker of a request has died. */
    onDeath(request: Socket, client: Address, error: Error): void;
    /** Calls the server's `shutdown`. */
    shutdown(): Promise<void>;
  };
}

/** Keeps `maxWorkers` workers that accept, and adds up their requests. */
export class AcceptorPool implements AcceptingWorkers {
  #options: AcceptorPoolOptions;
  readonly #places = new SharedPlaces();
  readonly #events: AcceptEvents;
  /** The workers that have not ended. */
  readonly #workers = new Set<AcceptingWorker>();
  /** The counters of the workers that have ended. */
  readonly #ended: AcceptCounters = noAccepts();
  #settings: AcceptingWorkerInit["accept"]["settings"];
  #serving: PromiseWithResolvers<never> | undefined;
  /** Whether the first workers have started. */
  #opened = false;
  #suspended = false;
  /** The workers that drain; undefined before the drain. */
  #draining: AcceptingWorker[] | undefined;
  #startPause: ReturnType<typeof setTimeout> | undefined;
  /** Keeps the process alive while the server serves, and looks for subscribers. */
  #lookTimer: ReturnType<typeof setInterval> | undefined;

  /** @param options The options. */
  constructor(options: AcceptorPoolOptions) {
    this.#options = options;
    this.#settings = {
      ...options.init.accept.settings,
      observed: hasRequestSubscribers(),
    };
    this.#events = new AcceptEvents(options.server);
    this.#places.paused = true;
    this.limit(options.limits);
  }

  /**
   * Lets the workers accept until {@linkcode AcceptorPool.stopAccepting}.
   *
   * @returns Rejects if no worker can start; never resolves.
   */
  serve(): Promise<never> {
    this.#serving = Promise.withResolvers();
    this.#serving.promise.catch(() => {});
    this.#lookTimer ??= setInterval(() => this.#observe(), LOOK_MS);
    this.#fill();
    if (this.#opened) this.#updatePaused();
    else void this.#open();
    return this.#serving.promise;
  }

  /** Lets the first workers accept together: the first of them alone would take all clients that wait. */
  async #open(): Promise<void> {
    const starts = Array.from(this.#workers, (worker) => worker.started());
    await Promise.any(starts).catch(() => {});
    await resolvesWithin(Promise.allSettled(starts), OPEN_MS);
    this.#opened = true;
    this.#updatePaused();
  }

  /** Stops accepting. The open requests go on. */
  stopAccepting(): void {
    this.#serving = undefined;
    this.#updatePaused();
  }

  suspend(suspended: boolean): void {
    this.#suspended = suspended;
    this.#updatePaused();
  }

  #updatePaused(): void {
    this.#places.paused = this.#suspended || this.#draining !== undefined ||
      this.#serving === undefined || !this.#opened;
  }

  /** Tells the workers whether somebody listens to requests. Lets the process end once the server no longer serves. */
  #observe(): void {
    const observed = hasRequestSubscribers();
    if (observed !== this.#settings.observed) this.#set({ observed });
    if (this.#serving !== undefined || this.size > 0) return;
    clearInterval(this.#lookTimer);
    this.#lookTimer = undefined;
  }

  #set(settings: WorkerSettings): void {
    this.#settings = { ...this.#settings, ...settings };
    for (const worker of this.#workers) worker.set(settings);
  }

  /** Starts workers until there are enough. */
  #fill(): void {
    if (this.#serving === undefined || this.#draining !== undefined) return;
    if (this.#startPause !== undefined) return;
    try {
      while (this.#workers.size < this.#options.maxWorkers) this.#start();
    } catch (error) {
      this.#startFailed(error);
    }
  }

  #start(): void {
    const { server, init } = this.#options;
    const accept = {
      ...init.accept,
      places: this.#places.memory,
      thread: this.#freeThread(),
      settings: this.#settings,
    };
    const worker = new AcceptingWorker(
      { ...init, accept },
      this.#hooks(),
      this.#options,
    );
    this.#workers.add(worker);
    worker.started().catch((reason) => this.#startFailed(reason));
    publishWorker(server, worker);
  }

  /** Returns the lowest number of a thread that no worker has. This thread is 0. */
  #freeThread(): number {
    const workers = [...this.#workers];
    let free = 1;
    while (workers.some(({ places }) => places.thread === free)) free++;
    return free;
  }

  #hooks(): AcceptingWorkerHooks {
    const { onIncident, shutdown } = this.#options.hooks;
    return {
      onReady: (worker) => worker.set(this.#settings),
      onLeave: (worker) => this.#onLeave(worker),
      onDeath: (worker, error, cause) => this.#onDeath(worker, error, cause),
      onIncident: (incident) =>
        onIncident(incident, closedRequest(incident.clientAddress)),
      onEvent: (worker, event) => this.#events.publish(worker, event),
      shutdown,
    };
  }

  /** Ends the serving if no worker accepts, or tries again later. */
  #startFailed(reason: unknown): void {
    if (this.#draining !== undefined) return;
    if (this.#workers.values().some(({ ready }) => ready)) this.#pauseStarts();
    else this.#serving?.reject(reason);
  }

  #pauseStarts(): void {
    if (this.#draining !== undefined) return;
    this.#startPause ??= setTimeout(() => {
      this.#startPause = undefined;
      this.#fill();
    }, PAUSE_MS);
  }

  #onLeave(worker: AcceptingWorker): void {
    if (!worker.used) this.#pauseStarts();
  }

  /** Gives back the places of a worker that has died, and reports its requests. Another worker replaces it. */
  #onDeath(worker: AcceptingWorker, error: Error, cause?: Error): void {
    const { clients, counters, lastClient } = worker.record;
    const { held } = worker.places;
    this.#workers.delete(worker);
    counters[worker.givenUp ? "forced" : "failed"] += held;
    addCounters(this.#ended, counters);
    this.#events.end(worker, worker.givenUp ? undefined : error);
    worker.places.giveAll();
    this.#fill();
    if (worker.givenUp) return;
    const report = (client: Address) =>
      this.#options.hooks.onDeath(closedRequest(client), client, error);
    if (held === 0 && cause !== undefined && lastClient !== undefined) {
      report(lastClient);
    }
    for (const client of clients) report(client);
  }

  get size(): number {
    return this.#places.taken;
  }

  get idle(): number {
    return this.#workers.values()
      .reduce((sum, { record }) => sum + record.idle, 0);
  }

  get clients(): string[] {
    return [...this.#workers].flatMap(({ record }) => record.clients)
      .map((client) => clientOf(client) ?? "");
  }

  get counters(): AcceptCounters {
    const sum = { ...this.#ended };
    for (const { record } of this.#workers) addCounters(sum, record.counters);
    return sum;
  }

  changed(done: () => boolean): Promise<void> {
    return this.#places.changed(done);
  }

  limit({ maxConnections, maxConnectionsPolicy }: ConnectionLimits): void {
    this.#places.limit(maxConnections, maxConnectionsPolicy === "reject");
  }

  /** Changes the limits of the workers, for those that start from now on, and starts more if there may be more. */
  limitWorkers(limits: PoolLimits): void {
    this.#options = { ...this.#options, ...limits };
    this.#fill();
  }

  limitTime(limits: WorkerSettings): void {
    this.#set(limits);
  }

  drain(): void {
    if (this.#draining !== undefined) return;
    this.#draining = [...this.#workers];
    clearTimeout(this.#startPause);
    this.#updatePaused();
    for (const worker of this.#draining) worker.drain();
  }

  async giveUp(): Promise<ServerCloseReport> {
    const reports = this.#draining!.map((worker) => worker.giveUp());
    return sumOfReports(await Promise.all(reports));
  }

  /** Ends the workers. Resolves when they have exited. */
  async close(): Promise<void> {
    this.drain();
    clearInterval(this.#lookTimer);
    await Promise.all(Array.from(this.#workers, (worker) => worker.close()));
  }
}
