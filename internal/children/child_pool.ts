/**
 * The child processes of a server.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { type Job, jobFor } from "./job.ts";
import { launch } from "./launch.ts";
import { Member, type MemberOptions } from "./pool_child.ts";
import { Pace, SLOW_MS } from "./pace.ts";
import type { LaunchOptions } from "./forking_options.ts";

/**
 * How long, in ms, requests are refused with the same error after a child could not load its
 * module: arbitrary, so that a broken module does not cost a process start per request.
 */
const RETRY_MS = 1000;

/** How a pool is run. */
export interface PoolOptions extends Omit<MemberOptions, "init"> {
  /** The most children at a time. */
  maxChildren: number;
}

/** A request that waits for a child, or is with one. */
interface Turn {
  readonly job: Job;
  readonly ended: PromiseWithResolvers<number>;
}

/**
 * Starts children when requests need them, and gives each request to the one that has the least to do. Requests wait
 * here, and not with a child: one that is stopped, or computes, takes nothing from the others.
 */
export class ProcessPool {
  readonly #launch: LaunchOptions;
  readonly #init: () => MemberOptions["init"];
  readonly #members = new Set<Member>();
  readonly #waiting: Turn[] = [];
  readonly #pace = new Pace();
  #slowing = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failed: { error: unknown; until: number } | undefined;
  #draining = false;
  #closed = false;
  /** The numbers of the children; null before the first was started. */
  pids: Set<number> | null = null;
  #options: PoolOptions;

  /**
   * @param launch What to start.
   * @param init What a child hears first.
   * @param options How to run it.
   */
  constructor(
    launch: LaunchOptions,
    init: () => MemberOptions["init"],
    options: PoolOptions,
  ) {
    this.#launch = launch;
    this.#init = init;
    this.#options = options;
  }

  /** May be changed at any time; children that run keep what they were started with. */
  get options(): PoolOptions {
    return this.#options;
  }

  set options(options: PoolOptions) {
    this.#options = options;
    this.#dispatch(); // there may be room for another child
  }

  /** Runs a request in a child. Rejects with what the handler threw, or why there is no child. */
  async run(request: unknown, client: Address): Promise<void> {
    const job = jobFor(request, client, this.#launch.permissions);
    try {
      if (this.#closed) throw closedError();
      this.#pace.note(await this.#queue(job));
    } catch (error) {
      job.socket?.destroy();
      throw error;
    } finally {
      this.#dispatch();
    }
  }

  #queue(job: Job): Promise<number> {
    const turn = { job, ended: Promise.withResolvers<number>() };
    this.#waiting.push(turn);
    this.#dispatch();
    return turn.ended.promise;
  }

  /** Gives the requests that wait, in their order, to children that can take one. */
  readonly #dispatch = (): void => {
    while (this.#waiting.length > 0) {
      const next = this.#next();
      if (next === undefined) return;
      const { job, ended } = this.#waiting.shift()!;
      if (next instanceof Member) {
        next.run(job).then(ended.resolve, ended.reject);
      } else ended.reject(next.failure);
    }
    this.#stopTimer();
    if (this.#closed) this.#leave();
  };

  /** The child for the next request, or why there is none; nothing where the request is to wait. */
  #next(): Member | { failure: unknown } | undefined {
    let member: Member | undefined;
    try {
      member = this.#pick();
    } catch (failure) {
      return { failure };
    }
    if (member === undefined && this.#slowing) this.#setTimer();
    return member;
  }

  /** Looks again when those that are busy are not quick any more. */
  #setTimer(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#dispatch();
    }, SLOW_MS);
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Why the last child that was to start could not be made ready, while that is fresh. */
  get #failure(): unknown {
    for (const { failure } of this.#members) {
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
  #pick(): Member | undefined {
    let best: Member | undefined;
    let open = 0;
    let starting = 0;
    let quick = 0;
    const slow = performance.now() - SLOW_MS;
    for (const member of this.#members) {
      if (!member.open || member.pid === undefined) continue;
      open++;
      if (!member.ready) starting++;
      else if (member.load > 0 && member.moved > slow) quick++;
      if (!member.free) continue;
      if (best === undefined || member.load < best.load) best = member;
    }
    this.#slowing = this.#pace.enough(quick);
    if (this.#slowing) return;
    if (best?.load === 0) return best;
    const failure = this.#failure;
    if (failure !== undefined && open === 0) throw failure;
    const enough = failure !== undefined ||
      open > 0 && starting >= navigator.hardwareConcurrency;
    if (enough || this.#members.size >= this.#options.maxChildren) return best;
    return open === 0 ? this.#fork() : this.#tryFork() ?? best;
  }

  /** A new child, unless it cannot be started: those that run go on. */
  #tryFork(): Member | undefined {
    try {
      const member = this.#fork();
      return member.pid === undefined ? undefined : member;
    } catch (error) {
      this.#noteFailure(error);
      return undefined;
    }
  }

  #noteFailure(error: unknown): void {
    this.#failed = { error, until: Date.now() + RETRY_MS };
  }

  #fork(): Member {
    const options = { ...this.#options, init: this.#init() };
    const member = new Member(launch(this.#launch), options, this.#dispatch);
    this.#members.add(member);
    if (this.#draining) member.drain();
    const { pid } = member;
    this.pids ??= new Set();
    if (pid !== undefined) this.pids.add(pid);
    member.exited.then(() => this.#remove(member, pid));
    return member;
  }

  #remove(member: Member, pid: number | undefined): void {
    this.#members.delete(member);
    if (pid !== undefined) this.pids!.delete(pid);
    if (member.failure !== undefined) this.#noteFailure(member.failure);
    this.#dispatch();
  }

  /** Resolves when all children have ended that run now. */
  async exited(): Promise<void> {
    await Promise.all([...this.#members].map((member) => member.exited));
  }

  /** Tells all children that the server drains, those too that are yet to start. */
  drain(): void {
    this.#draining = true;
    for (const member of this.#members) member.drain();
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
      for (const member of this.#members) {
        if (member.load > 0) member.kill("the server was closed");
      }
    }
    this.#dispatch();
  }

  #leave(): void {
    for (const member of this.#members) member.leave();
  }
}

function closedError(): Error {
  return new Error("Cannot fork: the server is closed");
}
