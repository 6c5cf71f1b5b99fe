/**
 * The counters of a server, and the bytes of its requests.
 *
 * @module
 */

import { Socket, stateOf } from "../socket/socket_object.ts";
import type { SocketState } from "../socket/state.ts";
import type { ByteCounts } from "../socket/stream.ts";
import type { LimitName, ServerStatus } from "../stages/server_status.ts";

/** The counters that only grow. The rest of `status` is asked when it is read. */
export type RequestCounters = Omit<
  ServerStatus,
  "state" | "active" | "idle" | "bytesIn" | "bytesOut" | "limits"
>;

/** Returns the counters of a server that has got no request. */
export function noRequests(): RequestCounters {
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
    this.#count(bytesIn, bytesOut);
    if (state.closed && state.released === undefined) return;
    void this.#addRest(state, bytesIn, bytesOut);
  }

  #count(bytesIn: number, bytesOut: number): void {
    this.bytesIn += bytesIn;
    this.bytesOut += bytesOut;
  }

  async #addRest(
    state: SocketState,
    bytesIn: number,
    bytesOut: number,
  ): Promise<void> {
    await state.whenReleased();
    const { byteCounts } = state;
    this.#count(byteCounts.bytesIn - bytesIn, byteCounts.bytesOut - bytesOut);
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
