/**
 * The workers of a server.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { checkReadable } from "../handoff/permissions.ts";
import { checkDescriptors } from "../runtime/scarce.ts";
import {
  PoolWorker,
  type PoolWorkerHooks,
  type PoolWorkerInit,
  StartFailure,
  type WorkerLimits,
} from "./pool_worker.ts";

/** How long no worker is started after one that did not start, as long as another runs; arbitrary. */
const PAUSE_MS = 1000;

/** What a pool is made of. */
export interface WorkerPoolOptions extends WorkerLimits {
  /** What each worker is told. */
  readonly init: Omit<PoolWorkerInit, "draining">;
  /** The most workers. */
  readonly maxWorkers: number;
  /** What workers ask of the server. */
  readonly hooks: Omit<PoolWorkerHooks, "onCapacity" | "onExit">;
}

/**
 * Gives each request to the worker that has the fewest. Workers start when they are needed, and one that
 * died is replaced in the same way. A blocking handler has a worker to itself; the rest wait for their turn.
 */
export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #workers = new Set<PoolWorker>();
  readonly #waiting: PromiseWithResolvers<PoolWorker>[] = [];
  #draining = false;
  #closed = false;
  #gone: Promise<unknown> | undefined;
  /** Runs after a worker did not start, until another may be started. */
  #pause: ReturnType<typeof setTimeout> | undefined;

  /** @param options What it is made of. */
  constructor(options: WorkerPoolOptions) {
    this.#options = options;
  }

  /** Runs the handler for a request. */
  async run(request: unknown, clientAddress: Address): Promise<void> {
    for (;;) {
      const worker = this.#acquire() ?? await this.#waitForWorker();
      if (worker.dead) continue;
      try {
        return await worker.run(request, clientAddress);
      } catch (error) {
        if (!(error instanceof StartFailure)) throw error;
        if (!this.#hasRunningWorker) throw error.reason;
      }
    }
  }

  /** Whether a worker has started, and is not gone. */
  get #hasRunningWorker(): boolean {
    return !this.#closed &&
      this.#workers.values().some(({ ready, dead }) => ready && !dead);
  }

  /** A worker for one more request, if there is one. */
  #acquire(): PoolWorker | undefined {
    if (this.#closed) throw closedError();
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

  /** Starts a worker. If that fails, the one that there is has to do. */
  #startBeside(other: PoolWorker | undefined): PoolWorker {
    if (
      other !== undefined && this.#pause !== undefined && this.#hasRunningWorker
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
    const { init, hooks } = this.#options;
    checkReadable(import.meta.url, init.handler.moduleUrl);
    checkDescriptors(import.meta.url, init.handler.moduleUrl);
    const onCapacity = () => this.#dispatch();
    const onExit = (worker: PoolWorker) => {
      this.#workers.delete(worker);
      if (!worker.ready) this.#pauseStarts();
      this.#dispatch();
    };
    const worker = new PoolWorker(
      { ...init, draining: this.#draining },
      { ...hooks, onCapacity, onExit },
      this.#options,
    );
    this.#workers.add(worker);
    return worker;
  }

  /** A worker did not start: for a while none is started beside one that runs. */
  #pauseStarts(): void {
    if (this.#closed || this.#pause !== undefined) return;
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      this.#dispatch();
    }, PAUSE_MS);
    Deno.unrefTimer(this.#pause);
  }

  #waitForWorker(): Promise<PoolWorker> {
    const turn = Promise.withResolvers<PoolWorker>();
    this.#waiting.push(turn);
    return turn.promise;
  }

  /** Gives the workers that are free to those that wait. */
  #dispatch(): void {
    while (this.#waiting.length > 0 && !this.#closed) {
      try {
        const worker = this.#acquire();
        if (worker === undefined) return;
        this.#waiting.shift()!.resolve(worker);
      } catch (error) {
        this.#waiting.shift()!.reject(error); // no worker can be started
      }
    }
  }

  /** Tells all handlers that the server drains. */
  drain(): void {
    this.#draining = true;
    for (const worker of this.#workers) worker.drain();
  }

  /** Ends all workers; resolves when they are gone. */
  close(): Promise<unknown> {
    this.#closed = true;
    clearTimeout(this.#pause);
    for (const turn of this.#waiting.splice(0)) turn.reject(closedError());
    return this.#gone ??= Promise.all(
      Array.from(this.#workers, (worker) => worker.close()),
    );
  }
}

function closedError(): Error {
  return new Error("Cannot run the handler: the server was closed");
}
