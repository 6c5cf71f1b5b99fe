/**
 * The pool of child processes of a server.
 *
 * @module
 */

import { Queue } from "../base/queue.ts";
import type { Address } from "../base/address.ts";
import {
  checkTime,
  type ExpiredRequests,
} from "../requests/remote_requests.ts";
import { type Job, jobFor } from "./child_job.ts";
import type { AnyServer } from "../stages/event_types.ts";
import { publishChild } from "./child_events.ts";
import { ChildSurvey } from "./child_survey.ts";
import { launch } from "./launch_child.ts";
import type { JobEnd } from "./child_request.ts";
import { NotPassedError } from "./child_lifetime.ts";
import { settleReads } from "../waiting/turns.ts";
import type { AcceptingChildHooks } from "./accepting_child.ts";
import { PoolChild, type PoolChildOptions } from "./pool_child.ts";
import { ConcurrencyLimit, SHORT_REQUEST_MS } from "./concurrency_limit.ts";
import type { LaunchOptions } from "./forking_options.ts";

/**
 * The milliseconds for which requests fail with the same error after a child could not load its module, so that a
 * broken module does not cost the start of a process for each request. Arbitrary.
 */
const RETRY_MS = 1000;

/** The options of a pool. */
export interface ChildPoolOptions extends
  Omit<
    PoolChildOptions,
    "init" | "moduleUrl" | "shutdown" | "onLimit" | "accepts"
  > {
  /** The most children at a time. */
  maxChildren: number;
}

/** The calls that a pool makes for children that accept, and for their connections. */
export interface PoolHooks extends AcceptingChildHooks {
  /** Called when a child has ended. */
  exited(child: PoolChild): void;
  /** Called when `maxConnections` or the suspension of the server may have changed. */
  changeAccepts(): void;
  /** Resolves when all connections that children have accepted until now are known. */
  settled(): Promise<void>;
}

/** The server of a pool. */
export interface ChildPoolServer {
  /** The server itself, for the events of the children. */
  readonly server: AnyServer;
  /** The options of each start of a child. */
  readonly launch: LaunchOptions;
  /** Returns the first message to a child. */
  readonly init: () => PoolChildOptions["init"];
  /** Stops the loop of the server. */
  readonly shutdown: () => Promise<void>;
  /** Accepts in the children; undefined if the server accepts. */
  readonly accepts?: PoolHooks;
  /** Called when a request is over a limit that its child looks after. */
  readonly onLimit: PoolChildOptions["onLimit"];
}

/** A request that waits for a child. */
interface QueuedJob {
  readonly job: Job;
  readonly ended: PromiseWithResolvers<JobEnd>;
  /** Takes the request out of the queue. */
  leave?: () => boolean;
}

/**
 * Starts children when requests need them, and gives each request to the least busy one. Requests wait in the pool and
 * not in a child, so that a child that is stopped or computes holds up no other request.
 */
export class ChildPool {
  readonly #server: ChildPoolServer;
  readonly #children = new Set<PoolChild>();
  readonly #waiting = new Queue<QueuedJob>();
  readonly #limit = new ConcurrencyLimit();
  #slowing = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failed: { error: unknown; until: number } | undefined;
  #draining = false;
  /** Whether the waits of handlers between two messages have ended for good. */
  #idleOver = false;
  #closed = false;
  /** The pids of the children; null before the first one starts. */
  pids: Set<number> | null = null;
  #options: ChildPoolOptions;

  /**
   * @param server The server.
   * @param options The options of the pool.
   */
  constructor(
    server: ChildPoolServer,
    options: ChildPoolOptions,
  ) {
    this.#server = server;
    this.#options = options;
  }

  /** The options. They may change at any time; running children keep those that they started with. */
  get options(): ChildPoolOptions {
    return this.#options;
  }

  set options(options: ChildPoolOptions) {
    this.#options = options;
    this.#retire();
    this.#dispatch(); // the new limits may allow another child
  }

  /**
   * Runs a request in a child. Rejects with the error of the handler, or with the reason why there is no child.
   *
   * @returns Whether the drain has ended the wait of the handler between two messages.
   */
  async run(request: unknown, client: Address): Promise<boolean> {
    checkTime(request);
    this.#server.accepts?.balance();
    const job = jobFor(request, client, this.#server.launch.permissions);
    try {
      if (this.#closed) throw closedError();
      const { ms, idle } = await this.#serve(job);
      this.#limit.record(ms);
      return idle;
    } catch (error) {
      job.socket?.destroy();
      throw error;
    } finally {
      this.#retire();
      this.#dispatch();
    }
  }

  /** Records that a request took `ms` milliseconds whose connection a child has accepted. */
  record(ms: number): void {
    this.#limit.record(ms);
  }

  #queue(job: Job): Promise<JobEnd> {
    const queued: QueuedJob = { job, ended: Promise.withResolvers() };
    queued.leave = this.#waiting.push(queued);
    this.#dispatch();
    return queued.ended.promise;
  }

  /** Has a child run a request, or another one if the first was killed before it could get it. */
  async #serve(job: Job): Promise<JobEnd> {
    try {
      return await this.#queue(job);
    } catch (error) {
      if (this.#closed || !(error instanceof NotPassedError)) throw error;
      checkTime(job.request);
      return await this.#queue(job);
    }
  }

  /** Gives the waiting requests, in order, to children that can take one. */
  readonly #dispatch = (): void => {
    while (this.#waiting.first !== undefined) {
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

  /** Returns the child for the next request, or the reason why there is none; undefined if the request has to wait. */
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

  /** Dispatches again once the requests under way count as long. */
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

  /** The reason why the last child could not start, while that is recent. */
  get #failure(): unknown {
    for (const { failure } of this.#children) {
      if (failure !== undefined) return failure;
    }
    const failed = this.#failed;
    return failed && failed.until > Date.now() ? failed.error : undefined;
  }

  /**
   * Returns an idle child, a new one, or the least busy one; undefined if the request has to wait. A child that has not
   * acknowledged its last request gets no other. No child is started while as many are starting as there are
   * processors: a start takes 50 ms of a processor, as much as hundreds of short requests. Nor is one started soon after
   * one has failed to start.
   */
  #pick(): PoolChild | undefined {
    const accepts = this.#server.accepts !== undefined;
    const found = new ChildSurvey(this.#children, accepts);
    const { best, settled, spare, hoped, open, starting, short } = found;
    this.#slowing = hoped || this.#limit.isReached(short);
    if (this.#slowing) return;
    if (best?.load === 0) return best;
    if (spare !== undefined) return settled ?? spare;
    const failure = this.#failure;
    if (failure !== undefined && open === 0) throw failure;
    const enough = failure !== undefined ||
      open > 0 && starting >= navigator.hardwareConcurrency;
    if (this.#children.size >= this.#options.maxChildren) return best;
    if (enough) {
      if (!accepts || starting === 0) return best;
      this.#slowing = settled === undefined; // the others may compute, and could not have reported the request that does
      return settled;
    }
    return open === 0 ? this.#fork() : this.#tryFork() ?? best;
  }

  /** Returns a new child; undefined if it cannot start, as the running ones go on. */
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
    const { launch: how, init, shutdown, onLimit, accepts } = this.#server;
    const { moduleUrl } = how;
    const own = { init: init(), moduleUrl, shutdown, onLimit, accepts };
    const options = { ...this.#options, ...own };
    const child = new PoolChild(launch(how), options, this.#dispatch);
    this.#children.add(child);
    if (this.#draining) child.drain();
    if (this.#idleOver) child.endIdle();
    const { pid } = child;
    this.pids ??= new Set();
    if (pid !== undefined) this.pids.add(pid);
    publishChild(this.#server.server, child);
    child.exited.then(() => this.#remove(child, pid));
    return child;
  }

  #remove(child: PoolChild, pid: number | undefined): void {
    this.#children.delete(child);
    if (pid !== undefined) this.pids!.delete(pid);
    if (child.failure !== undefined) this.#noteFailure(child.failure);
    this.#dispatch();
    if (!this.#closed) this.#server.accepts?.exited(child);
  }

  /** The children that run. */
  get children(): Iterable<PoolChild> {
    return this.#children;
  }

  /**
   * Starts children until `count` are open. Returns false if one could not start, a second ago at most; then none is
   * started.
   */
  grow(count: number): boolean {
    const open = () =>
      [...this.#children].filter(({ answers }) => answers).length;
    while (!this.#closed && open() < count) {
      if (this.#children.size >= this.#options.maxChildren) break;
      if (this.#failure !== undefined || this.#tryFork() === undefined) {
        return false;
      }
    }
    return true;
  }

  /** Ends idle children beyond the most. */
  #retire(): void {
    const open = [...this.#children].filter((child) => child.open);
    let surplus = open.length - this.#options.maxChildren;
    for (const child of open) {
      if (surplus <= 0) return;
      if (!child.ready || child.load > 0) continue;
      surplus--;
      child.leave();
    }
  }

  /** Resolves when all children that run now have exited. */
  async exited(): Promise<void> {
    await Promise.all([...this.#children].map((child) => child.exited));
  }

  /** Ends requests whose time is up. */
  expire(expired: ExpiredRequests): void {
    for (const child of this.#children) child.expire(expired);
    for (const { job, ended, leave } of [...this.#waiting]) {
      const error = expired.get(job.request);
      if (error !== undefined && leave!()) ended.reject(error);
    }
  }

  /** Sets the seconds that a connection of a child may be idle. */
  limitIdle(seconds: number | null): void {
    for (const child of this.#children) child.limitIdle(seconds);
  }

  /** Looks at `maxConnections` and at whether the server is suspended, if the children accept. */
  changeAccepts(): void {
    this.#server.accepts?.changeAccepts();
  }

  /** Resolves when all connections that children have accepted until now are known. */
  settled(): Promise<void> | undefined {
    return this.#server.accepts?.settled();
  }

  /** The number of handlers that wait between two messages. */
  get idle(): number {
    return this.#children.values().reduce((sum, { idle }) => sum + idle, 0);
  }

  /**
   * Tells all children that the server shuts down, also those that start later. Their waits between two messages end after
   * the bytes that have arrived are on their way to the children.
   */
  async drain(): Promise<void> {
    this.#draining = true;
    for (const child of this.#children) child.drain();
    await settleReads();
    this.#idleOver = true;
    for (const child of this.#children) child.endIdle();
  }

  /**
   * Takes no further request, and ends all children, idle ones at once.
   *
   * @param force Whether to kill children that have requests and to reject waiting requests. Otherwise they run to
   *   their end.
   */
  close(force: boolean): void {
    this.#closed = true;
    if (force) {
      for (let job; (job = this.#waiting.shift()) !== undefined;) {
        job.ended.reject(closedError());
      }
      for (const child of this.#children) {
        if (child.load > 0 || !child.accepting.settled) {
          child.kill("the server was closed", "closed");
        }
      }
    }
    this.#dispatch();
  }

  #leave(): void {
    for (const child of this.#children) child.leave("closed");
  }
}

function closedError(): Error {
  return new Error("Cannot fork: the server is closed");
}
