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
import { Handshakes } from "./handshakes.ts";
import { ProxyHeaders } from "./proxy_headers.ts";
import { rejectAndShutdown, turnAway } from "./rejection.ts";
import { sayHookFailedAndClose } from "../stages/report.ts";
import type {
  ActiveRequest,
  KnownRequest,
} from "../requests/active_requests.ts";
import { type Requests, requestsOf } from "../requests/request_registry.ts";
import {
  endAfter,
  reportAndShutdown,
  shutdownCurrent,
} from "./request_stages.ts";
import type { SSLContext } from "../ssl/ssl_context.ts";
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
  readonly #server: ServerStages<R> & { readonly ssl?: SSLContext | null };
  readonly #requests: Requests;
  /** The requests that the loop is to take on: their PROXY headers have come, or their TLS handshakes have ended. */
  readonly ready: KnownRequest<R>[] = [];
  readonly #onReady: (active?: KnownRequest) => void;
  #proxyHeaders: ProxyHeaders<R> | undefined;
  #handshakes: Handshakes<R> | undefined;
  #failures: AcceptFailures | undefined;

  /**
   * @param server The server. Its stages are looked up at each request.
   * @param wake Called when {@linkcode Dispatcher.ready} may have another request.
   */
  constructor(server: ServerStages<R>, wake: () => void) {
    this.#server = server;
    this.#requests = requestsOf(server);
    this.#onReady = (active) => {
      if (active !== undefined) this.ready.push(active as KnownRequest<R>);
      wake();
    };
  }

  /**
   * Gets a request and takes it through its stages, up to its PROXY header or its TLS handshake if it begins with one.
   *
   * @returns The verdict on a failed `getRequest`; undefined otherwise.
   */
  async handleNext(): Promise<AcceptVerdict | undefined> {
    let active: KnownRequest<R> | undefined;
    try {
      const getting = this.#server.getRequest();
      active = this.#begin(Array.isArray(getting) ? getting : await getting);
    } catch (error) {
      return await this.#acceptFailed(error);
    }
    if (active === undefined) return;
    try {
      const step = this.#admit(active);
      if (step !== undefined) await step;
    } catch (error) {
      await this.#requestFailed(active, active.clientAddress, error);
    } finally {
      if (!active.inTask) this.#requests.end(active);
    }
  }

  /** Takes one of the requests that are {@linkcode Dispatcher.ready} through its other stages. */
  async handleReady(active: KnownRequest<R>): Promise<void> {
    active.inTask = false;
    try {
      const step = active.secured ? this.#accept(active) : this.#admit(active);
      if (step !== undefined) await step;
    } catch (error) {
      await this.#requestFailed(active, active.clientAddress, error);
    } finally {
      if (!active.inTask) this.#requests.end(active);
    }
  }

  /** Begins a request. Returns undefined if its PROXY header must come first. */
  #begin([request, address]: [R, Address]): KnownRequest<R> | undefined {
    this.#failures?.reset();
    if (this.#requests.trustedPeers === undefined) {
      return this.#requests.begin(request, address);
    }
    this.#headers.begin(request, address);
  }

  /** Accepts or rejects a request; a server that shuts down accepts none. Returns a promise only if a stage does. */
  #admit(active: KnownRequest<R>): void | Promise<void> {
    const { draining, concurrent } = this.#requests;
    const accepted = !draining &&
      this.#server.verifyRequest(active.request, active.clientAddress);
    if (accepted === true) return this.#accept(active);
    if (concurrent) return this.#decideInTask(active, accepted);
    return this.#acceptOrReject(active, accepted);
  }

  /** Processes a request, whose time begins; on a server with `ssl` after its handshake. */
  #accept(active: KnownRequest<R>): void | Promise<void> {
    const server = this.#server;
    if (server.ssl && !active.secured) {
      this.#handshakes ??= new Handshakes(server, this.#onReady);
      return this.#handshakes.begin(active);
    }
    this.#requests.beginTime(active);
    return server.processRequest(active.request, active.clientAddress);
  }

  async #acceptOrReject(
    active: KnownRequest<R>,
    accepted: boolean | Promise<boolean>,
  ): Promise<void> {
    if (await accepted) await this.#accept(active);
    else await this.#reject(active.request, active.clientAddress);
  }

  get #headers(): ProxyHeaders<R> {
    return this.#proxyHeaders ??= new ProxyHeaders(this.#server, this.#onReady);
  }

  /** Handles a connection that was accepted before the server was closed, and that the next process cannot get. */
  async handleAhead({ active, peerAddress }: AcceptedAhead<R>): Promise<void> {
    const { request } = active;
    try {
      const client = this.#requests.trustedPeers === undefined
        ? peerAddress
        : await this.#headers.awaitClient(active, peerAddress);
      if (client === undefined) return;
      if (await this.#server.verifyRequest(request, client)) {
        await this.#accept(active as KnownRequest<R>);
      } else await this.#reject(request, client);
    } catch (error) {
      const clientAddress = active.clientAddress ?? peerAddress;
      await this.#requestFailed(active, clientAddress, error);
    } finally {
      if (!active.inTask) this.#requests.end(active);
    }
  }

  /** Whether requests may have to wait for a PROXY header or a handshake. */
  get mayHavePending(): boolean {
    return this.#requests.trustedPeers !== undefined || !!this.#server.ssl;
  }

  /** Waits for the PROXY headers and the handshakes under way, and handles their requests. */
  async handlePending(): Promise<void> {
    await this.#proxyHeaders?.settled();
    while (this.ready.length > 0) await this.handleReady(this.ready.shift()!);
    await this.#handshakes?.settled();
    while (this.ready.length > 0) await this.handleReady(this.ready.shift()!);
  }

  /** Closes the requests that have not sent their PROXY header or ended their handshake: the server shuts down. */
  drain(): void {
    this.#proxyHeaders?.drain();
    this.#handshakes?.drain();
    for (const active of this.ready.splice(0)) {
      void turnAway(this.#server, active, "draining");
    }
  }

  /** Begins a request that was accepted before the server was closed. */
  beginAhead(request: R, peerAddress: Address): AcceptedAhead<R> {
    const { trustedPeers } = this.#requests;
    const client = trustedPeers === undefined ? peerAddress : undefined;
    return { active: this.#requests.begin(request, client), peerAddress };
  }

  /** Closes a request that was not accepted. */
  #reject(request: R, clientAddress: Address): Promise<void> {
    const reason = this.#requests.draining ? "draining" : "verifyRequest";
    return rejectAndShutdown(this.#server, request, clientAddress, reason);
  }

  /**
   * Waits for a verdict in a task, or turns the request away, so that the loop gets the next request meanwhile. A
   * request that waits for its verdict counts towards the limits.
   */
  #decideInTask(
    active: KnownRequest<R>,
    accepted: boolean | Promise<boolean>,
  ): void {
    const draining = this.#requests.draining ? "draining" : undefined;
    const reason = accepted === false
      ? draining ?? "verifyRequest"
      : this.#requests.limits.exceeds(active.request);
    if (reason === undefined) {
      active.inTask = true;
      return void this.#awaitDecision(active, Promise.resolve(accepted));
    }
    Promise.resolve(accepted).catch(() => {}); // the client is turned away in any case
    void turnAway(this.#server, active, reason);
  }

  /** Waits for a verdict, and then accepts the request or turns it away. */
  async #awaitDecision(
    active: KnownRequest<R>,
    decision: Promise<boolean>,
  ): Promise<void> {
    const { request, clientAddress } = active;
    const server = this.#server;
    try {
      const accepted = await decision.finally(() => active.inTask = false);
      if (active.end !== undefined) await shutdownCurrent(server, request); // cut off meanwhile
      else if (accepted) await this.#accept(active);
      else void turnAway(server, active, "verifyRequest");
    } catch (error) {
      await this.#requestFailed(active, clientAddress, error);
    } finally {
      if (!active.inTask) this.#requests.end(active);
    }
  }

  /** Counts a failure of `getRequest` and calls the hooks. Throws a failure that ends the loop. */
  async #acceptFailed(error: unknown): Promise<AcceptVerdict> {
    const failures = this.#failures ??= new AcceptFailures();
    const verdict = failures.judge(error, listens(this.#server));
    if (acceptError.hasSubscribers) {
      acceptError.publish({ server: this.#server, error, verdict });
    }
    if (verdict === "fatal") throw error;
    const { ownCounters } = this.#requests;
    if (verdict === "resource") ownCounters.resourceErrors++;
    else ownCounters.transientErrors++;
    await this.#server.handleAcceptError(error);
    if (verdict === "resource" && failures.noteShortage()) {
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
    if (active.inTask) { // its task ends it
      report().catch((thrown) =>
        sayHookFailedAndClose(request, clientAddress, thrown)
      );
    } else {
      active.inTask = true;
      void endAfter(this.#server, active, clientAddress, report);
    }
  }
}

/** Reports whether the socket of a server is open and takes requests. */
function listens(server: ServerStages): boolean {
  const socket = ownerOf(server.fileno());
  return socket instanceof Socket && stateOf(socket).canReceive;
}
