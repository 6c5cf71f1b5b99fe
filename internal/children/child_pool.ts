/**
 * The child processes of a server.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { type Job, jobFor } from "./job.ts";
import { launch } from "./launch.ts";
import { PoolChild, type PoolChildOptions } from "./pool_child.ts";
import { ConcurrencyLimit, SHORT_REQUEST_MS } from "./concurrency_limit.ts";
import type { LaunchOptions } from "./forking_options.ts";

/**
 * How long, in ms, requests are refused with the same error after a child could not load its
 * module: arbitrary, so that a broken module does not cost a process start per request.
 */
const RETRY_MS = 1000;

/** How a pool is run. */
export interface ChildPoolOptions extends Omit<PoolChildOptions, "init"> {
  /** The most children at a time. */
  maxChildren: number;
}

/** A request that waits for a child, or is with one. */
interface QueuedJob {
  readonly job: Job;
  readonly ended: PromiseWithResolvers<number>;
}

/**
 * Starts children when requests need them, and gives each request to the one that has the least to do. Requests wait
 * here, and not with a child: one that is stopped, or computes, takes nothing from the others.
 */
export class ChildPool {
  readonly #launch: LaunchOptions;
  readonly #init: () => PoolChildOptions["init"];
  readonly #children = new Set<PoolChild>();
  readonly #waiting: QueuedJob[] = [];
  readonly #limit = new ConcurrencyLimit();
  #slowing = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failed: { error: unknown; until: number } | undefined;
  #draining = false;
  #closed = false;
  /** The numbers of the children; null before the first was started. */
  pids: Set<number> | null = null;
  #options: ChildPoolOptions;

  /**
   * @param launch What to start.
   * @param init What a child hears first.
   * @param options How to run it.
   */
  constructor(
    launch: LaunchOptions,
    init: () => PoolChildOptions["init"],
    options: ChildPoolOptions,
  ) {
    this.#launch = launch;
    this.#init = init;
    this.#options = options;
  }

  /** May be changed at any time; children that run keep what they were started with. */
  get options(): ChildPoolOptions {
    return this.#options;
  }

  set options(options: ChildPoolOptions) {
    this.#options = options;
    this.#dispatch(); // there may be room for another child
  }

  /** Runs a request in a child. Rejects with what the handler threw, or why there is no child. */
  async run(request: unknown, client: Address): Promise<void> {
    const job = jobFor(request, client, this.#launch.permissions);
    try {
      if (this.#closed) throw closedError();
      this.#limit.record(await this.#queue(job));
    } catch (error) {
      job.socket?.destroy();
      throw error;
    } finally {
      this.#dispatch();
    }
  }

  #queue(job: Job): Promise<number> {
    const queued = { job, ended: Promise.withResolvers<number>() };
    this.#waiting.push(queued);
    this.#dispatch();
    return queued.ended.promise;
  }

  /** Gives the requests that wait, in their order, to children that can take one. */
  readonly #dispatch = (): void => {
    while (this.#waiting.length > 0) {
      const next = this.#next();
      if (next === undefined) return;
      const { job, ended } = this.#waiting.shift()!;
      if (next instanceof PoolChild) {
        next.run(job).then(ended.resolve, ended.reject);
      } else ended.reject(next.failure);
    }
    this.#stopTimer();
    if (this.#closed) this.#leave();
  };

  /** The child for the next request, or why there is none; nothing where the request is to wait. */
  #next(): PoolChild | { failure: unknown } | undefined {
    let child: PoolChild | undefined;
    try {
      child = this.#pick();
    } catch (failure) {
      return { failure };
    }
    if (child === undefined && this.#slowing) this.#setTimer();
    return child;
  }

  /** Looks again when those that are busy are not quick any more. */
  #setTimer(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#dispatch();
    }, SHORT_REQUEST_MS);
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Why the last child that was to start could not be made ready, while that is fresh. */
  get #failure(): unknown {
    for (const { failure } of this.#children) {
      if (failure !== undefined) return failure;
    }
    const failed = this.#failed;
    return failed && failed.until > Date.now() ? failed.error : undefined;
  }

  /**
   * An idle child, a new one, or the least busy; none where the request is to wait, as for a child that has not taken
   * its last request yet. While as many start as there are processors, no more are started: that takes 50 ms of one,
   * as much as hundreds of short requests. Nor are they after one has failed to start: those that run go on.
   */
  #pick(): PoolChild | undefined {
    let best: PoolChild | undefined;
    let open = 0;
    let starting = 0;
    let quick = 0;
    const slow = performance.now() - SHORT_REQUEST_MS;
    for (const child of this.#children) {
      if (!child.open || child.pid === undefined) continue;
      open++;
      if (!child.ready) starting++;
      else if (child.load > 0 && child.moved > slow) quick++;
      if (!child.free) continue;
      if (best === undefined || child.load < best.load) best = child;
    }
    this.#slowing = this.#limit.isReached(quick);
    if (this.#slowing) return;
    if (best?.load === 0) return best;
    const failure = this.#failure;
    if (failure !== undefined && open === 0) throw failure;
    const enough = failure !== undefined ||
      open > 0 && starting >= navigator.hardwareConcurrency;
    if (enough || this.#children.size >= this.#options.maxChildren) return best;
    return open === 0 ? this.#fork() : this.#tryFork() ?? best;
  }

  /** A new child, unless it cannot be started: those that run go on. */
  #tryFork(): PoolChild | undefined {
    try {
      const child = this.#fork();
      return child.pid === undefined ? undefined : child;
    } catch (error) {
      this.#noteFailure(error);
      return undefined;
    }
  }

  #noteFailure(error: unknown): void {
    this.#failed = { error, until: Date.now() + RETRY_MS };
  }

  #fork(): PoolChild {
    const options = { ...this.#options, init: this.#init() };
    const child = new PoolChild(launch(this.#launch), options, this.#dispatch);
    this.#children.add(child);
    if (this.#draining) child.drain();
    const { pid } = child;
    this.pids ??= new Set();
    if (pid !== undefined) this.pids.add(pid);
    child.exited.then(() => this.#remove(child, pid));
    return child;
  }

  #remove(child: PoolChild, pid: number | undefined): void {
    this.#children.delete(child);
    if (pid !== undefined) this.pids!.delete(pid);
    if (child.failure !== undefined) this.#noteFailure(child.failure);
    this.#dispatch();
  }

  /** Resolves when all children have ended that run now. */
  async exited(): Promise<void> {
    await Promise.all([...this.#children].map((child) => child.exited));
  }

  /** Tells all children that the server drains, those too that are yet to start. */
  drain(): void {
    this.#draining = true;
    for (const child of this.#children) child.drain();
  }

  /**
   * Takes no further request and ends all children: those with nothing to do at once.
   *
   * @param force Whether to kill those that have requests and refuse the requests that wait, or to leave both to end
   *   by themselves.
   */
  close(force: boolean): void {
    this.#closed = true;
    if (force) {
      for (const { ended } of this.#waiting.splice(0)) {
        ended.reject(closedError());
      }
      for (const child of this.#children) {
        if (child.load > 0) child.kill("the server was closed");
      }
    }
    this.#dispatch();
  }

  #leave(): void {
    for (const child of this.#children) child.leave();
  }
}

function closedError(): Error {
  return new Error("Cannot fork: the server is closed");
}
