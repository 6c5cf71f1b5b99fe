/**
 * The workers of a server.
 *
 * @module
 */

import type { Address } from "../_socket/address.ts";
import { checkReadable } from "../_remote/permissions.ts";
import { Member, type MemberHooks, type MemberInit } from "./member.ts";

/** What a pool is made of. */
export interface PoolParts {
  /** What each worker is told. */
  readonly init: Omit<MemberInit, "draining">;
  /** The most workers. */
  readonly maxWorkers: number;
  /** Seconds after which a stuck worker is ended; null is never. */
  readonly workerTimeout: number | null;
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

  /** @param parts What it is made of. */
  constructor(parts: PoolParts) {
    this.#parts = parts;
  }

  /** Runs the handler for a request. */
  async run(request: unknown, clientAddress: Address): Promise<void> {
    for (;;) {
      const member = this.#take() ?? await this.#turn();
      if (!member.dead) return await member.run(request, clientAddress);
    }
  }

  /** A worker for one more request, if there is one. */
  #take(): Member | undefined {
    if (this.#closed) throw closedError();
    let best: Member | undefined;
    for (const member of this.#members) {
      if (best === undefined || member.load < best.load) best = member;
    }
    const { maxWorkers, init } = this.#parts;
    const idle = best?.load === 0;
    if (!idle && this.#members.size < maxWorkers) best = this.#start();
    else if (!idle && init.blocking) return undefined;
    best!.load++;
    return best;
  }

  #start(): Member {
    const { init, hooks, workerTimeout } = this.#parts;
    checkReadable(import.meta.url, init.handler.moduleUrl);
    const onFree = () => this.#next();
    const onDeath = (member: Member) => {
      this.#members.delete(member);
      this.#next();
    };
    const member = new Member(
      { ...init, draining: this.#draining },
      { ...hooks, onFree, onDeath },
      workerTimeout,
    );
    this.#members.add(member);
    return member;
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
    for (const turn of this.#waiting.splice(0)) turn.reject(closedError());
    return this.#gone ??= Promise.all(
      Array.from(this.#members, (member) => member.close()),
    );
  }
}

function closedError(): Error {
  return new Error("Cannot run the handler: the server was closed");
}
