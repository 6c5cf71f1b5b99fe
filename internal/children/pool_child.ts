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
import { ChildRequest } from "./child_request.ts";
import type { Job } from "./job.ts";
import { ChildLifetime, ChildProcessError } from "./child_lifetime.ts";
import type {
  CallMessage,
  DoneMessage,
  ErrorMessage,
  FromChild,
  InitMessage,
  ReadyMessage,
  ResultMessage,
} from "./messages.ts";
import { MessageQueue } from "./message_queue.ts";

/** How a child is run. */
export interface PoolChildOptions {
  /** What it hears first. */
  init: Omit<InitMessage, "token">;
  /** How many requests it takes in its life. */
  requestsPerChild: number;
  /** Seconds that a request may take; null is no limit. */
  childTimeout: number | null;
}

/** Gives requests to a child process and hears how they end. Owns the process and ends it. */
export class PoolChild {
  readonly #options: PoolChildOptions;
  readonly #messages: MessageQueue;
  readonly #lifetime: ChildLifetime;
  readonly #freed: () => void;
  readonly #requests = new Map<number, ChildRequest>();
  readonly #timer = new SharedTimer();
  readonly #token = crypto.randomUUID();
  /** How many requests it was given so far. */
  given = 0;
  #unacknowledged = 0;
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
    options: PoolChildOptions,
    freed: () => void = () => {},
  ) {
    this.#options = options;
    this.#freed = freed;
    this.pid = process.pid;
    this.#lifetime = new ChildLifetime(process);
    this.exited = this.#lifetime.ended.then((how) => this.#exit(how));
    this.#messages = new MessageQueue(process, () => this.#lost());
    process.on("message", (message, handle) => {
      this.#hear(message as FromChild, handle as NetSocket | undefined);
    });
    process.on("internalMessage", (message, handle) => {
      this.#hear(message as FromChild, handle as NetSocket | undefined);
    });
    process.on("error", (error) => this.#crash(error));
    process.on("disconnect", () => this.#lost());
    this.#messages.sendFirst({ ...options.init, token: this.#token });
    this.#rest();
  }

  /** How many requests it has. */
  get load(): number {
    return this.#requests.size;
  }

  /** Whether it takes another request, now or later. */
  get open(): boolean {
    return !this.#leaving && this.given < this.#options.requestsPerChild;
  }

  /** Whether it has acknowledged what it was given: one that is stopped, or computes, takes nothing. */
  get free(): boolean {
    return this.#unacknowledged === 0;
  }

  /**
   * Gives it a request. Resolves when the handler has ended, to the milliseconds that it took; rejects
   * with what it threw.
   */
  run(job: Job): Promise<number> {
    if (this.load === 0) this.moved = performance.now();
    const id = ++this.given;
    const request = new ChildRequest(job);
    this.#lifetime.keepAlive(true);
    this.#requests.set(id, request);
    this.#unacknowledged++;
    this.#watch(id, request);
    const onPassed = (error?: unknown) => {
      if (error === undefined) this.#acknowledge(request);
      else this.#fail(id, error);
    };
    const connection = job.socket && { socket: job.socket, onPassed };
    this.#messages.send({ ...job.message, id }, connection);
    return request.ended;
  }

  #watch(id: number, request: ChildRequest): void {
    const { childTimeout } = this.#options;
    if (childTimeout === null) return;
    request.limit(this.#timer, childTimeout, () => {
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
      case "acknowledge":
        return this.#acknowledge(this.#requestOf(message.id));
      case "done":
        return this.#finish(message);
      case "error":
        return this.#failed(message);
      case "sync":
        return this.#messages.synced();
      case "call":
        return this.#answer(message);
      default:
        throw new TypeError(`its type is ${Deno.inspect(message)}`);
    }
  }

  #requestOf(id: number): ChildRequest {
    const request = this.#requests.get(id);
    if (request !== undefined) return request;
    throw new TypeError(`it has no request ${Deno.inspect(id)}`);
  }

  #loaded({ error }: ReadyMessage): void {
    if (this.ready) throw new TypeError("it was ready before");
    if (error !== undefined) return this.#crash(fromFailure(error));
    this.ready = true;
    this.#messages.synced();
  }

  #acknowledge(request: ChildRequest): void {
    if (request.acknowledged) return;
    request.acknowledged = true;
    this.#unacknowledged--;
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
    const request = this.#requestOf(id);
    this.#acknowledge(request);
    const { execute } = request.job;
    if (execute === undefined) throw new TypeError("it has the connection");
    request.ask(operation);
    const send = (result: Partial<ResultMessage>) => {
      request.answer(operation);
      this.#messages.sendWatched(
        { type: "result", call, ...result },
        () => request.written(),
      );
    };
    execute({ call, ...asked }).then(
      (value) => send({ value }),
      (error) => send({ error: toFailure(error) }),
    );
  }

  #finish({ ids, ms }: DoneMessage): void {
    if (!(ms >= 0)) throw new TypeError(`its request took ${ms} ms`);
    this.#settle(ids, (request) => request.resolve(ms));
  }

  /**
   * Requests have ended, as the child says. With the last that it takes, its process ends first, and with that all
   * that the handlers left behind.
   */
  #settle(ids: number[], settle: (request: ChildRequest) => void): void {
    const ended = ids.map((id) => this.#requestOf(id));
    for (const id of ids) this.#end(id);
    this.#rest();
    const last = this.given >= this.#options.requestsPerChild &&
      this.load === 0;
    if (last) this.exited.then(() => ended.forEach(settle));
    else ended.forEach(settle);
  }

  #failed({ id, error }: ErrorMessage): void {
    const reason = fromFailure(error);
    this.#settle([id], (request) => request.reject(reason));
  }

  #fail(id: number, error: unknown): void {
    this.#end(id)?.reject(error);
    this.#rest();
  }

  #end(id: number): ChildRequest | undefined {
    const request = this.#requests.get(id);
    if (request === undefined) return;
    this.#requests.delete(id);
    if (this.load > 0) this.moved = performance.now();
    request.cancelTimeout();
    this.#acknowledge(request);
    return request;
  }

  #endAll(error: unknown): void {
    for (const id of [...this.#requests.keys()]) this.#fail(id, error);
  }

  /** With nothing to do it does not keep the server's process alive, and leaves when its time has come. */
  #rest(): void {
    if (this.load > 0) return;
    this.#lifetime.keepAlive(false);
    if (!this.open) this.leave();
  }

  /** Tells it that the server drains. */
  drain(): void {
    this.#messages.send({ type: "drain" });
  }

  /** It takes no more requests, and ends after the last it has. */
  leave(): void {
    this.#leaving = true;
    if (this.load > 0 || this.#told) return;
    this.#told = true;
    this.#messages.send({ type: "leave" });
    this.#lifetime.awaitExit();
  }

  /** Ends it at once, and its requests with it. */
  kill(reason: string): void {
    this.#leaving = true;
    this.#lifetime.kill(reason);
  }

  /** The channel is gone: the child has ended, or is about to, or does not know how to any more. */
  #lost(): void {
    this.#leaving = true;
    this.#lifetime.awaitExit();
  }

  #exit(how: string): void {
    this.#leaving = true;
    this.#timer.stop();
    const early = this.ready ? "" : " before it was ready";
    const error = new ChildProcessError(
      `Child process ${this.pid} ended${early} (${how})`,
    );
    const broken = !this.ready && !this.#lifetime.killedExternally;
    if (broken && this.load > 0) this.failure ??= error;
    this.#endAll(error);
  }
}

/** Closes what a child sent along: a connection, a listening socket or a datagram socket. */
function discard(handle: { destroy?(): void; close?(): void }): void {
  if (handle.destroy === undefined) handle.close?.();
  else handle.destroy();
}
