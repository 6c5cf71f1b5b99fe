/**
 * The TLS handshakes of a server with `ssl`: the stage between `verifyRequest` and `processRequest`.
 *
 * A handshake runs in a task of its own, also on a server without a mix-in, so that a client that stalls delays nobody.
 * After the handshake the loop takes the request to `processRequest`.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { type OSError, TimeoutError } from "../base/errors.ts";
import { Queue } from "../base/queue.ts";
import { Socket, stateOf } from "../socket/socket_object.ts";
import type { SSLContext, SSLSocket } from "../ssl/ssl_context.ts";
import { systemError } from "./accept_errors.ts";
import { handshake } from "../stages/events.ts";
import { noteLimit } from "../requests/note_limit.ts";
import { sayHookFailed } from "../stages/report.ts";
import type { ActiveRequest } from "../requests/active_request.ts";
import { type Requests, requestsOf } from "../requests/request_registry.ts";
import { turnAway } from "./rejection.ts";
import { reportAndShutdown } from "./request_stages.ts";
import type { RejectReason, ServerStages } from "../stages/stages.ts";

/** The stages of a server with TLS, besides those of every server. */
export interface SecureStages {
  /** The settings of TLS; null for a server without. */
  ssl: SSLContext | null;
  /** Reports whether to accept a client, after the handshake. */
  verifyPeer(
    request: SSLSocket,
    clientAddress: Address,
  ): boolean | Promise<boolean>;
  /** Runs when a handshake has failed. */
  handleHandshakeError(
    error: OSError,
    clientAddress: Address,
  ): void | Promise<void>;
}

type SecureServer = ServerStages<unknown> & Partial<SecureStages>;

/** A request that has begun, and the address of its client, or of the proxy while the PROXY header is to come. */
export interface BegunRequest {
  readonly active: ActiveRequest;
  readonly clientAddress: Address;
}

/** Makes the handshakes of a server, and keeps the requests that have ended theirs. */
export class Handshakes {
  readonly #server: SecureServer;
  readonly #requests: Requests;
  readonly #wake: () => void;
  readonly #pending = new Set<ActiveRequest>();
  readonly #secured = new Queue<BegunRequest>();
  #quiet: PromiseWithResolvers<void> | undefined;

  /**
   * @param server The server.
   * @param wake Called when a handshake has ended.
   */
  constructor(server: ServerStages, wake: () => void) {
    this.#server = server as SecureServer;
    this.#requests = requestsOf(server);
    this.#wake = wake;
  }

  /** Reports whether the next request makes a handshake. */
  get wanted(): boolean {
    const { ssl } = this.#server;
    return ssl !== null && ssl !== undefined;
  }

  /** Reports whether a request has ended its handshake and waits for the loop. */
  get ready(): boolean {
    return this.#secured.first !== undefined;
  }

  /** Takes the request that has ended its handshake first. */
  take(): BegunRequest | undefined {
    return this.#secured.shift();
  }

  /** Begins the handshake of a request, and ends the request if the handshake fails. */
  begin(active: ActiveRequest, clientAddress: Address): void {
    const limit = this.#requests.exceeds(active.request);
    if (limit !== undefined) {
      return this.#turnAway({ active, clientAddress }, limit);
    }
    active.detached = true;
    this.#pending.add(active);
    void this.#run({ active, clientAddress });
  }

  async #run(begun: BegunRequest): Promise<void> {
    const { active, clientAddress } = begun;
    let accepted = false;
    try {
      accepted = await this.#secure(active, clientAddress);
    } catch (thrown) {
      sayHookFailed(clientAddress, thrown);
      closeNow(active.request);
    }
    this.#pending.delete(active);
    if (!accepted) this.#requests.end(active);
    else if (this.#requests.draining) this.#turnAway(begun, "draining");
    else this.#secured.push(begun);
    this.#wake();
    if (this.#pending.size === 0) this.#quiet?.resolve();
  }

  /** Makes a handshake. Returns whether the request goes on; otherwise it is closed. */
  async #secure(
    active: ActiveRequest,
    clientAddress: Address,
  ): Promise<boolean> {
    const server = this.#server;
    const since = handshake.hasSubscribers ? performance.now() : undefined;
    try {
      await this.#handshake(active);
      publishHandshake(server, clientAddress, since, undefined);
    } catch (error) {
      publishHandshake(server, clientAddress, since, error);
      await this.#failed(active, clientAddress, error);
      return false;
    }
    const request = active.request as SSLSocket;
    try {
      const verdict = !this.#requests.draining &&
        server.verifyPeer!(request, clientAddress);
      if (verdict === true || await verdict) return true;
    } catch (error) {
      await reportAndShutdown(server, request, clientAddress, error);
      return false;
    }
    const reason = this.#requests.draining ? "draining" : "verifyPeer";
    this.#turnAway({ active, clientAddress }, reason);
    return false;
  }

  async #handshake(active: ActiveRequest): Promise<void> {
    const request = active.request as Socket;
    const secured = await this.#server.ssl!.wrapSocket(request, {
      serverSide: true,
      doHandshakeOnConnect: false,
    });
    this.#requests.replace(request, secured);
    if (this.#requests.draining) closeNow(secured);
    await secured.doHandshake();
  }

  /** Counts a failed handshake and calls the hook. Errors of another kind are the program's, and are reported. */
  async #failed(
    { request }: ActiveRequest,
    clientAddress: Address,
    error: unknown,
  ): Promise<void> {
    const server = this.#server;
    const failure = systemError(error);
    if (failure === undefined) {
      return await reportAndShutdown(server, request, clientAddress, error);
    }
    const { draining } = this.#requests;
    if (draining) this.#requests.reject(request, "draining");
    else this.#requests.failHandshake(request, failure);
    await server.closeRequest(request);
    if (draining) return;
    if (failure instanceof TimeoutError) {
      noteLimit(server, "handshakeTimeout", clientAddress);
    }
    await server.handleHandshakeError!(failure, clientAddress);
  }

  /** Resolves when no handshake is under way. */
  async settled(): Promise<void> {
    if (this.#pending.size === 0) return;
    await (this.#quiet ??= Promise.withResolvers()).promise;
    this.#quiet = undefined;
  }

  /** Closes the requests that the loop has not taken: the server shuts down. */
  drain(): void {
    for (const { request } of this.#pending) closeNow(request);
    for (let next; (next = this.#secured.shift()) !== undefined;) {
      this.#turnAway(next, "draining");
    }
  }

  #turnAway(
    { active, clientAddress }: BegunRequest,
    reason: RejectReason,
  ): void {
    void turnAway(this.#server, active.request, clientAddress, reason);
  }
}

/** Publishes the end of a handshake, if somebody listened when it began. */
function publishHandshake(
  server: ServerStages,
  clientAddress: Address,
  since: number | undefined,
  error: unknown,
): void {
  if (since === undefined) return;
  const duration = (performance.now() - since) / 1000;
  handshake.publish({ server, clientAddress, duration, error });
}

function closeNow(request: unknown): void {
  if (request instanceof Socket) stateOf(request).close(true);
}
