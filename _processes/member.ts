/**
 * One child process, as the server sees it.
 *
 * @module
 */

import type { ChildProcess } from "node:child_process";
import { Alarm, Timeout } from "../_socket/alarm.ts";
import { TimeoutError } from "../_socket/errors.ts";
import { fromFailure, toFailure } from "../_remote/failure.ts";
import { ChildProcessError } from "./errors.ts";
import type { Job } from "./job.ts";
import { Lifetime } from "./lifetime.ts";
import type {
  CallMessage,
  FromChild,
  InitMessage,
  ReadyMessage,
} from "./messages.ts";
import { Outbox } from "./outbox.ts";

/** How a child is run. */
export interface MemberOptions {
  /** What it hears first. */
  init: InitMessage;
  /** How many requests it takes in its life. */
  requestsPerChild: number;
  /** Seconds that a request may take; null is no limit. */
  childTimeout: number | null;
}

interface Assignment {
  readonly job: Job;
  readonly end: PromiseWithResolvers<number>;
  timeout?: Timeout;
}

/** Gives requests to a child process and hears how they end. Owns the process and ends it. */
export class Member {
  readonly #options: MemberOptions;
  readonly #outbox: Outbox;
  readonly #lifetime: Lifetime;
  readonly #assignments = new Map<number, Assignment>();
  readonly #alarm = new Alarm();
  #taken = 0;
  #leaving = false;
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
   */
  constructor(process: ChildProcess, options: MemberOptions) {
    this.#options = options;
    this.pid = process.pid;
    this.#lifetime = new Lifetime(process);
    this.exited = this.#lifetime.ended.then((how) => this.#exit(how));
    this.#outbox = new Outbox(process, () => this.#lost());
    process.on("message", (message) => this.#hear(message as FromChild));
    process.on("error", (error) => this.#crash(error));
    process.on("disconnect", () => this.#lost());
    this.#outbox.first(options.init);
    this.#rest();
  }

  /** How many requests it has. */
  get load(): number {
    return this.#assignments.size;
  }

  /** Whether it takes another request. */
  get open(): boolean {
    return !this.#leaving && this.#taken < this.#options.requestsPerChild;
  }

  /**
   * Gives it a request. Resolves when the handler has ended, to the milliseconds that it took; rejects
   * with what it threw.
   */
  run(job: Job): Promise<number> {
    if (this.load === 0) this.moved = performance.now();
    const id = ++this.#taken;
    const assignment = { job, end: Promise.withResolvers<number>() };
    this.#lifetime.hold(true);
    this.#assignments.set(id, assignment);
    this.#watch(id, assignment);
    this.#outbox.send({ ...job.message, id }, job.socket);
    return assignment.end.promise;
  }

  #watch(id: number, assignment: Assignment): void {
    const { childTimeout } = this.#options;
    if (childTimeout === null) return;
    assignment.timeout = new Timeout(this.#alarm, childTimeout, "handle");
    assignment.timeout.start(() => {
      const error = new TimeoutError(
        `Child process ${this.pid} was killed: the request took longer than childTimeout, ${childTimeout} s`,
        { code: "ETIMEDOUT", syscall: "handle" },
      );
      this.#fail(id, error);
      this.kill("another of its requests took longer than childTimeout");
    });
  }

  /** What a child says is not trusted: its handlers can say anything in its name. */
  #hear(message: FromChild): void {
    try {
      this.#obey(message);
    } catch (error) {
      this.kill(`it sent a message that cannot be understood: ${error}`);
    }
  }

  #obey(message: FromChild): void {
    switch (message.type) {
      case "ready":
        return this.#loaded(message);
      case "done":
        return message.ids.forEach((id) => this.#done(id, message.ms));
      case "error":
        return this.#fail(message.id, fromFailure(message.error));
      case "sync":
        return this.#outbox.synced();
      case "call":
        return void this.#answer(message);
      default:
        throw new TypeError(`its type is ${Deno.inspect(message)}`);
    }
  }

  #loaded({ error }: ReadyMessage): void {
    if (this.ready) throw new TypeError("it was ready before");
    if (error !== undefined) return this.#crash(fromFailure(error));
    this.ready = true;
    this.#outbox.synced();
  }

  /** It cannot be started, or its channel cannot be used. */
  #crash(error: unknown): void {
    if (!this.ready) this.failure = error;
    this.#endAll(error);
    this.kill(this.ready ? "its channel failed" : "it could not be made ready");
  }

  async #answer({ call, ...asked }: CallMessage): Promise<void> {
    const relay = this.#assignments.get(asked.id)?.job.relay;
    try {
      if (relay === undefined) throw new TypeError("Cannot call: no request");
      const value = await relay({ call, ...asked });
      this.#outbox.send({ type: "result", call, value });
    } catch (error) {
      this.#outbox.send({ type: "result", call, error: toFailure(error) });
    }
  }

  #done(id: number, ms: number): void {
    this.#end(id)?.end.resolve(ms);
    this.#rest();
  }

  #fail(id: number, error: unknown): void {
    const assignment = this.#end(id);
    assignment?.job.socket?.destroy(); // where it never arrived
    assignment?.end.reject(error);
    this.#rest();
  }

  #end(id: number): Assignment | undefined {
    const assignment = this.#assignments.get(id);
    if (assignment === undefined) return;
    this.#assignments.delete(id);
    if (this.load > 0) this.moved = performance.now();
    assignment.timeout?.cancel();
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
    if (this.load > 0) return;
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
    this.#alarm.stop();
    const early = this.ready ? "" : " before it was ready";
    const error = new ChildProcessError(
      `Child process ${this.pid} ended${early} (${how})`,
    );
    const broken = !this.ready && !this.#lifetime.struck;
    if (broken && this.load > 0) this.failure ??= error;
    this.#endAll(error);
  }
}
