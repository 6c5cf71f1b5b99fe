/**
 * The server's side of one child process.
 *
 * @module
 */

import type { ChildProcess } from "node:child_process";
import type { Socket as NetSocket } from "node:net";
import type { Address } from "../base/address.ts";
import { TimeoutError } from "../base/errors.ts";
import { fromFailure, toFailure } from "../handoff/failure.ts";
import { limitStart } from "../handoff/handler_reference.ts";
import type { ExpiredRequests } from "../requests/remote_requests.ts";
import type { ChildExitReason } from "../stages/event_types.ts";
import {
  type ChildRequest,
  type JobEnd,
  ShutdownCalls,
} from "./child_request.ts";
import { AssignedRequests } from "./assigned_requests.ts";
import type { Job } from "./child_job.ts";
import {
  type ChildEnd,
  ChildLifetime,
  ChildProcessError,
  NotPassedError,
} from "./child_lifetime.ts";
import { AcceptingChild, type AcceptingChildHooks } from "./accepting_child.ts";
import type { EndedMessage } from "./accept_messages.ts";
import {
  type CallMessage,
  CHILD_LIMITS,
  type ChildLimit,
  type DoneMessage,
  type ErrorMessage,
  type FromChild,
  type IdleMessage,
  type InitMessage,
  type LimitMessage,
  type ReadyMessage,
} from "./messages.ts";
import { MessageQueue } from "./message_queue.ts";

/** The options of a child. */
export interface PoolChildOptions {
  /** The calls for connections that the child accepts itself; undefined if it gets them from the server. */
  accepts?: AcceptingChildHooks;
  /** The first message to the child. */
  init: Omit<InitMessage, "token">;
  /** The URL of the module of the handler. */
  moduleUrl: string;
  /** Stops the loop of the server. */
  shutdown: () => Promise<void>;
  /** Called when a request of the child is over a limit. */
  onLimit: (limit: ChildLimit, client: Address) => void;
  /** The count of requests after which the child exits. */
  requestsPerChild: number;
  /** The seconds that a request may take once the child is ready; null is no limit. */
  childTimeout: number | null;
}

/** Gives requests to a child process, and settles them as the child reports. Owns the process and ends it. */
export class PoolChild {
  readonly #options: PoolChildOptions;
  readonly #messages: MessageQueue;
  readonly #lifetime: ChildLifetime;
  readonly #onCapacity: () => void;
  readonly #requests: AssignedRequests;
  readonly #starting: ReturnType<typeof setTimeout>;
  readonly #shutdowns: ShutdownCalls;
  readonly #token = crypto.randomUUID();
  /** The number of requests given to the child so far. */
  assigned = 0;
  #idleCount = 0;
  #leaving = false;
  #toldToLeave = false;
  #stopping = false;
  /** The accepts of the child. */
  readonly accepting: AcceptingChild;
  /** The number of requests that have failed with the process. */
  #lost = 0;
  /** The error of the requests once the process has ended. Its last messages may come after that. */
  #death: ChildProcessError | undefined;
  /** The pid of the child; undefined if it could not be started. */
  readonly pid: number | undefined;
  /** Resolves when the process has ended. */
  readonly exited: Promise<ChildEnd>;
  /** Whether the module of the handler is loaded. */
  ready = false;
  /** The error of a child that could not get ready. */
  failure: unknown;

  /**
   * @param process The process, which has just been started.
   * @param options The options.
   * @param onCapacity Called when the child may take another request.
   */
  constructor(
    process: ChildProcess,
    options: PoolChildOptions,
    onCapacity: () => void = () => {},
  ) {
    this.#options = options;
    this.#onCapacity = onCapacity;
    this.#shutdowns = new ShutdownCalls(options.shutdown);
    this.#requests = new AssignedRequests(
      options.childTimeout,
      (id) => this.#endLate(id),
    );
    this.pid = process.pid;
    this.#lifetime = new ChildLifetime(process);
    this.exited = this.#lifetime.ended.then((how) => this.#exit(how));
    this.#messages = new MessageQueue(process, () => this.#onDisconnect());
    this.accepting = this.#makeAccepting();
    this.#listenTo(process);
    const { moduleUrl } = options;
    this.#starting = limitStart(
      moduleUrl,
      "in another process",
      (error) => this.#crash(error),
    );
    this.#messages.sendFirst({ ...options.init, token: this.#token });
    this.#idle();
  }

  #listenTo(process: ChildProcess): void {
    const onMessage = (message: unknown, handle: unknown) =>
      this.#onMessage(message as FromChild, handle as NetSocket | undefined);
    process.on("message", onMessage);
    process.on("internalMessage", onMessage);
    process.on("error", (error) => this.#crash(error));
    process.on("disconnect", () => this.#onDisconnect());
  }

  #makeAccepting(): AcceptingChild {
    return new AcceptingChild({
      messages: this.#messages,
      hooks: this.#options.accepts,
      begin: (id, client) => this.#begin(id, client),
      count: (report) => this.#countEnded(report),
      onCapacity: () => this.#onCapacity(),
    });
  }

  /** The number of open requests of the child. */
  get load(): number {
    return this.#requests.size;
  }

  /** The time at which the child last got its first request or ended one, on the clock of `performance.now()`. */
  get lastProgress(): number {
    return this.#requests.lastProgress;
  }

  /** Reports whether the child takes more requests, now or later. */
  get open(): boolean {
    return !this.#leaving && this.assigned < this.#options.requestsPerChild;
  }

  /** Reports whether the child is open, and has answered its last probe. */
  get answers(): boolean {
    return this.open && !this.accepting.silent;
  }

  /**
   * Reports whether the child has acknowledged all of its requests, and those that it has accepted are known. A child
   * that is stopped or computes acknowledges none.
   */
  get free(): boolean {
    return this.#requests.acknowledged && !this.accepting.sorting;
  }

  /**
   * Gives the child a request. Resolves when the handler has ended. Rejects with the error of the handler, or with a
   * `NotPassedError` if the process was killed before it could get the connection.
   */
  run(job: Job): Promise<JobEnd> {
    const id = this.assigned + 1;
    const request = this.#add(id, job);
    const connection = job.socket && {
      socket: job.socket,
      onLost: (error: unknown) => this.#fail(id, error),
      onPass: () => request.waits = false,
    };
    this.#messages.send({ ...job.message, id }, connection);
    return request.ended;
  }

  #add(id: number, job: Job): ChildRequest {
    this.assigned++;
    this.#lifetime.keepAlive(true);
    return this.#requests.add(id, job);
  }

  /** Kills the child: one of its requests has taken too long. */
  #endLate(id: number): void {
    const { childTimeout } = this.#options;
    const error = new TimeoutError(
      `Child process ${this.pid} was killed: the request took longer than childTimeout, ${childTimeout} s`,
      { code: "ETIMEDOUT", syscall: "handle" },
    );
    this.#lost++;
    this.#fail(id, error);
    this.kill(
      "another of its requests took longer than childTimeout",
      "timeout",
    );
  }

  /**
   * Handles a message of the child. Messages are not trusted: a handler can send anything, and pass a descriptor, which
   * would stay open here.
   */
  #onMessage(message: FromChild, handle?: NetSocket): void {
    let unwanted = handle;
    try {
      if (message.token !== this.#token) {
        throw new TypeError(`not from this module: ${Deno.inspect(message)}`);
      }
      this.accepting.hear();
      if (message.type === "returned" && this.accepting.offers) {
        this.accepting.takeReturned(message, handle);
        unwanted = undefined;
      } else this.#dispatch(message);
    } catch (error) {
      this.kill(`it sent a message that cannot be understood: ${error}`);
    } finally {
      if (unwanted !== undefined) discard(unwanted);
    }
  }

  /** Asks a child that accepts whether its event loop turns, and ends one that is silent for `childTimeout`. */
  probe(): void {
    if (!this.ready || this.#lifetime.why !== undefined) return;
    const { childTimeout } = this.#options;
    const seconds = this.accepting.probe();
    if (childTimeout === null || seconds < childTimeout) return;
    this.kill(
      `it has not answered for childTimeout, ${childTimeout} s`,
      "timeout",
    );
  }

  #dispatch(message: FromChild): void {
    switch (message.type) {
      case "ready":
        return this.#loaded(message);
      case "acknowledge":
        return this.#acknowledge(this.#requests.get(message.id));
      case "done":
        return this.#finish(message);
      case "error":
        return this.#failed(message);
      case "idle":
        return this.#noteIdle(message);
      case "sync":
        return this.#messages.synced();
      case "call":
        return this.#execute(message);
      case "limit":
        return this.#limit(message);
      case "shutdown":
        return this.#shutdowns.execute(message, this.#messages);
      default:
        return this.accepting.onMessage(message);
    }
  }

  /**
   * Lets the child accept, or stop. Resolves when all that it has accepted until then is reported, or the child has ended.
   * A child that accepts keeps the process of the server alive.
   */
  pause(paused: boolean, each: boolean): Promise<void> {
    const answered = this.accepting.pause(paused || this.#leaving, each);
    this.#lifetime.keepAlive(this.accepting.on || this.load > 0);
    return Promise.race([answered, this.exited.then(() => {})]);
  }

  /** Begins a request that the child has accepted. */
  #begin(id: number, client: Address): void {
    if (!(id < 0) || this.#requests.has(id)) {
      throw new TypeError(`it cannot have accepted ${Deno.inspect(id)}`);
    }
    const { job, run } = this.accepting.hooks.begin(client);
    this.accepting.own++;
    run(this.#add(id, job).ended);
    if (this.#death !== undefined) this.#fail(id, this.#death);
  }

  #countEnded(report: EndedMessage): void {
    this.assigned += report.count + report.gone;
    this.accepting.hooks.counted(report);
    this.#idle();
  }

  #limit({ id, limit }: LimitMessage): void {
    const { client } = this.#requests.get(id).job.message;
    if (!CHILD_LIMITS.includes(limit)) {
      throw new TypeError(`there is no limit ${Deno.inspect(limit)}`);
    }
    this.#options.onLimit(limit, client);
  }

  #loaded({ error }: ReadyMessage): void {
    if (this.ready) throw new TypeError("it was ready before");
    if (error !== undefined) return this.#crash(fromFailure(error));
    this.ready = true;
    clearTimeout(this.#starting);
    this.#requests.startTimeouts();
    this.#messages.synced();
    this.#onCapacity();
    this.#options.accepts?.changed();
  }

  #acknowledge(request: ChildRequest): void {
    if (!this.#requests.acknowledge(request)) return;
    this.accepting.turns = 0;
    this.#onCapacity();
  }

  /** Ends a child that cannot start, or whose channel is broken. */
  #crash(error: unknown): void {
    if (!this.ready) this.failure = error;
    this.#endAll(error);
    if (this.ready) this.kill("its channel failed");
    else this.kill("it could not be made ready", "load");
  }

  #execute(message: CallMessage): void {
    const request = this.#requests.get(message.id);
    this.#acknowledge(request);
    request.execute(message, (result, written) => {
      this.#messages.sendThen(result, written);
    });
  }

  #finish({ ids, ms, bytes, idle = [] }: DoneMessage): void {
    if (!(ms >= 0)) throw new TypeError(`its request took ${ms} ms`);
    if (bytes !== undefined) this.#requests.count(ids, bytes);
    const idlers = new Set(idle.map((id) => this.#requests.get(id)));
    this.#settle(ids, (request) => request.resolve(ms, idlers.has(request)));
  }

  /** Notes the number of idle requests. More than the child has are not believed. */
  #noteIdle({ count }: IdleMessage): void {
    if (!(Number.isInteger(count) && count >= 0)) {
      throw new TypeError(`it has ${Deno.inspect(count)} idle requests`);
    }
    this.#idleCount = count;
  }

  /** The number of handlers that wait between two messages, as the child has reported it. */
  get idle(): number {
    return Math.min(this.#idleCount, this.load);
  }

  /**
   * Settles requests that have ended. After the last request of the child they are settled once its process has exited,
   * and with it all that the handlers left running.
   */
  #settle(ids: number[], settle: (request: ChildRequest) => void): void {
    const ended = ids.map((id) => this.#requests.get(id));
    for (const id of ids) this.#end(id);
    this.#idle();
    const last = this.assigned >= this.#options.requestsPerChild &&
      this.load === 0;
    if (last) this.exited.then(() => ended.forEach(settle));
    else ended.forEach(settle);
  }

  #failed({ id, error, bytes }: ErrorMessage): void {
    if (bytes !== undefined) this.#requests.count([id], bytes);
    const reason = fromFailure(error);
    this.#settle([id], (request) => request.reject(reason));
  }

  #fail(id: number, error: unknown): void {
    this.#end(id)?.reject(error);
    this.#idle();
  }

  #end(id: number): ChildRequest | undefined {
    const request = this.#requests.delete(id);
    if (request === undefined) return;
    if (id < 0) this.accepting.own--;
    this.#acknowledge(request);
    if (id < 0) {
      this.#onCapacity(); // the child may be idle now
      this.#options.accepts?.balance();
    }
    return request;
  }

  #endAll(error: unknown): void {
    this.#lost += this.load;
    for (const id of this.#requests.ids) this.#fail(id, error);
  }

  /** Ends the requests whose connections have not left this process: another child can take them. */
  #giveBack(error: NotPassedError): void {
    for (const id of this.#requests.ids) {
      if (this.#requests.get(id).waits) this.#fail(id, error);
    }
  }

  /** Without requests, lets the server's process end, and tells the child to exit if it takes no more requests. */
  #idle(): void {
    if (this.load > 0) return;
    this.#lifetime.keepAlive(this.accepting.on && this.open);
    if (!this.open) this.leave();
  }

  /** Tells the child which of its requests end because their time is up. */
  expire(expired: ExpiredRequests): void {
    for (const [id, error] of this.#requests.find(expired)) {
      this.#messages.send({ type: "expire", id, error: toFailure(error) });
    }
  }

  /** Sets the seconds that a connection of the child may be idle. */
  limitIdle(idleTimeout: number | null): void {
    this.#messages.send({ type: "limitIdle", idleTimeout });
  }

  /** Tells the handlers of the child that the server shuts down. */
  drain(): void {
    this.#messages.send({ type: "drain" });
  }

  /** Ends the waits of handlers between two messages. */
  endIdle(): void {
    this.#messages.send({ type: "endIdle" });
  }

  /** Tells the child to exit after its last request, and gives it no further one. */
  leave(why: ChildExitReason = "retired"): void {
    this.#leaving = true;
    this.#lifetime.why ??= why;
    if (this.load > 0 || this.#toldToLeave) return;
    if (this.accepting.mayAccept) return void this.#stopAccepting(why);
    this.#toldToLeave = true;
    this.#messages.send({ type: "leave" });
    this.#lifetime.awaitExit();
  }

  /** Lets the child accept no more. It may have accepted more than is known: that ends, or comes back, before it leaves. */
  async #stopAccepting(why: ChildExitReason): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    const answered = this.pause(true, false);
    this.#lifetime.keepAlive(true); // closing the server waits for the answer, and then for the exit
    await answered;
    this.accepting.mayAccept = false;
    this.leave(why);
  }

  /** Kills the child. Its requests fail. */
  kill(reason: string, why?: ChildExitReason): void {
    this.#leaving = true;
    this.#lifetime.kill(reason, why);
  }

  /** Waits for the child to exit after its channel has closed, and kills it if it does not. */
  #onDisconnect(): void {
    this.#leaving = true;
    this.#lifetime.awaitExit();
  }

  #exit(how: string): ChildEnd {
    this.#leaving = true;
    this.#requests.stopTimeouts();
    clearTimeout(this.#starting);
    const early = this.ready ? "" : " before it was ready";
    const error = new ChildProcessError(
      `Child process ${this.pid} ended${early} (${how})`,
    );
    this.#death = error;
    const broken = !this.ready && !this.#lifetime.killedExternally;
    if (broken && this.load > 0) this.failure ??= error;
    if (!broken) this.#giveBack(new NotPassedError(error.message));
    this.#endAll(error);
    const { exitReason, code, signal } = this.#lifetime;
    const reason = exitReason === "exited" && !this.ready ? "load" : exitReason;
    return { reason, code, signal, requests: this.#lost };
  }
}

/** Closes a handle that a child has passed: a connection, a listening socket or a datagram socket. */
function discard(handle: { destroy?(): void; close?(): void }): void {
  if (handle.destroy === undefined) handle.close?.();
  else handle.destroy();
}
