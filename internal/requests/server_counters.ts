/**
 * The counters of a server.
 *
 * @module
 */

import type { LimitName, ServerStatus } from "../stages/stages.ts";

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
