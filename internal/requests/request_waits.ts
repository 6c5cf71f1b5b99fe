/**
 * The waits for the number of open requests: for room for another, for the end of all, and for fewer of them.
 *
 * @module
 */

import type { Readiness } from "../waiting/pending_operation.ts";
import type { RemoteAcceptors } from "./remote_requests.ts";

/** The part of the requests of a server that the waits look at. */
interface CountedRequests {
  /** The number of open requests. */
  readonly size: number;
  /** Whether the server waits for a request to end before it gets another. */
  readonly full: boolean;
  /** Whether the server gets no requests for a while. */
  readonly suspended: boolean;
  /** The workers that accept by themselves, which tell of their changes themselves. */
  readonly acceptors: RemoteAcceptors | undefined;
}

/** The waits for the number of open requests. The registry says when that number or a limit has changed. */
export class RequestWaits {
  readonly #requests: CountedRequests;
  #room: PromiseWithResolvers<void> | undefined;
  #quiet: PromiseWithResolvers<void> | undefined;
  #fewer: PromiseWithResolvers<void> | undefined;

  /** @param requests The requests of the server. */
  constructor(requests: CountedRequests) {
    this.#requests = requests;
  }

  /** Ready while the server may get another request. */
  readonly room: Readiness = ((waits: RequestWaits) => ({
    get ready() {
      const requests = waits.#requests;
      return !requests.suspended && !requests.full;
    },
    fill: () => (waits.#room ??= Promise.withResolvers()).promise,
  }))(this);

  /** Ready when no request is open. */
  readonly quiet: Readiness = ((waits: RequestWaits) => ({
    get ready() {
      return waits.#requests.size === 0;
    },
    fill: () =>
      waits.#elsewhere(() => waits.#requests.size === 0) ??
        (waits.#quiet ??= Promise.withResolvers()).promise,
  }))(this);

  /** Returns a readiness that is ready while at most `count` requests are open. */
  atMost(count: number): Readiness {
    const ready = () => this.#requests.size <= count;
    return {
      get ready() {
        return ready();
      },
      fill: () =>
        this.#elsewhere(ready) ??
          (this.#fewer ??= Promise.withResolvers()).promise,
    };
  }

  /** Waits for the requests of workers that accept; returns undefined if there are none. */
  #elsewhere(done: () => boolean): Promise<void> | undefined {
    return this.#requests.acceptors?.changed(done);
  }

  /** Ends the wait for room if there is some now: a limit has changed, or the server goes on. */
  noteLimits(): void {
    if (this.#room && this.room.ready) this.#room = settle(this.#room);
  }

  /** Ends the waits that the end of a request fulfils. */
  noteEnd(): void {
    this.noteLimits();
    if (this.#quiet && this.quiet.ready) this.#quiet = settle(this.#quiet);
    if (this.#fewer) this.#fewer = settle(this.#fewer);
  }

  /** Ends the waits for requests to end: the server has cut all of them off. */
  noteGivenUp(): void {
    this.#quiet = settle(this.#quiet);
    this.#fewer = settle(this.#fewer);
  }
}

function settle(waiting: PromiseWithResolvers<void> | undefined): undefined {
  waiting?.resolve();
}
