/**
 * One child process, as the server sees it.
 *
 * @module
 */

import type { ChildProcess } from "node:child_process";
import type { Socket as NetSocket } from "node:net";
import { SharedTimer } from "../waiting/timeouts.ts";
import { TimeoutError } from "../base/errors.ts";
import { fromFailure, toFailure } from "../handoff/failure.ts";
import { Assignment } from "./assignment.ts";
import { ChildProcessError } from "./child_errors.ts";
import type { Job } from "./job.ts";
import { Lifetime } from "./child_lifetime.ts";
import type {
  CallMessage,
  DoneMessage,
  ErrorMessage,
  FromChild,
  InitMessage,
  ReadyMessage,
  ResultMessage,
} from "./messages.ts";
import { Outbox } from "./message_queue.ts";

/** How a child is run. */
export interface MemberOptions {
  /** What it hears first. */
  init: Omit<InitMessage, "token">;
  /** How many requests it takes in its life. */
  requestsPerChild: number;
  /** Seconds that a request may take; null is no limit. */
  childTimeout: number | null;
}

/** Gives requests to a child process and hears how they end. Owns the process and ends it. */
export class Member {
  readonly #options: MemberOptions;
  readonly #outbox: Outbox;
  readonly #lifetime: Lifetime;
  readonly #freed: () => void;
  readonly #assignments = new Map<number, Assignment>();
  readonly #timer = new SharedTimer();
  readonly #token = crypto.randomUUID();
  /** How many requests it was given so far. */
  given = 0;
  #untaken = 0;
  #leaving = false;
  #told = false;
  /** Its number; undefined where it could not be started. */
  readonly pid: number | undefined;
  /** Resolves when the process has ended. */
  readonly exited: Promise<void>;
  /** Whether its module is loaded. */
  ready = false;
  /** When it was last seen to get on: began with its first request, or ended one; on the clock of `performance.now()`. */
  moved = 0;
  /** Why it could not be made ready, if so. */
  failure: unknown;

  /**
   * @param process The process, just started.
   * @param options How it is run.
   * @param freed Called when it may have room for another request.
   */
  constructor(
    process: ChildProcess,
    options: MemberOptions,
    freed: () => void = () => {},
  ) {
    this.#options = options;
    this.#freed = freed;
    this.pid = process.pid;
    this.#lifetime = new Lifetime(process);
    this.exited = this.#lifetime.ended.then((how) => this.#exit(how));
    this.#outbox = new Outbox(process, () => this.#lost());
    process.on("message", (message, handle) => {
      this.#hear(message as FromChild, handle as NetSocket | undefined);
    });
    process.on("internalMessage", (message, handle) => {
      this.#hear(message as FromChild, handle as NetSocket | undefined);
    });
    process.on("error", (error) => this.#crash(error));
    process.on("disconnect", () => this.#lost());
    this.#outbox.first({ ...options.init, token: this.#token });
    this.#rest();
  }

  /** How many requests it has. */
  get load(): number {
    return this.#assignments.size;
  }

  /** Whether it takes another request, now or later. */
  get open(): boolean {
    return !this.#leaving && this.given < this.#options.requestsPerChild;
  }

  /** Whether it has taken what it was given: one that is stopped, or computes, takes nothing. */
  get free(): boolean {
    return this.#untaken === 0;
  }

  /**
   * Gives it a request. Resolves when the handler has ended, to the milliseconds that it took; rejects
   * with what it threw.
   */
  run(job: Job): Promise<number> {
    if (this.load === 0) this.moved = performance.now();
    const id = ++this.given;
    const assignment = new Assignment(job);
    this.#lifetime.hold(true);
    this.#assignments.set(id, assignment);
    this.#untaken++;
    this.#watch(id, assignment);
    const handed = (error?: unknown) => {
      if (error === undefined) this.#took(assignment);
      else this.#fail(id, error);
    };
    const parcel = job.socket && { socket: job.socket, handed };
    this.#outbox.send({ ...job.message, id }, parcel);
    return assignment.ended;
  }

  #watch(id: number, assignment: Assignment): void {
    const { childTimeout } = this.#options;
    if (childTimeout === null) return;
    assignment.limit(this.#timer, childTimeout, () => {
      const error = new TimeoutError(
        `Child process ${this.pid} was killed: the request took longer than childTimeout, ${childTimeout} s`,
        { code: "ETIMEDOUT", syscall: "handle" },
      );
      this.#fail(id, error);
      this.kill("another of its requests took longer than childTimeout");
    });
  }

  /**
   * What a child says is not trusted: its handlers can say anything in its name, and send a descriptor along, which
   * would stay open here.
   */
  #hear(message: FromChild, handle?: NetSocket): void {
    try {
      if (handle !== undefined) discard(handle);
      if (message.token !== this.#token) {
        throw new TypeError(`not from this module: ${Deno.inspect(message)}`);
      }
      this.#obey(message);
    } catch (error) {
      this.kill(`it sent a message that cannot be understood: ${error}`);
    }
  }

  #obey(message: FromChild): void {
    switch (message.type) {
      case "ready":
        return this.#loaded(message);
      case "taken":
        return this.#took(this.#assigned(message.id));
      case "done":
        return this.#finish(message);
      case "error":
        return this.#failed(message);
      case "sync":
        return this.#outbox.synced();
      case "call":
        return this.#answer(message);
      default:
        throw new TypeError(`its type is ${Deno.inspect(message)}`);
    }
  }

  #assigned(id: number): Assignment {
    const assignment = this.#assignments.get(id);
    if (assignment !== undefined) return assignment;
    throw new TypeError(`it has no request ${Deno.inspect(id)}`);
  }

  #loaded({ error }: ReadyMessage): void {
    if (this.ready) throw new TypeError("it was ready before");
    if (error !== undefined) return this.#crash(fromFailure(error));
    this.ready = true;
    this.#outbox.synced();
  }

  #took(assignment: Assignment): void {
    if (assignment.taken) return;
    assignment.taken = true;
    this.#untaken--;
    this.#freed();
  }

  /** It cannot be started, or its channel cannot be used. */
  #crash(error: unknown): void {
    if (!this.ready) this.failure = error;
    this.#endAll(error);
    this.kill(this.ready ? "its channel failed" : "it could not be made ready");
  }

  /** Does what only the server can, and sends the result. */
  #answer({ call, ...asked }: CallMessage): void {
    const { id, operation } = asked;
    const assignment = this.#assigned(id);
    this.#took(assignment);
    const { relay } = assignment.job;
    if (relay === undefined) throw new TypeError("it has the connection");
    assignment.ask(operation);
    const send = (result: Partial<ResultMessage>) => {
      assignment.answer(operation);
      this.#outbox.sendWatched(
        { type: "result", call, ...result },
        () => assignment.written(),
      );
    };
    relay({ call, ...asked }).then(
      (value) => send({ value }),
      (error) => send({ error: toFailure(error) }),
    );
  }

  #finish({ ids, ms }: DoneMessage): void {
    if (!(ms >= 0)) throw new TypeError(`its request took ${ms} ms`);
    this.#settle(ids, (assignment) => assignment.resolve(ms));
  }

  /**
   * Requests have ended, as the child says. With the last that it takes, its process ends first, and with that all
   * that the handlers left behind.
   */
  #settle(ids: number[], settle: (assignment: Assignment) => void): void {
    const ended = ids.map((id) => this.#assigned(id));
    for (const id of ids) this.#end(id);
    this.#rest();
    const last = this.given >= this.#options.requestsPerChild &&
      this.load === 0;
    if (last) this.exited.then(() => ended.forEach(settle));
    else ended.forEach(settle);
  }

  #failed({ id, error }: ErrorMessage): void {
    const reason = fromFailure(error);
    this.#settle([id], (assignment) => assignment.reject(reason));
  }

  #fail(id: number, error: unknown): void {
    this.#end(id)?.reject(error);
    this.#rest();
  }

  #end(id: number): Assignment | undefined {
    const assignment = this.#assignments.get(id);
    if (assignment === undefined) return;
    this.#assignments.delete(id);
    if (this.load > 0) this.moved = performance.now();
    assignment.cancelTimeout();
    this.#took(assignment);
    return assignment;
  }

  #endAll(error: unknown): void {
    for (const id of [...this.#assignments.keys()]) this.#fail(id, error);
  }

  /** With nothing to do it does not keep the server's process alive, and leaves when its time has come. */
  #rest(): void {
    if (this.load > 0) return;
    this.#lifetime.hold(false);
    if (!this.open) this.leave();
  }

  /** Tells it that the server drains. */
  drain(): void {
    this.#outbox.send({ type: "drain" });
  }

  /** It takes no more requests, and ends after the last it has. */
  leave(): void {
    this.#leaving = true;
    if (this.load > 0 || this.#told) return;
    this.#told = true;
    this.#outbox.send({ type: "leave" });
    this.#lifetime.await();
  }

  /** Ends it at once, and its requests with it. */
  kill(reason: string): void {
    this.#leaving = true;
    this.#lifetime.kill(reason);
  }

  /** The channel is gone: the child has ended, or is about to, or does not know how to any more. */
  #lost(): void {
    this.#leaving = true;
    this.#lifetime.await();
  }

  #exit(how: string): void {
    this.#leaving = true;
    this.#timer.stop();
    const early = this.ready ? "" : " before it was ready";
    const error = new ChildProcessError(
      `Child process ${this.pid} ended${early} (${how})`,
    );
    const broken = !this.ready && !this.#lifetime.struck;
    if (broken && this.load > 0) this.failure ??= error;
    this.#endAll(error);
  }
}

/** Closes what a child sent along: a connection, a listening socket or a datagram socket. */
function discard(handle: { destroy?(): void; close?(): void }): void {
  if (handle.destroy === undefined) handle.close?.();
  else handle.destroy();
}
