/**
 * The counters of a server, the bytes of its requests, and the results of those that are still open.
 *
 * @module
 */

import { Socket, stateOf } from "../socket/socket_object.ts";
import type { SocketState } from "../socket/state.ts";
import type { ByteCounts } from "../socket/stream.ts";
import type {
  LimitName,
  RejectReason,
  ServerStatus,
} from "../stages/server_status.ts";
import type { ActiveRequests, RequestEnd } from "./active_requests.ts";
import type { RequestDetails } from "./observed_request.ts";

/** The counters that only grow. The rest of `status` is asked when it is read. */
export type RequestCounters = Omit<
  ServerStatus,
  "state" | "active" | "idle" | "bytesIn" | "bytesOut" | "limits"
>;

/** Returns the counters of a server that has got no request. */
export function zeroCounters(): RequestCounters {
  return {
    accepted: 0,
    finished: 0,
    failed: 0,
    forced: 0,
    rejected: 0,
    transientErrors: 0,
    resourceErrors: 0,
    handshakeErrors: 0,
    proxyErrors: 0,
  };
}

/** Returns the counters of limits that were never reached. */
export function noLimitHits(): Record<LimitName, number> {
  return {
    maxConnections: 0,
    maxConnectionsPerClient: 0,
    maxAcceptRate: 0,
    handshakeTimeout: 0,
    requestTimeout: 0,
    idleTimeout: 0,
    proxyTimeout: 0,
    lineLimit: 0,
    maxPacketSize: 0,
  };
}

/** Adds up the bytes of the requests that have ended. */
export class ByteTotals implements ByteCounts {
  bytesIn = 0;
  bytesOut = 0;

  /** Adds the bytes of a request. If its connection is still open or sends its last bytes, adds those later. */
  add(request: unknown): void {
    if (!(request instanceof Socket)) return;
    const state = stateOf(request);
    const { bytesIn, bytesOut } = state.byteCounts;
    this.bytesIn += bytesIn;
    this.bytesOut += bytesOut;
    if (state.closed && state.released === undefined) return;
    void this.#addRest(state, bytesIn, bytesOut);
  }

  async #addRest(
    state: SocketState,
    bytesIn: number,
    bytesOut: number,
  ): Promise<void> {
    await state.whenReleased();
    const { byteCounts } = state;
    this.bytesIn += byteCounts.bytesIn - bytesIn;
    this.bytesOut += byteCounts.bytesOut - bytesOut;
  }

  /** Returns the totals with those of open requests. */
  with(requests: Iterable<unknown>): ByteCounts {
    let { bytesIn, bytesOut } = this;
    for (const request of requests) {
      if (!(request instanceof Socket)) continue;
      const { byteCounts } = stateOf(request);
      bytesIn += byteCounts.bytesIn;
      bytesOut += byteCounts.bytesOut;
    }
    return { bytesIn, bytesOut };
  }
}

/** Notes the results of open requests, until the server cuts them off. */
export class RequestResults {
  readonly #open: ActiveRequests;
  readonly #counters: RequestCounters;
  /** The requests that the server has cut off, and that still run. */
  readonly #givenUp = new Set<unknown>();

  /**
   * @param open The open requests of the server.
   * @param counters Its counters.
   */
  constructor(open: ActiveRequests, counters: RequestCounters) {
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
    if (!this.counts(request)) return;
    this.#counters[counter]++;
    this.note(request, "rejected", details);
  }

  /** Reports whether the result of a request still counts; false once the server has cut the request off. */
  counts(request: unknown): boolean {
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
