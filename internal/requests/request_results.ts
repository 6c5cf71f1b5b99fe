/**
 * The results of the requests of a server: failed, rejected, or cut off.
 *
 * @module
 */

import type { RejectReason } from "../stages/server_status.ts";
import type { RequestEnd } from "./active_request.ts";
import type { RequestDetails } from "./observed_request.ts";
import type { OpenRequests } from "./open_requests.ts";
import type { RequestCounters } from "./server_counters.ts";

/** Notes the results of open requests, until the server cuts them off. */
export class RequestResults {
  readonly #open: OpenRequests;
  readonly #counters: RequestCounters;
  /** The requests that the server has cut off, and that still run. */
  readonly #givenUp = new Set<unknown>();

  /**
   * @param open The open requests of the server.
   * @param counters Its counters.
   */
  constructor(open: OpenRequests, counters: RequestCounters) {
    this.#open = open;
    this.#counters = counters;
  }

  /** Notes the result of a request, if it is open: it counts when the request ends. */
  note(request: unknown, result: RequestEnd, details: RequestDetails): void {
    const active = this.#open.of(request);
    if (active === undefined) return;
    active.result = result;
    active.observed?.note(details);
  }

  /** Notes that an error is reported for a request. */
  fail(request: unknown, error: unknown): void {
    this.note(request, "failed", { error });
  }

  /** Notes that a request is turned away. */
  reject(request: unknown, reason: RejectReason): void {
    this.#refuse(request, "rejected", { rejected: reason });
  }

  /** Notes that the TLS handshake of a request has failed. */
  failHandshake(request: unknown, error: unknown): void {
    this.#refuse(request, "handshakeErrors", { reason: "handshake", error });
  }

  /** Notes that a request has no valid PROXY header. */
  failProxyHeader(request: unknown): void {
    this.#refuse(request, "proxyErrors", {});
  }

  /** Counts a request that gets no handler, unless it was cut off before, and counts as that. */
  #refuse(
    request: unknown,
    counter: "rejected" | "handshakeErrors" | "proxyErrors",
    details: RequestDetails,
  ): void {
    if (!this.reports(request)) return;
    this.#counters[counter]++;
    this.note(request, "rejected", details);
  }

  /** Reports whether the result of a request is reported and counted: not after the server has cut it off. */
  reports(request: unknown): boolean {
    return !this.#givenUp.has(request);
  }

  /** Notes that the server has cut a request off. */
  giveUp(request: unknown): void {
    this.#givenUp.add(request);
  }

  /** Forgets a request that has ended. */
  forget(request: unknown): void {
    if (this.#givenUp.size > 0) this.#givenUp.delete(request);
  }
}
