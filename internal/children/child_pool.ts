/**
 * The pool of child processes of a server: which child runs a request, and which requests wait.
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
import {
  ChildSurvey,
  ConcurrencyLimit,
  SHORT_REQUEST_MS,
} from "./child_survey.ts";
import type { JobEnd } from "./child_request.ts";
import { NotPassedError } from "./child_lifetime.ts";
import type { PoolChild } from "./pool_child.ts";
import {
  type ChildPoolOptions,
  type ChildPoolServer,
  RunningChildren,
} from "./running_children.ts";

/** A request that waits for a child. */
interface QueuedJob {
  readonly job: Job;
  readonly ended: PromiseWithResolvers<JobEnd>;
  /** Takes the request out of the queue. */
  leave?: () => boolean;
  /** The number of children that had been started when the request was charged with one that was killed before it was ready. */
  chargedAt?: number;
}

/**
 * Starts children when requests need them, and gives each request to the least busy one. Requests wait in the pool and
 * not in a child, so that a child that starts, is stopped or computes holds up no other request.
 */
export class ChildPool {
  /** The children that run. */
  readonly children: RunningChildren;
  readonly #server: ChildPoolServer;
  readonly #waiting = new Queue<QueuedJob>();
  readonly #limit = new ConcurrencyLimit();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  /**
   * @param server The server.
   * @param options The options of the pool.
   */
  constructor(server: ChildPoolServer, options: ChildPoolOptions) {
    this.#server = server;
    this.children = new RunningChildren(server, options, {
      onCapacity: this.#dispatch,
      onStartKilled: (...killed) => this.#noteKilledStart(...killed),
    });
  }

  /** Sets the options. Running children keep those that they started with. */
  setOptions(options: ChildPoolOptions): void {
    this.children.options = options;
    this.children.retire();
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
      this.children.retire();
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

  /** Gives the waiting requests, in order, to children that can take one, or fails them if there is no child. */
  readonly #dispatch = (): void => {
    while (this.#waiting.first !== undefined) {
      let child: PoolChild | undefined;
      try {
        child = this.#pick();
      } catch (error) {
        this.#waiting.shift()!.ended.reject(error);
        continue;
      }
      if (child === undefined) return this.children.setAwaited(true);
      const { job, ended } = this.#waiting.shift()!;
      child.run(job).then(ended.resolve, ended.reject);
    }
    this.children.setAwaited(false);
    this.children.retire();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#closed) this.children.leave();
  };

  /** Dispatches again once the requests under way count as long, and a child may have answered. */
  #lookAgainSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#dispatch();
    }, SHORT_REQUEST_MS);
  }

  /**
   * Charges a child that was killed before it was ready to one of the waiting requests. If each has had one, fails the
   * first that had one before this child was started: children that are killed together cost a request no more than one.
   */
  #noteKilledStart(error: unknown, number: number): void {
    const { starts } = this.children;
    for (const queued of this.#waiting) {
      if (queued.chargedAt !== undefined) continue;
      queued.chargedAt = starts;
      return;
    }
    for (const { chargedAt, ended, leave } of this.#waiting) {
      if (chargedAt! >= number) continue;
      leave!();
      return ended.reject(error);
    }
  }

  /**
   * The most children that start at a time: one for each processor, because a start takes 50 ms of a processor, as much as
   * hundreds of short requests. There is no such limit if each request needs a start anyway.
   */
  get #startsMax(): number {
    const { requestsPerChild } = this.children.options;
    return requestsPerChild === 1 ? Infinity : navigator.hardwareConcurrency;
  }

  /**
   * Returns an idle child, or the least busy one; undefined if the request has to wait. A child that has not acknowledged
   * its last request gets no other. Starts children if all are busy, but no more than requests wait, and none soon after one
   * has failed to start.
   */
  #pick(): PoolChild | undefined {
    const { children } = this;
    const accepts = this.#server.accepts !== undefined;
    const found = new ChildSurvey(children, accepts);
    const { best, bestResponsive, open, starting } = found;
    if (found.idleProbed || this.#limit.isReached(found.busyBriefly)) {
      this.#lookAgainSoon();
      return undefined;
    }
    if (best?.load === 0) return best;
    if (!this.#waitMoreThan(starting)) {
      return accepts ? bestResponsive : undefined;
    }
    const { failure } = children;
    if (failure !== undefined && open === 0) throw failure;
    if (children.full) return best;
    if (failure === undefined && starting < this.#startsMax) {
      return this.#startAnother(found);
    }
    const next = accepts && starting > 0 ? bestResponsive : best;
    const unheard = accepts || failure !== undefined; // the others may compute, and nothing tells that the failure is over
    if (next === undefined && unheard) this.#lookAgainSoon();
    return next;
  }

  /** Starts a child and picks one again; picks the least busy one if no child can start. */
  #startAnother({ open, best }: ChildSurvey): PoolChild | undefined {
    const { children } = this;
    const child = open === 0 ? children.start() : children.tryStart();
    if (child?.pid !== undefined) return this.#pick();
    if (best === undefined) this.#lookAgainSoon();
    return best;
  }

  /** Reports whether more than `count` requests wait. */
  #waitMoreThan(count: number): boolean {
    return Iterator.from(this.#waiting).drop(count).next().done !== true;
  }

  /** Ends requests whose time is up. */
  expire(expired: ExpiredRequests): void {
    for (const child of this.children) child.requests.expire(expired);
    for (const { job, ended, leave } of [...this.#waiting]) {
      const error = expired.get(job.request);
      if (error !== undefined && leave!()) ended.reject(error);
    }
  }

  /** Sets the seconds that a connection of a child may be idle. */
  limitIdle(idleTimeout: number | null): void {
    for (const child of this.children) {
      child.tell({ type: "limitIdle", idleTimeout });
    }
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
    let idle = 0;
    for (const { requests } of this.children) idle += requests.idle;
    return idle;
  }

  /** Tells the handlers in the children that the server shuts down. */
  drain(): Promise<void> {
    return this.children.drain();
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
    }
    this.children.close(force);
    this.#dispatch();
  }
}

/** Creates the error of a request that comes after the close of its server. */
export function closedError(): Error {
  return new Error("Cannot fork: the server is closed");
}
