/**
 * One request on its way through the stages of its server.
 *
 * @module
 */

import type { Address } from "../_socket/address.ts";
import type { BaseServer } from "../server.ts";
import { type AcceptVerdict, judgeAccept } from "./errors.ts";
import type { ActiveRequest } from "./active.ts";
import { endFailed } from "./task.ts";
import { type Requests, requestsOf } from "./requests.ts";
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
  readonly #server: BaseServer<R>;
  readonly #requests: Requests;

  /** @param server The server, whose stages are looked up at each use. */
  constructor(server: BaseServer<R>) {
    this.#server = server;
    this.#requests = requestsOf(server);
  }

  /** Gets a request that is ready and takes it through its stages. */
  handleOne(): Handled | Promise<Handled> {
    let got: ReturnType<BaseServer<R>["getRequest"]>;
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

  /** Counts a failure of `getRequest`, or throws it where it is to end the loop. */
  #judge(error: unknown): AcceptVerdict {
    const verdict = judgeAccept(error);
    if (verdict === "fatal") throw error;
    this.#requests.status[`${verdict}Errors`]++;
    return verdict;
  }

  #dispatch(request: R, clientAddress: Address): Step {
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
    if (admitted) return this.#server.processRequest(request, clientAddress);
    this.#requests.status.rejected++;
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
      const request = active.request as R;
      const task = { server: this.#server, request, clientAddress };
      await endFailed(task, error);
    } finally {
      if (!active.detached) this.#requests.end(active);
    }
  }
}
