/**
 * The workers of a server.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { checkReadable } from "../handoff/permissions.ts";
import { checkDescriptors } from "./descriptors.ts";
import {
  Member,
  type MemberHooks,
  type MemberInit,
  type MemberLimits,
  StartFailure,
} from "./pool_worker.ts";

/** How long no worker is started after one that did not start, as long as another runs; arbitrary. */
const PAUSE_MS = 1000;

/** What a pool is made of. */
export interface PoolParts extends MemberLimits {
  /** What each worker is told. */
  readonly init: Omit<MemberInit, "draining">;
  /** The most workers. */
  readonly maxWorkers: number;
  /** What workers ask of the server. */
  readonly hooks: Omit<MemberHooks, "onFree" | "onDeath">;
}

/**
 * Gives each request to the worker that has the fewest. Workers start when they are needed, and one that
 * died is replaced in the same way. A blocking handler has a worker to itself; the rest wait for their turn.
 */
export class Pool {
  readonly #parts: PoolParts;
  readonly #members = new Set<Member>();
  readonly #waiting: PromiseWithResolvers<Member>[] = [];
  #draining = false;
  #closed = false;
  #gone: Promise<unknown> | undefined;
  /** Runs after a worker did not start, until another may be started. */
  #pause: ReturnType<typeof setTimeout> | undefined;

  /** @param parts What it is made of. */
  constructor(parts: PoolParts) {
    this.#parts = parts;
  }

  /** Runs the handler for a request. */
  async run(request: unknown, clientAddress: Address): Promise<void> {
    for (;;) {
      const member = this.#take() ?? await this.#turn();
      if (member.dead) continue;
      try {
        return await member.run(request, clientAddress);
      } catch (error) {
        if (!(error instanceof StartFailure)) throw error;
        if (!this.#runs) throw error.reason;
      }
    }
  }

  /** Whether a worker has started, and is not gone. */
  get #runs(): boolean {
    return !this.#closed &&
      this.#members.values().some(({ up, dead }) => up && !dead);
  }

  /** A worker for one more request, if there is one. */
  #take(): Member | undefined {
    if (this.#closed) throw closedError();
    let best: Member | undefined;
    for (const member of this.#members) {
      if (best === undefined || member.load < best.load) best = member;
    }
    const { maxWorkers, init } = this.#parts;
    if (best?.load !== 0 && this.#members.size < maxWorkers) {
      best = this.#startBeside(best);
    }
    if (init.blocking && best!.load > 0) return undefined;
    best!.load++;
    return best;
  }

  /** Starts a worker. If that fails, the one that there is has to do. */
  #startBeside(other: Member | undefined): Member {
    if (other !== undefined && this.#pause !== undefined && this.#runs) {
      return other;
    }
    try {
      return this.#start();
    } catch (error) {
      this.#wait();
      if (other === undefined) throw error;
      return other;
    }
  }

  #start(): Member {
    const { init, hooks } = this.#parts;
    checkReadable(import.meta.url, init.handler.moduleUrl);
    checkDescriptors(import.meta.url, init.handler.moduleUrl);
    const onFree = () => this.#next();
    const onDeath = (member: Member) => {
      this.#members.delete(member);
      if (!member.up) this.#wait();
      this.#next();
    };
    const member = new Member(
      { ...init, draining: this.#draining },
      { ...hooks, onFree, onDeath },
      this.#parts,
    );
    this.#members.add(member);
    return member;
  }

  /** A worker did not start: for a while none is started beside one that runs. */
  #wait(): void {
    if (this.#closed || this.#pause !== undefined) return;
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      this.#next();
    }, PAUSE_MS);
    Deno.unrefTimer(this.#pause);
  }

  #turn(): Promise<Member> {
    const turn = Promise.withResolvers<Member>();
    this.#waiting.push(turn);
    return turn.promise;
  }

  /** Gives the workers that are free to those that wait. */
  #next(): void {
    while (this.#waiting.length > 0 && !this.#closed) {
      try {
        const member = this.#take();
        if (member === undefined) return;
        this.#waiting.shift()!.resolve(member);
      } catch (error) {
        this.#waiting.shift()!.reject(error); // no worker can be started
      }
    }
  }

  /** Tells all handlers that the server drains. */
  drain(): void {
    this.#draining = true;
    for (const member of this.#members) member.drain();
  }

  /** Ends all workers; resolves when they are gone. */
  close(): Promise<unknown> {
    this.#closed = true;
    clearTimeout(this.#pause);
    for (const turn of this.#waiting.splice(0)) turn.reject(closedError());
    return this.#gone ??= Promise.all(
      Array.from(this.#members, (member) => member.close()),
    );
  }
}

function closedError(): Error {
  return new Error("Cannot run the handler: the server was closed");
}
