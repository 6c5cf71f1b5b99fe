/**
 * The child processes of a server.
 *
 * @module
 */

import type { Address } from "../_socket/address.ts";
import { type Job, jobFor } from "./job.ts";
import { launch } from "./launch.ts";
import { Member, type MemberOptions } from "./member.ts";
import { Pace, SLOW_MS } from "./pace.ts";
import type { LaunchOptions } from "./settings.ts";

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

/** Starts children when requests need them, and gives each request to the one that has the least to do. */
export class ProcessPool {
  readonly #launch: LaunchOptions;
  readonly #init: () => MemberOptions["init"];
  readonly #members = new Set<Member>();
  readonly #waiting: PromiseWithResolvers<void>[] = [];
  readonly #pace = new Pace();
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
    this.#rouse(); // there may be room for another child
  }

  /** Runs a request in a child. Rejects with what the handler threw, or why there is no child. */
  async run(request: unknown, client: Address): Promise<void> {
    const job = jobFor(request, client);
    try {
      for (;;) {
        const member = this.#pick();
        if (member !== undefined) return await this.#give(member, job);
        await this.#wait();
      }
    } catch (error) {
      job.socket?.destroy();
      throw error;
    }
  }

  async #give(member: Member, job: Job): Promise<void> {
    try {
      this.#pace.note(await member.run(job));
    } finally {
      this.#rouse(1);
    }
  }

  /** Waits until a child is free, there are more or fewer of them, or those that are busy take long. */
  async #wait(): Promise<void> {
    const freed = Promise.withResolvers<void>();
    this.#waiting.push(freed);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#rouse();
    }, SLOW_MS);
    await freed.promise;
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
   * An idle child, a new one, or the least busy; none where the request is to wait. While as many start as
   * there are processors, no more are started: that takes 50 ms of one, as much as hundreds of
   * short requests. Nor are they after one has failed to start: those that run go on.
   */
  #pick(): Member | undefined {
    if (this.#closed) throw new Error("Cannot fork: the server is closed");
    let best: Member | undefined;
    let starting = 0;
    let quick = 0;
    const slow = performance.now() - SLOW_MS;
    for (const member of this.#members) {
      if (!member.open) continue;
      if (!member.ready) starting++;
      else if (member.load > 0 && member.moved > slow) quick++;
      if (best === undefined || member.load < best.load) best = member;
    }
    if (this.#pace.enough(quick)) return;
    if (best?.load === 0) return best;
    const failure = this.#failure;
    if (failure !== undefined && best === undefined) throw failure;
    const enough = failure !== undefined ||
      best !== undefined && starting >= navigator.hardwareConcurrency;
    if (enough || this.#members.size >= this.#options.maxChildren) return best;
    return this.#fork();
  }

  #fork(): Member {
    const options = { ...this.#options, init: this.#init() };
    const member = new Member(launch(this.#launch), options);
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
    if (member.failure !== undefined) {
      this.#failed = { error: member.failure, until: Date.now() + RETRY_MS };
    }
    this.#rouse();
  }

  /** Has the requests that wait look for a child again: all, or those that came first. */
  #rouse(count = Infinity): void {
    for (const { resolve } of this.#waiting.splice(0, count)) resolve();
    if (this.#waiting.length > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
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
   * Ends all children: those with nothing to do at once.
   *
   * @param force Whether to kill those that have requests, or to leave them to end by themselves.
   */
  close(force: boolean): void {
    this.#closed = true;
    for (const member of this.#members) {
      if (force && member.load > 0) member.kill("the server was closed");
      else member.leave();
    }
    this.#rouse();
  }
}
