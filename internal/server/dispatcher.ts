/**
 * The stages of a request up to `processRequest`: `getRequest`, the PROXY header, `verifyRequest`, and the handshake of
 * TLS. Awaits a stage only if the stage gave a promise.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { ownerOf } from "../socket/fileno.ts";
import { Socket, stateOf } from "../socket/socket_object.ts";
import {
  AcceptFailures,
  type AcceptVerdict,
  systemError,
} from "./accept_errors.ts";
import { acceptError } from "../stages/events.ts";
import type { Handshakes } from "./handshakes.ts";
import type { ProxyHeaders } from "./proxy_headers.ts";
import { rejectAndShutdown, turnAway } from "./rejection.ts";
import { hookFailed } from "../stages/report.ts";
import type {
  ActiveRequest,
  KnownRequest,
} from "../requests/active_request.ts";
import { type Requests, requestsOf } from "../requests/request_registry.ts";
import {
  reportAndShutdown,
  runOwnTask,
  shutdownCurrent,
} from "./request_stages.ts";
import type { ServerStages } from "../stages/stages.ts";

/** A connection that was accepted before the server was closed. */
export interface AcceptedAhead<R> {
  readonly active: ActiveRequest<R>;
  /** The address of the client, or of the proxy while the PROXY header is to come. */
  readonly peerAddress: Address;
}

/**
 * Takes requests through the stages of a server.
 *
 * @typeParam R The type of a request.
 */
export class Dispatcher<R> {
  readonly #server: ServerStages<R>;
  readonly #requests: Requests;
  readonly #proxyHeaders: ProxyHeaders<R>;
  readonly #handshakes: Handshakes<R>;
  readonly #failures = new AcceptFailures();

  /**
   * @param server The server. Its stages are looked up at each request.
   * @param proxyHeaders The PROXY headers of the server.
   * @param handshakes The handshakes of the server.
   */
  constructor(
    server: ServerStages<R>,
    proxyHeaders: ProxyHeaders<R>,
    handshakes: Handshakes<R>,
  ) {
    this.#server = server;
    this.#proxyHeaders = proxyHeaders;
    this.#handshakes = handshakes;
    this.#requests = requestsOf(server);
  }

  /**
   * Gets a request that is ready and takes it through its stages, up to its PROXY header if it begins with one.
   *
   * @param introduced A request whose PROXY header has come, to take through the other stages instead.
   * @returns The verdict on a failure of `getRequest`; undefined if there was a request.
   */
  async handleOne(
    introduced?: ActiveRequest<R>,
  ): Promise<AcceptVerdict | undefined> {
    let active = introduced;
    if (active !== undefined) active.detached = false;
    else {
      try {
        const getting = this.#server.getRequest();
        active = this.#begin(Array.isArray(getting) ? getting : await getting);
      } catch (error) {
        return await this.#acceptFailed(error);
      }
      if (active === undefined) return;
    }
    try {
      const step = this.#admit(active as KnownRequest<R>);
      if (step !== undefined) await step;
    } catch (error) {
      await this.#requestFailed(active, active.clientAddress!, error);
    } finally {
      if (!active.detached) this.#requests.end(active);
    }
  }

  /** Accepts or rejects a request. A request that is accepted at once gives a promise only if a stage does. */
  #admit(active: KnownRequest<R>): void | Promise<void> {
    const verdict = this.#admits(active.request, active.clientAddress);
    if (verdict === true) return this.#accept(active);
    if (this.#requests.concurrent) return this.#judge(active, verdict);
    return this.#acceptOrReject(active, verdict);
  }

  async #acceptOrReject(
    active: KnownRequest<R>,
    verdict: boolean | Promise<boolean>,
  ): Promise<void> {
    if (await verdict) await this.#accept(active);
    else await this.#reject(active.request, active.clientAddress);
  }

  /** Begins a request. Returns undefined if its PROXY header must come first. */
  #begin([request, address]: [R, Address]): ActiveRequest<R> | undefined {
    this.#failures.reset();
    if (!this.#proxyHeaders.wanted) {
      return this.#requests.begin(request, address);
    }
    this.#proxyHeaders.begin(request, address);
  }

  /** Begins the handshake of an accepted request, or processes the request. */
  #accept(active: KnownRequest<R>): void | Promise<void> {
    if (this.#handshakes.wanted) return this.#handshakes.begin(active);
    return this.#process(active);
  }

  /** Processes a request. Its time begins. */
  #process(active: KnownRequest<R>): void | Promise<void> {
    this.#requests.times.begin(active);
    return this.#server.processRequest(active.request, active.clientAddress);
  }

  /** Takes a request that has ended its handshake through the other stages. */
  async handleSecured(active: KnownRequest<R>): Promise<void> {
    active.detached = false;
    try {
      await this.#process(active);
    } catch (error) {
      await this.#requestFailed(active, active.clientAddress, error);
    } finally {
      if (!active.detached) this.#requests.end(active);
    }
  }

  /** Handles a connection that was accepted before the server was closed, and that the next process cannot get. */
  async handleAhead({ active, peerAddress }: AcceptedAhead<R>): Promise<void> {
    const { request } = active;
    try {
      const client = this.#proxyHeaders.wanted
        ? await this.#proxyHeaders.introduce(active, peerAddress)
        : peerAddress;
      if (client === undefined) return;
      if (await this.#server.verifyRequest(request, client)) {
        await this.#accept(active as KnownRequest<R>);
      } else await this.#reject(request, client);
    } catch (error) {
      await this.#requestFailed(active, peerAddress, error);
    } finally {
      if (!active.detached) this.#requests.end(active);
    }
  }

  /** Reports whether a request begins with a PROXY header or a handshake. */
  get introduces(): boolean {
    return this.#proxyHeaders.wanted || this.#handshakes.wanted;
  }

  /** Waits for the PROXY headers and the handshakes under way, and handles their requests. */
  async handleIntroduced(): Promise<void> {
    await this.#proxyHeaders.settled();
    for (let next; (next = this.#proxyHeaders.take()) !== undefined;) {
      await this.handleOne(next);
    }
    await this.#handshakes.settled();
    for (let next; (next = this.#handshakes.take()) !== undefined;) {
      await this.handleSecured(next);
    }
  }

  /** Closes the requests that have not sent their PROXY header or ended their handshake: the server shuts down. */
  drain(): void {
    this.#proxyHeaders.drain();
    this.#handshakes.drain();
  }

  /** Begins a request that was accepted before the server was closed. */
  beginAhead(request: R, peerAddress: Address): AcceptedAhead<R> {
    const client = this.#proxyHeaders.wanted ? undefined : peerAddress;
    return { active: this.#requests.begin(request, client), peerAddress };
  }

  /** Reports whether to accept a request. A server that shuts down accepts none. */
  #admits(request: R, clientAddress: Address): boolean | Promise<boolean> {
    if (this.#requests.draining) return false;
    return this.#server.verifyRequest(request, clientAddress);
  }

  /** Closes a request that was not accepted. */
  #reject(request: R, clientAddress: Address): Promise<void> {
    const reason = this.#requests.draining ? "draining" : "verifyRequest";
    return rejectAndShutdown(this.#server, request, clientAddress, reason);
  }

  /**
   * Goes on with a request whose verdict is not there yet, or is no, so that the loop gets the next request meanwhile.
   * The request counts from the start: a limit holds for requests that wait for their verdict, too.
   */
  #judge(
    active: KnownRequest<R>,
    verdict: boolean | Promise<boolean>,
  ): void {
    const { request, clientAddress } = active;
    const draining = this.#requests.draining ? "draining" : undefined;
    const reason = verdict === false
      ? draining ?? "verifyRequest"
      : this.#requests.exceeds(request);
    if (reason === undefined) {
      active.detached = true;
      return void this.#verify(active, Promise.resolve(verdict));
    }
    Promise.resolve(verdict).catch(() => {}); // the client is turned away in any case
    void turnAway(this.#server, request, clientAddress, reason);
  }

  /** Waits for a verdict, and then goes on as the loop does. */
  async #verify(
    active: KnownRequest<R>,
    verdict: Promise<boolean>,
  ): Promise<void> {
    const { request, clientAddress } = active;
    const server = this.#server;
    try {
      const accepted = await verdict.finally(() => active.detached = false);
      if (active.end !== undefined) await shutdownCurrent(server, request); // cut off meanwhile
      else if (accepted) await this.#accept(active);
      else void turnAway(server, request, clientAddress, "verifyRequest");
    } catch (error) {
      await this.#requestFailed(active, clientAddress, error);
    } finally {
      if (!active.detached) this.#requests.end(active);
    }
  }

  /** Counts a failure of `getRequest` and calls the hooks. Throws a failure that ends the loop. */
  async #acceptFailed(error: unknown): Promise<AcceptVerdict> {
    const verdict = this.#failures.judge(error, listens(this.#server));
    if (acceptError.hasSubscribers) {
      acceptError.publish({ server: this.#server, error, verdict });
    }
    if (verdict === "fatal") throw error;
    const { status } = this.#requests;
    if (verdict === "resource") status.resourceErrors++;
    else status.transientErrors++;
    await this.#server.handleAcceptError(error);
    if (verdict === "resource" && this.#failures.noteShortage()) {
      await this.#server.handleShortage(systemError(error)!);
    }
    return verdict;
  }

  /**
   * Reports an error of a stage and closes the request: in the background if the server has a mix-in. Errors of the hooks
   * end the loop of a server without one.
   */
  async #requestFailed(
    active: ActiveRequest<R>,
    clientAddress: Address,
    error: unknown,
  ): Promise<void> {
    const { request } = active;
    const report = () =>
      reportAndShutdown(this.#server, request, clientAddress, error);
    if (!this.#requests.concurrent) return await report();
    if (active.detached) { // its task ends it
      report().catch((thrown) => hookFailed(request, clientAddress, thrown));
    } else {
      active.detached = true;
      void runOwnTask(this.#server, active, clientAddress, report);
    }
  }
}

/** Reports whether the socket of a server is open and takes requests. */
function listens(server: ServerStages): boolean {
  const socket = ownerOf(server.fileno());
  return socket instanceof Socket && stateOf(socket).listens;
}
