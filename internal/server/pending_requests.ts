/**
 * Requests that wait for something before the loop takes them on: their PROXY header, or their TLS handshake.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { type OSError, TimeoutError } from "../base/errors.ts";
import { Queue } from "../base/queue.ts";
import type {
  ActiveRequest,
  KnownRequest,
} from "../requests/active_request.ts";
import { noteLimit } from "../requests/note_limit.ts";
import { type Requests, requestsOf } from "../requests/request_registry.ts";
import { cutOff } from "../socket/server_calls.ts";
import type { LimitName } from "../stages/server_status.ts";
import type { ServerStages } from "../stages/stages.ts";
import { systemError } from "./accept_errors.ts";
import { turnAway } from "./rejection.ts";
import { reportAndShutdown } from "./request_stages.ts";

/**
 * Keeps the requests that wait, and those whose wait is over until the loop takes them.
 *
 * @typeParam R The type of a request.
 * @typeParam S The server, with the hooks of the wait.
 */
export abstract class PendingRequests<R, S extends ServerStages<unknown>> {
  /** The server. */
  protected readonly server: S;
  /** Its requests. */
  protected readonly requests: Requests;
  readonly #wake: () => void;
  readonly #pending = new Set<ActiveRequest<R>>();
  readonly #ready = new Queue<KnownRequest<R>>();
  #quiet: PromiseWithResolvers<void> | undefined;

  /**
   * @param server The server.
   * @param wake Called when the wait of a request is over.
   */
  constructor(server: ServerStages<R>, wake: () => void) {
    this.server = server as unknown as S;
    this.requests = requestsOf(server);
    this.#wake = wake;
  }

  /** Reports whether the next request waits here. */
  abstract get wanted(): boolean;

  /** The limit of the time that a request waits. */
  protected abstract readonly timeLimit: LimitName;

  /** Counts a request whose wait has failed. */
  protected abstract noteFailure(active: ActiveRequest, failure: OSError): void;

  /** Calls the hook of the server for a wait that has failed. */
  protected abstract tellFailure(
    failure: OSError,
    address: Address,
  ): void | Promise<void>;

  /** Reports whether no request waits. */
  get empty(): boolean {
    return this.#pending.size === 0;
  }

  /** Reports whether the loop may take a request. */
  get ready(): boolean {
    return this.#ready.first !== undefined;
  }

  /** Takes the request whose wait was over first. */
  take(): KnownRequest<R> | undefined {
    return this.#ready.shift();
  }

  /** Begins the wait of a request. */
  protected beginWait(active: ActiveRequest<R>): void {
    active.detached = true;
    this.#pending.add(active);
  }

  /** Hands a request to the loop. */
  protected hand(active: KnownRequest<R>): void {
    this.#ready.push(active);
  }

  /** Ends the wait of a request, whatever has become of it, and wakes the loop. */
  protected endWait(active: ActiveRequest<R>): void {
    this.#pending.delete(active);
    this.#wake();
    if (this.empty) this.#quiet?.resolve();
  }

  /**
   * Closes a request whose wait has failed, counts the failure and calls the hook. Errors of another kind are the
   * program's, and are reported.
   */
  protected async fail(
    active: ActiveRequest,
    address: Address,
    error: unknown,
  ): Promise<void> {
    const { server } = this;
    const { request } = active;
    const failure = systemError(error);
    if (failure === undefined) {
      return await reportAndShutdown(server, request, address, error);
    }
    const { draining, results } = this.requests;
    if (draining) results.reject(request, "draining");
    else this.noteFailure(active, failure);
    await server.closeRequest(request);
    if (draining) return;
    if (failure instanceof TimeoutError) {
      noteLimit(server, this.timeLimit, address);
    }
    await this.tellFailure(failure, address);
  }

  /** Resolves when no request waits. */
  async settled(): Promise<void> {
    if (this.empty) return;
    await (this.#quiet ??= Promise.withResolvers()).promise;
    this.#quiet = undefined;
  }

  /** Cuts off the requests that wait, and turns those away that the loop has not taken: the server shuts down. */
  drain(): void {
    for (const { request } of this.#pending) cutOff(request);
    for (let next; (next = this.take()) !== undefined;) {
      const { request, clientAddress } = next;
      void turnAway(this.server, request, clientAddress, "draining");
    }
  }
}
