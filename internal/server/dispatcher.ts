/**
 * One request on its way through the stages of its server.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import type { ServerStages } from "./stages.ts";
import { ownerOf } from "../socket/fileno.ts";
import { Socket, stateOf } from "../socket/socket_object.ts";
import {
  AcceptFailures,
  type AcceptVerdict,
  systemError,
} from "./accept_errors.ts";
import type { ActiveRequest } from "./active_requests.ts";
import { sayHookFailed } from "./report.ts";
import { endFailed } from "./task.ts";
import { type Requests, requestsOf } from "./request_registry.ts";
import type { Step } from "./steps.ts";

/** What became of the attempt to get a request; undefined for one that was got. */
type Handled = AcceptVerdict | void;

/**
 * Takes requests through `getRequest`, `verifyRequest` and `processRequest`, and to their end when one of
 * them fails. Stages that give no promise follow one another at once.
 *
 * @typeParam R What a request is.
 */
export class Dispatcher<R> {
  readonly #server: ServerStages<R>;
  readonly #requests: Requests;
  readonly #failures = new AcceptFailures();

  /** @param server The server, whose stages are looked up at each use. */
  constructor(server: ServerStages<R>) {
    this.#server = server;
    this.#requests = requestsOf(server);
  }

  /** Gets a request that is ready and takes it through its stages. */
  handleOne(): Handled | Promise<Handled> {
    let got: ReturnType<ServerStages<R>["getRequest"]>;
    try {
      got = this.#server.getRequest();
    } catch (error) {
      return this.#judge(error);
    }
    if (Array.isArray(got)) return this.#dispatch(got[0], got[1]);
    return this.#handleLater(got);
  }

  /** Apart from {@linkcode Dispatcher.handleOne}, which would make a scope for the functions at each call. */
  #handleLater(getting: Promise<[R, Address]>): Promise<Handled> {
    return getting.then(
      (got) => this.#dispatch(...got),
      (error) => this.#judge(error),
    );
  }

  /** Counts a failure of `getRequest` and tells the hooks, or throws it when it is to end the loop. */
  async #judge(error: unknown): Promise<AcceptVerdict> {
    const verdict = this.#failures.judge(error, listens(this.#server));
    if (verdict === "fatal") throw error;
    const { status } = this.#requests;
    if (verdict === "resource") status.resourceErrors++;
    else status.transientErrors++;
    await this.#server.handleAcceptError(error);
    if (verdict === "resource" && this.#failures.short()) {
      await this.#server.handleShortage(systemError(error)!);
    }
    return verdict;
  }

  #dispatch(request: R, clientAddress: Address): Step {
    this.#failures.passed();
    const active = this.#requests.begin(request, clientAddress);
    const step = this.#admit(request, clientAddress);
    if (step !== undefined) return this.#settle(active, clientAddress, step);
    if (!active.detached) this.#requests.end(active);
  }

  /** Gives a promise that rejects where a stage throws. */
  #admit(request: R, clientAddress: Address): Step {
    try {
      const verdict = !this.#requests.draining &&
        this.#server.verifyRequest(request, clientAddress);
      return typeof verdict === "boolean"
        ? this.#go(verdict, request, clientAddress)
        : this.#admitLater(verdict, request, clientAddress);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async #admitLater(
    verdict: Promise<boolean>,
    request: R,
    clientAddress: Address,
  ): Promise<void> {
    await this.#go(await verdict, request, clientAddress);
  }

  #go(admitted: boolean, request: R, clientAddress: Address): Step {
    const requests = this.#requests;
    if (admitted) return this.#server.processRequest(request, clientAddress);
    if (requests.concurrent) {
      return requests.turnAway(
        requests.detach(request, this.#server, clientAddress),
      );
    }
    requests.status.rejected++;
    return this.#server.shutdownRequest(request);
  }

  async #settle(
    active: ActiveRequest,
    clientAddress: Address,
    step: Promise<void>,
  ): Promise<void> {
    try {
      await step;
    } catch (error) {
      await this.#fail(active.request as R, clientAddress, error);
    } finally {
      if (!active.detached) this.#requests.end(active);
    }
  }

  /** Reports the failure of a stage. What the hooks throw meanwhile ends the loop of a server without a mix-in only. */
  async #fail(
    request: R,
    clientAddress: Address,
    error: unknown,
  ): Promise<void> {
    const task = { server: this.#server, request, clientAddress };
    const failing = endFailed(task, error);
    if (!this.#requests.concurrent) return await failing;
    await failing.catch((thrown) => sayHookFailed(clientAddress, thrown));
  }
}

/** Reports whether the socket of a server is open, and takes requests. */
function listens(server: ServerStages<unknown>): boolean {
  const socket = ownerOf(server.fileno());
  return socket instanceof Socket && stateOf(socket).listens;
}
