/**
 * Requests that wait for something before the loop takes them on: their PROXY header, or their TLS handshake.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { type OSError, TimeoutError } from "../base/errors.ts";
import type {
  ActiveRequest,
  KnownRequest,
} from "../requests/active_requests.ts";
import { noteLimit } from "../requests/note_limit.ts";
import { type Requests, requestsOf } from "../requests/request_registry.ts";
import { cutOff } from "../socket/server_calls.ts";
import type { LimitName } from "../stages/server_status.ts";
import type { ServerStages } from "../stages/stages.ts";
import { systemError } from "./accept_errors.ts";
import { turnAway } from "./rejection.ts";
import { reportAndShutdown } from "./request_stages.ts";

/**
 * Keeps the requests that wait.
 *
 * @typeParam R The type of a request.
 * @typeParam S The server, with the hooks of the wait.
 */
export abstract class PendingRequests<R, S extends ServerStages<unknown>> {
  /** The server. */
  protected readonly server: S;
  /** Its requests. */
  protected readonly requests: Requests;
  readonly #onEnd: (ready?: KnownRequest) => void;
  readonly #pending = new Set<ActiveRequest<R>>();
  #allEnded: PromiseWithResolvers<void> | undefined;

  /**
   * @param server The server.
   * @param onEnd Called when the wait of a request is over, with the request if the loop is to take it.
   */
  constructor(
    server: ServerStages<R>,
    onEnd: (ready?: KnownRequest) => void,
  ) {
    this.server = server as unknown as S;
    this.requests = requestsOf(server);
    this.#onEnd = onEnd;
  }

  /** The limit of the time that a request waits. */
  protected abstract readonly timeLimit: LimitName;

  /** Counts a request whose wait has failed. */
  protected abstract noteFailure(active: ActiveRequest, failure: OSError): void;

  /** Calls the hook of the server for a wait that has failed. */
  protected abstract tellFailure(
    failure: OSError,
    address: Address,
  ): void | Promise<void>;

  /** Whether no request waits. */
  get empty(): boolean {
    return this.#pending.size === 0;
  }

  /** Begins the wait of a request. */
  protected beginWait(active: ActiveRequest<R>): void {
    active.inTask = true;
    this.#pending.add(active);
  }

  /**
   * Ends the wait of a request. Turns the request away if the server has begun to drain meanwhile.
   *
   * @param active The request.
   * @param ready The request again, if the loop is to take it; undefined if it has ended.
   */
  protected endWait(
    active: ActiveRequest<R>,
    ready: KnownRequest<R> | undefined,
  ): void {
    this.#pending.delete(active);
    if (ready === undefined || !this.requests.draining) this.#onEnd(ready);
    else void turnAway(this.server, ready, "draining");
    if (this.empty) this.#allEnded?.resolve();
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
    await (this.#allEnded ??= Promise.withResolvers()).promise;
    this.#allEnded = undefined;
  }

  /** Cuts off the requests that wait: the server shuts down. */
  drain(): void {
    for (const { request } of this.#pending) cutOff(request);
  }
}
