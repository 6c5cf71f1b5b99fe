/**
 * The pool of workers of a server.
 *
 * @module
 */

import type { ExpiredRequests } from "../requests/remote_requests.ts";
import { Queue } from "../base/queue.ts";
import type { Address } from "../base/address.ts";
import { setUnrefTimeout } from "../waiting/timeouts.ts";
import { settleReads } from "../waiting/turns.ts";
import type { AnyServer } from "../stages/event_types.ts";
import {
  PoolWorker,
  type PoolWorkerHooks,
  type PoolWorkerInit,
} from "./pool_worker.ts";
import { publishWorker, StartFailure } from "./worker_thread.ts";
import { serverClosedError } from "./pool_errors.ts";
import type { PoolLimits } from "./worker_limits.ts";

/** The milliseconds without a new worker after one that failed to start, while another runs. Arbitrary. */
const PAUSE_MS = 1000;

/** The options of a pool. */
export interface WorkerPoolOptions extends PoolLimits {
  /** The server, for the events of the workers. */
  readonly server: AnyServer;
  /** The data that each worker starts with. */
  readonly init: Omit<PoolWorkerInit, "draining">;
  /** The calls that workers make to the server. */
  readonly hooks: Omit<PoolWorkerHooks, "onCapacity" | "onLeave">;
}

/** A request that waits for a worker. */
interface QueuedRequest {
  readonly request: unknown;
  readonly turn: PromiseWithResolvers<PoolWorker>;
  /** Takes the request out of the queue. */
  leave?: () => boolean;
}

/**
 * Gives each request to an idle worker, or starts one, or else takes the worker with the fewest requests. A worker that
 * died is replaced in the same way. A blocking handler has a worker to itself; other requests wait for a free one.
 */
export class WorkerPool {
  #options: WorkerPoolOptions;
  readonly #workers = new Set<PoolWorker>();
  readonly #waiting = new Queue<QueuedRequest>();
  #draining = false;
  #closed = false;
  #gone: Promise<unknown> | undefined;
  /** Set after a worker failed to start, until another may start. */
  #startPause: ReturnType<typeof setTimeout> | undefined;

  /** @param options The options. */
  constructor(options: WorkerPoolOptions) {
    this.#options = options;
  }

  /** Runs the handler for a request in a worker. Returns whether the drain has ended the handler's wait between two messages. */
  async run(request: unknown, clientAddress: Address): Promise<boolean> {
    for (;;) {
      const worker = this.#acquire() ?? await this.#waitForWorker(request);
      if (worker.leaving) continue;
      try {
        return await worker.run(request, clientAddress);
      } catch (error) {
        if (!(error instanceof StartFailure)) throw error;
        if (!this.#hasRunningWorker) throw error.reason;
      }
    }
  }

  /** Whether a worker runs that has started. */
  get #hasRunningWorker(): boolean {
    return !this.#closed &&
      this.#workers.values().some(({ ready, leaving }) => ready && !leaving);
  }

  /** Returns a worker for one more request; undefined if the request has to wait. */
  #acquire(): PoolWorker | undefined {
    if (this.#closed) throw serverClosedError();
    let best: PoolWorker | undefined;
    for (const worker of this.#workers) {
      if (best === undefined || worker.load < best.load) best = worker;
    }
    const { maxWorkers, init } = this.#options;
    if (best?.load !== 0 && this.#workers.size < maxWorkers) {
      best = this.#startBeside(best);
    }
    if (init.blocking && best!.load > 0) return undefined;
    best!.load++;
    return best;
  }

  /** Starts a worker. Returns `other` if that fails, or while starts are paused. */
  #startBeside(other: PoolWorker | undefined): PoolWorker {
    if (
      other !== undefined && this.#startPause !== undefined &&
      this.#hasRunningWorker
    ) {
      return other;
    }
    try {
      return this.#start();
    } catch (error) {
      this.#pauseStarts();
      if (other === undefined) throw error;
      return other;
    }
  }

  #start(): PoolWorker {
    const { server, init, hooks } = this.#options;
    const onCapacity = () => this.#dispatch();
    const onLeave = (worker: PoolWorker) => {
      this.#workers.delete(worker);
      if (!worker.ready) this.#pauseStarts();
      this.#dispatch();
    };
    const worker = new PoolWorker(
      { ...init, draining: this.#draining },
      { ...hooks, onCapacity, onLeave },
      this.#options,
    );
    this.#workers.add(worker);
    publishWorker(server, worker);
    return worker;
  }

  /** Starts no worker for a while, after one that failed to start. */
  #pauseStarts(): void {
    if (this.#closed || this.#startPause !== undefined) return;
    this.#startPause = setUnrefTimeout(() => {
      this.#startPause = undefined;
      this.#dispatch();
    }, PAUSE_MS);
  }

  #waitForWorker(request: unknown): Promise<PoolWorker> {
    const turn = Promise.withResolvers<PoolWorker>();
    const queued: QueuedRequest = { request, turn };
    queued.leave = this.#waiting.push(queued);
    return turn.promise;
  }

  /**
   * Changes the limits, for workers that start from now on. Workers beyond `maxWorkers` end when they have no request.
   */
  limit(limits: PoolLimits): void {
    this.#options = { ...this.#options, ...limits };
    this.#dispatch();
  }

  /** Ends workers beyond `maxWorkers` that have no request. */
  #retire(): void {
    let surplus = this.#workers.size - this.#options.maxWorkers;
    for (const worker of [...this.#workers]) {
      if (surplus <= 0) return;
      if (!worker.vacant) continue;
      surplus--;
      void worker.close();
    }
  }

  /** Ends workers that are too many, and gives free ones to the requests that wait. */
  #dispatch(): void {
    this.#retire();
    while (this.#waiting.first !== undefined && !this.#closed) {
      try {
        const worker = this.#acquire();
        if (worker === undefined) return;
        this.#waiting.shift()!.turn.resolve(worker);
      } catch (error) {
        this.#waiting.shift()!.turn.reject(error); // no worker can start
      }
    }
  }

  /** Ends requests whose time is up, also those that wait for a worker: it may compute without an end. */
  expire(expired: ExpiredRequests): void {
    for (const worker of this.#workers) worker.expire(expired);
    for (const { request, turn, leave } of [...this.#waiting]) {
      const error = expired.get(request);
      if (error !== undefined && leave!()) turn.reject(error);
    }
  }

  /** Does nothing: the bytes of all connections pass through the server. */
  limitIdle(): void {}

  /** The number of handlers that wait between two messages. */
  get idle(): number {
    return this.#workers.values().reduce((sum, { idle }) => sum + idle, 0);
  }

  /**
   * Tells all handlers that the server shuts down. Their waits between two messages end after the bytes that have arrived
   * are on their way to the workers.
   */
  async drain(): Promise<void> {
    this.#draining = true;
    for (const worker of this.#workers) worker.drain();
    await settleReads();
    for (const worker of this.#workers) worker.endIdle();
  }

  /** Terminates all workers. Resolves when they have exited. */
  close(): Promise<unknown> {
    this.#closed = true;
    clearTimeout(this.#startPause);
    for (let queued; (queued = this.#waiting.shift()) !== undefined;) {
      queued.turn.reject(serverClosedError());
    }
    return this.#gone ??= Promise.all(
      Array.from(this.#workers, (worker) => worker.close()),
    );
  }
}
