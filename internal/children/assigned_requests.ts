/**
 * The requests that one child process has.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { fromFailure, toFailure } from "../handoff/failure.ts";
import type { ExpiredRequests } from "../requests/remote_requests.ts";
import { SharedTimer } from "../waiting/timeouts.ts";
import type { Job } from "./child_job.ts";
import type { ChildLink } from "./child_link.ts";
import { ChildRequest } from "./child_request.ts";
import {
  type AcknowledgeMessage,
  type CallMessage,
  CHILD_LIMITS,
  type ChildLimit,
  type DoneMessage,
  type ErrorMessage,
  type IdleMessage,
  type LimitMessage,
} from "./messages.ts";

/** A message from a child about its requests. */
type RequestReport =
  | AcknowledgeMessage
  | CallMessage
  | DoneMessage
  | ErrorMessage
  | IdleMessage
  | LimitMessage;

/** The limits of the requests of a child. */
export interface AssignedLimits {
  /** The count of requests after which the child exits. */
  requestsPerChild: number;
  /** The seconds that a request may take; null is no limit. */
  childTimeout: number | null;
  /** Called when a request of the child is over a limit. */
  onLimit: (limit: ChildLimit, client: Address) => void;
}

/** The child process that has the requests. */
export interface AssignedChild {
  /** Resolves when the process of the child has ended. */
  readonly exited: Promise<unknown>;
  /** The channel to the child. */
  readonly link: ChildLink;
  /** Called when the child gets a request. */
  onAdded(): void;
  /** Called with the id of a request that takes longer than `childTimeout`. */
  onLate(id: number): void;
  /** Called when the child has acknowledged a request, or a request has ended that was not acknowledged. */
  onAcknowledged(): void;
  /** Called with the id of a request that has ended, before it is settled; without one if requests were only counted. */
  onEnded(id?: number): void;
}

/**
 * The requests of one child that have not ended, by their ids: which of them the child has acknowledged, how long each may
 * take, and how they end. Messages are not trusted: each is checked.
 */
export class AssignedRequests {
  readonly #limits: AssignedLimits;
  readonly #child: AssignedChild;
  readonly #requests = new Map<number, ChildRequest>();
  readonly #timer = new SharedTimer();
  #unacknowledged = 0;
  #idle = 0;
  /** The error of all requests once the process has ended. Its last messages may come after that. */
  death: Error | undefined;
  /** The number of requests that the child has had. */
  assigned = 0;
  /** The number of requests that have failed with the process. */
  lost = 0;
  /** The time at which the child last got its first request or ended one, on the clock of `performance.now()`. */
  lastProgress = 0;

  /**
   * @param limits The limits of the requests.
   * @param child The child.
   */
  constructor(limits: AssignedLimits, child: AssignedChild) {
    this.#limits = limits;
    this.#child = child;
  }

  /** The number of requests. */
  get size(): number {
    return this.#requests.size;
  }

  /** Whether the child has acknowledged all of them. */
  get acknowledged(): boolean {
    return this.#unacknowledged === 0;
  }

  /** Whether the child has had as many requests as it may have in its life. */
  get exhausted(): boolean {
    return this.assigned >= this.#limits.requestsPerChild;
  }

  /** Reports whether there is a request with this id. */
  has(id: number): boolean {
    return this.#requests.has(id);
  }

  /**
   * Returns a request.
   *
   * @throws {TypeError} if the child has no such request.
   */
  #get(id: number): ChildRequest {
    const request = this.#requests.get(id);
    if (request !== undefined) return request;
    throw new TypeError(`it has no request ${Deno.inspect(id)}`);
  }

  /** Adds a request, which the child has not acknowledged. */
  add(id: number, job: Job): ChildRequest {
    this.#child.onAdded();
    if (this.size === 0) this.lastProgress = performance.now();
    this.assigned++;
    const request = new ChildRequest(job);
    this.#requests.set(id, request);
    this.#unacknowledged++;
    const { childTimeout } = this.#limits;
    if (childTimeout !== null) {
      request.limit(this.#timer, childTimeout, () => this.#child.onLate(id));
    }
    return request;
  }

  /** Notes that the child has acknowledged a request. */
  #acknowledge(request: ChildRequest): void {
    if (request.acknowledged) return;
    request.acknowledged = true;
    this.#unacknowledged--;
    this.#child.onAcknowledged();
  }

  /**
   * Handles a message about requests.
   *
   * @throws {TypeError} if the module's own code in the child cannot have sent it.
   */
  onMessage(message: RequestReport): void {
    switch (message.type) {
      case "acknowledge":
        return this.#acknowledge(this.#get(message.id));
      case "call":
        return this.#execute(message);
      case "done":
        return this.#finish(message);
      case "error":
        return this.#failed(message);
      case "idle":
        return this.#noteIdle(message);
      case "limit":
        return this.#limit(message);
    }
  }

  #execute(message: CallMessage): void {
    const request = this.#get(message.id);
    this.#acknowledge(request);
    request.execute(message, (...result) => this.#child.link.send(...result));
  }

  #limit({ id, limit }: LimitMessage): void {
    const { client } = this.#get(id).job.message;
    if (!CHILD_LIMITS.includes(limit)) {
      throw new TypeError(`there is no limit ${Deno.inspect(limit)}`);
    }
    this.#limits.onLimit(limit, client);
  }

  #finish({ ids, ms, bytes, idle = [] }: DoneMessage): void {
    if (!(ms >= 0)) throw new TypeError(`its request took ${ms} ms`);
    if (bytes !== undefined) this.#count(ids, bytes);
    const idlers = new Set(idle.map((id) => this.#get(id)));
    this.#settle(ids, (request) => request.resolve(ms, idlers.has(request)));
  }

  /** Ends a request whose handler has thrown. */
  #failed({ id, error, bytes }: ErrorMessage): void {
    if (bytes !== undefined) this.#count([id], bytes);
    const reason = fromFailure(error);
    this.#settle([id], (request) => request.reject(reason));
  }

  /** Notes the bytes of requests that have ended: two numbers for each. */
  #count(ids: number[], bytes: number[]): void {
    ids.forEach((id, at) => {
      this.#get(id).count(bytes[2 * at], bytes[2 * at + 1]);
    });
  }

  /**
   * Settles requests that have ended. After the last request of the child they are settled once its process has exited,
   * and with it all that the handlers left running.
   */
  #settle(ids: number[], settle: (request: ChildRequest) => void): void {
    const ended = ids.map((id) => this.#get(id));
    for (const id of ids) this.#end(id);
    const last = this.exhausted && this.size === 0;
    if (last) this.#child.exited.then(() => ended.forEach(settle));
    else ended.forEach(settle);
  }

  #end(id: number): ChildRequest | undefined {
    const request = this.#requests.get(id);
    if (request === undefined) return;
    this.#requests.delete(id);
    if (this.size > 0) this.lastProgress = performance.now();
    request.cancelTimeout();
    this.#acknowledge(request);
    this.#child.onEnded(id);
    return request;
  }

  /** Ends a request with an error, if it has not ended. */
  fail(id: number, error: unknown): void {
    this.#end(id)?.reject(error);
  }

  /** Ends a request that the child has reported after its end. */
  failIfDead(id: number): void {
    if (this.death !== undefined) this.fail(id, this.death);
  }

  /** Notes requests that have ended before the child has reported them. */
  countEnded(count: number): void {
    this.assigned += count;
    this.#child.onEnded();
  }

  /** Ends all requests with an error: the process has ended. */
  die(error: Error): void {
    this.death = error;
    this.#timer.stop();
    this.failAll(error);
  }

  /** Ends all requests with an error. */
  failAll(error: unknown): void {
    this.lost += this.size;
    for (const id of [...this.#requests.keys()]) this.fail(id, error);
  }

  /** Ends the requests whose connections have not left this process: another child can take them. */
  giveBack(error: unknown): void {
    for (const [id, request] of [...this.#requests]) {
      if (request.holdsConnection) this.fail(id, error);
    }
  }

  /** The number of handlers that wait between two messages, as the child has reported it. */
  get idle(): number {
    return Math.min(this.#idle, this.size); // more than the child has are not believed
  }

  #noteIdle({ count }: IdleMessage): void {
    if (!(Number.isInteger(count) && count >= 0)) {
      throw new TypeError(`it has ${Deno.inspect(count)} idle requests`);
    }
    this.#idle = count;
  }

  /** Tells the child which of the requests end because their time is up. */
  expire(expired: ExpiredRequests): void {
    for (const [id, { job }] of this.#requests) {
      const error = expired.get(job.request);
      if (error === undefined) continue;
      this.#child.link.send({ type: "expire", id, error: toFailure(error) });
    }
  }
}
