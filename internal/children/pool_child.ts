/**
 * The server's side of one child process.
 *
 * @module
 */

import type { ChildProcess } from "node:child_process";
import type { Socket as NetSocket } from "node:net";
import type { Address } from "../base/address.ts";
import { SharedTimer } from "../waiting/timeouts.ts";
import { TimeoutError } from "../base/errors.ts";
import { fromFailure, toFailure } from "../handoff/failure.ts";
import type { ExpiredRequests } from "../requests/remote_runner.ts";
import type { ChildExitReason } from "../stages/event_types.ts";
import { ChildRequest, type JobEnd, ShutdownCalls } from "./child_request.ts";
import type { Job } from "./child_job.ts";
import type { ChildEnd } from "./child_events.ts";
import { ChildLifetime, ChildProcessError } from "./child_lifetime.ts";
import { connectionOver } from "../runtime/parked_listener.ts";
import { Queue } from "../base/queue.ts";
import {
  type AcceptedMessage,
  type CallMessage,
  CHILD_LIMITS,
  type ChildLimit,
  type DoneMessage,
  type EndedMessage,
  type ErrorMessage,
  type FromChild,
  type GaveMessage,
  type IdleMessage,
  type InitMessage,
  type LimitMessage,
  type ListenMessage,
  type OfferMessage,
  type ReadyMessage,
  type ReturnedMessage,
} from "./messages.ts";
import { MessageQueue } from "./message_queue.ts";

/** The calls that a child makes for the connections that it accepts itself. */
export interface AcceptHooks {
  /** Begins a request that the child has accepted, and returns it. `ended` settles when its handler has ended. */
  begin(client: Address): AcceptedRequest;
  /** Counts requests that have ended before the child has reported them. */
  counted(report: EndedMessage): void;
  /** Takes a connection that the child has returned. */
  returned(socket: NetSocket): void;
  /** Called when the child has used its credit, or has given some up, or is ready. */
  changed(child: PoolChild): void;
}

/** A request that a child has accepted. */
export interface AcceptedRequest {
  readonly job: Job;
  /** Goes on with the request. */
  readonly run: (ended: Promise<JobEnd>) => void;
}

/** The options of a child. */
export interface PoolChildOptions {
  /** The calls for connections that the child accepts itself; undefined if it gets them from the server. */
  accepts?: AcceptHooks;
  /** The first message to the child. */
  init: Omit<InitMessage, "token">;
  /** Stops the loop of the server. */
  shutdown: () => Promise<void>;
  /** Called when a request of the child is over a limit. */
  onLimit: (limit: ChildLimit, client: Address) => void;
  /** The count of requests after which the child exits. */
  requestsPerChild: number;
  /** The seconds that a request may take; null is no limit. */
  childTimeout: number | null;
}

/** Gives requests to a child process, and settles them as the child reports. Owns the process and ends it. */
export class PoolChild {
  readonly #options: PoolChildOptions;
  readonly #messages: MessageQueue;
  readonly #lifetime: ChildLifetime;
  readonly #onCapacity: () => void;
  readonly #requests = new Map<number, ChildRequest>();
  readonly #timer = new SharedTimer();
  readonly #shutdowns: ShutdownCalls;
  readonly #token = crypto.randomUUID();
  /** The number of requests given to the child so far. */
  assigned = 0;
  #unacknowledged = 0;
  #idleCount = 0;
  #leaving = false;
  #toldToLeave = false;
  #accepting = false;
  /** Whether the child has the listening socket, and was not stopped for good. */
  #mayAccept = false;
  #stopping = false;
  /** The answers to the pauses that were sent. */
  readonly #pauses = new Queue<() => void>();
  /** The number of connections that the child has offered and that have not come. */
  #offered = 0;
  /** Whether the child has connections to return, and requests of its own to begin after that. */
  #sorting = false;
  /** The number of requests that the child may have open, of those that it accepts itself. */
  credit = 0;
  /** The number of open requests that the child has accepted itself. */
  own = 0;
  /** Whether the child has used its credit and could use more. */
  full = false;
  /** Whether the child accepts the next connection. */
  listening = false;
  /** The time at which the child was last heard, on the clock of `performance.now()`. */
  heard = 0;
  /** The time at which the child was asked whether its event loop turns, and has not answered. */
  #probed: number | undefined;
  /** Whether the child has not answered a probe: its handler computes, or it is stopped. */
  silent = false;
  /** The number of requests that have failed with the process. */
  #lost = 0;
  /** The pid of the child; undefined if it could not be started. */
  readonly pid: number | undefined;
  /** Resolves when the process has ended. */
  readonly exited: Promise<ChildEnd>;
  /** Whether the module of the handler is loaded. */
  ready = false;
  /** The time at which the child last got its first request or ended one, on the clock of `performance.now()`. */
  lastProgress = 0;
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
    this.pid = process.pid;
    this.#lifetime = new ChildLifetime(process);
    this.exited = this.#lifetime.ended.then((how) => this.#exit(how));
    this.#messages = new MessageQueue(process, () => this.#onDisconnect());
    process.on("message", (message, handle) => {
      this.#onMessage(message as FromChild, handle as NetSocket | undefined);
    });
    process.on("internalMessage", (message, handle) => {
      this.#onMessage(message as FromChild, handle as NetSocket | undefined);
    });
    process.on("error", (error) => this.#crash(error));
    process.on("disconnect", () => this.#onDisconnect());
    this.#messages.sendFirst({ ...options.init, token: this.#token });
    this.#idle();
  }

  /** The number of open requests of the child. */
  get load(): number {
    return this.#requests.size;
  }

  /** Reports whether the child takes more requests, now or later. */
  get open(): boolean {
    return !this.#leaving && this.assigned < this.#options.requestsPerChild;
  }

  /**
   * Reports whether the child has acknowledged all of its requests, and those that it has accepted are known. A child
   * that is stopped or computes acknowledges none.
   */
  get free(): boolean {
    return this.#unacknowledged === 0 && !this.#sorting;
  }

  /**
   * Gives the child a request. Resolves when the handler has ended. Rejects with the error of the handler.
   */
  run(job: Job): Promise<JobEnd> {
    if (this.load === 0) this.lastProgress = performance.now();
    const id = ++this.assigned;
    const request = new ChildRequest(job);
    this.#lifetime.keepAlive(true);
    this.#requests.set(id, request);
    this.#unacknowledged++;
    this.#watch(id, request);
    const onLost = (error: unknown) => this.#fail(id, error);
    const connection = job.socket && { socket: job.socket, onLost };
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
      this.#lost++;
      this.#fail(id, error);
      this.kill(
        "another of its requests took longer than childTimeout",
        "timeout",
      );
    });
  }

  /**
   * Handles a message of the child. Messages are not trusted: a handler can send anything, and pass a descriptor, which
   * would stay open here.
   */
  #onMessage(message: FromChild, handle?: NetSocket): void {
    try {
      const returned = message.type === "returned" && this.#offered > 0;
      if (handle !== undefined && !returned) discard(handle);
      if (message.token !== this.#token) {
        throw new TypeError(`not from this module: ${Deno.inspect(message)}`);
      }
      this.#hear();
      if (returned) this.#takeReturned(message, handle);
      else this.#dispatch(message);
    } catch (error) {
      this.kill(`it sent a message that cannot be understood: ${error}`);
    }
  }

  #hear(): void {
    this.heard = performance.now();
    this.#probed = undefined;
    if (!this.silent) return;
    this.silent = false;
    this.#onCapacity();
    this.#accepts.changed(this);
  }

  /**
   * Asks a child that was not heard since the last probe whether its event loop turns. One that has not answered that is
   * silent, and ends if it stays so for `childTimeout`: it may have a request that it could not report.
   */
  probe(): void {
    if (!this.ready || this.#lifetime.why !== undefined) return;
    if (this.#probed === undefined) {
      this.#probed = performance.now();
      this.#messages.send({ type: "probe" });
      return;
    }
    const { childTimeout } = this.#options;
    const seconds = (performance.now() - this.#probed) / 1000;
    if (this.silent && childTimeout !== null && seconds >= childTimeout) {
      this.kill(
        `it has not answered for childTimeout, ${childTimeout} s`,
        "timeout",
      );
    }
    if (this.silent) return;
    this.silent = true;
    this.#onCapacity();
    this.#accepts.changed(this);
  }

  #dispatch(message: FromChild): void {
    switch (message.type) {
      case "ready":
        return this.#loaded(message);
      case "acknowledge":
        return this.#acknowledge(this.#requestOf(message.id));
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
      case "alive":
        return this.#sorted();
      case "accepted":
        return this.#accepted(message);
      case "ended":
        return this.#countEnded(message);
      case "full":
        this.full = true;
        return this.#accepts.changed(this);
      case "listens":
      case "rests":
        this.listening = message.type === "listens";
        return this.#accepts.changed(this);
      case "gave":
        return this.#gave(message);
      case "paused":
        return this.#paused();
      case "offer":
        return this.#takeOffer(message);
      default:
        throw new TypeError(`its type is ${Deno.inspect(message)}`);
    }
  }

  get #accepts(): AcceptHooks {
    const { accepts } = this.#options;
    if (accepts === undefined) throw new TypeError("it does not accept");
    return accepts;
  }

  /** Passes the listening socket. */
  listen(message: ListenMessage, handle: object): void {
    this.#mayAccept = true;
    this.#messages.sendListener(message, handle);
  }

  /** Gives the child credit; a negative one asks it to give some up. */
  grant(credit: number): void {
    if (credit > 0) this.credit += credit;
    if (credit > 0) this.full = false;
    this.#messages.send({ type: "credit", credit });
  }

  /**
   * Lets the child accept, or stop. Resolves when all that it has accepted until then is reported, or the child has ended.
   * A child that accepts keeps the process of the server alive.
   */
  pause(paused: boolean, each: boolean): Promise<void> {
    if (this.#leaving) paused = true;
    this.#accepting = !paused;
    this.#lifetime.keepAlive(this.#accepting || this.load > 0);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#pauses.push(resolve);
    this.#messages.send({ type: "pause", paused, each });
    return Promise.race([promise, this.exited.then(() => {})]);
  }

  /** Whether the child has answered all pauses: the server knows of all that it has accepted. */
  get settled(): boolean {
    return this.#pauses.first === undefined;
  }

  #paused(): void {
    const answered = this.#pauses.shift();
    if (answered === undefined) throw new TypeError("nobody paused it");
    answered();
  }

  #gave({ credit }: GaveMessage): void {
    this.#takeCredit(credit);
    this.#accepts.changed(this);
  }

  #takeCredit(credit: number): void {
    if (!(Number.isInteger(credit) && credit >= 0 && credit <= this.credit)) {
      throw new TypeError(`it gave up ${Deno.inspect(credit)} credits`);
    }
    this.credit -= credit;
  }

  #takeOffer({ count }: OfferMessage): void {
    if (this.#offered > 0 || !(Number.isInteger(count) && count > 0)) {
      throw new TypeError(`it offered ${Deno.inspect(count)} connections`);
    }
    this.#offered = count;
    this.#sorting = true;
    this.#messages.take();
  }

  #sorted(): void {
    if (!this.#sorting) return;
    this.#sorting = false;
    this.#onCapacity();
  }

  #takeReturned({ credit }: ReturnedMessage, handle?: object): void {
    this.#takeCredit(credit);
    if (--this.#offered === 0) this.#messages.returned();
    if (handle !== undefined) this.#accepts.returned(connectionOver(handle));
  }

  /** Begins the requests that the child has accepted. */
  #accepted({ ids, clients }: AcceptedMessage): void {
    const accepts = this.#accepts;
    ids.forEach((id, at) => {
      if (!(id < 0) || this.#requests.has(id)) {
        throw new TypeError(`it cannot have accepted ${Deno.inspect(id)}`);
      }
      const { job, run } = accepts.begin(clients[at]);
      const request = new ChildRequest(job);
      if (this.load === 0) this.lastProgress = performance.now();
      this.#unacknowledged++;
      this.assigned++;
      this.own++;
      this.#lifetime.keepAlive(true);
      this.#requests.set(id, request);
      this.#watch(id, request);
      run(request.ended);
    });
  }

  #countEnded(report: EndedMessage): void {
    for (const count of [report.count, report.gone]) {
      if (!(Number.isSafeInteger(count) && count >= 0)) {
        throw new TypeError(`it ended ${Deno.inspect(count)} requests`);
      }
    }
    this.assigned += report.count + report.gone;
    this.#accepts.counted(report);
    this.#idle();
  }

  #limit({ id, limit }: LimitMessage): void {
    const { client } = this.#requestOf(id).job.message;
    if (!CHILD_LIMITS.includes(limit)) {
      throw new TypeError(`there is no limit ${Deno.inspect(limit)}`);
    }
    this.#options.onLimit(limit, client);
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
    this.#onCapacity();
    this.#options.accepts?.changed(this);
  }

  #acknowledge(request: ChildRequest): void {
    if (request.acknowledged) return;
    request.acknowledged = true;
    this.#unacknowledged--;
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
    const request = this.#requestOf(message.id);
    this.#acknowledge(request);
    request.execute(message, (result, written) => {
      this.#messages.sendThen(result, written);
    });
  }

  #finish({ ids, ms, bytes, idle = [] }: DoneMessage): void {
    if (!(ms >= 0)) throw new TypeError(`its request took ${ms} ms`);
    if (bytes !== undefined) this.#count(ids, bytes);
    const idlers = new Set(idle.map((id) => this.#requestOf(id)));
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
    const ended = ids.map((id) => this.#requestOf(id));
    for (const id of ids) this.#end(id);
    this.#idle();
    const last = this.assigned >= this.#options.requestsPerChild &&
      this.load === 0;
    if (last) this.exited.then(() => ended.forEach(settle));
    else ended.forEach(settle);
  }

  /** Notes the bytes of requests that have ended: two numbers for each. */
  #count(ids: number[], bytes: number[]): void {
    ids.forEach((id, at) => {
      this.#requestOf(id).count(bytes[2 * at], bytes[2 * at + 1]);
    });
  }

  #failed({ id, error, bytes }: ErrorMessage): void {
    if (bytes !== undefined) this.#count([id], bytes);
    const reason = fromFailure(error);
    this.#settle([id], (request) => request.reject(reason));
  }

  #fail(id: number, error: unknown): void {
    this.#end(id)?.reject(error);
    this.#idle();
  }

  #end(id: number): ChildRequest | undefined {
    const request = this.#requests.get(id);
    if (request === undefined) return;
    this.#requests.delete(id);
    if (id < 0) this.own--;
    if (this.load > 0) this.lastProgress = performance.now();
    request.cancelTimeout();
    this.#acknowledge(request);
    if (id < 0) this.#onCapacity(); // the child may be idle now
    return request;
  }

  #endAll(error: unknown): void {
    this.#lost += this.load;
    for (const id of [...this.#requests.keys()]) this.#fail(id, error);
  }

  /** Without requests, lets the server's process end, and tells the child to exit if it takes no more requests. */
  #idle(): void {
    if (this.load > 0) return;
    this.#lifetime.keepAlive(this.#accepting && this.open);
    if (!this.open) this.leave();
  }

  /** Tells the child which of its requests end because their time is up. */
  expire(expired: ExpiredRequests): void {
    for (const [id, { job }] of this.#requests) {
      const error = expired.get(job.request);
      if (error === undefined) continue;
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
    if (this.#mayAccept) return void this.#stopAccepting(why);
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
    this.#mayAccept = false;
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
    this.#timer.stop();
    const early = this.ready ? "" : " before it was ready";
    const error = new ChildProcessError(
      `Child process ${this.pid} ended${early} (${how})`,
    );
    const broken = !this.ready && !this.#lifetime.killedExternally;
    if (broken && this.load > 0) this.failure ??= error;
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
