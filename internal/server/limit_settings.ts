/**
 * The settings of a server's limits: checks of their values, and their change while the server runs.
 *
 * @module
 */

import { SOCK_STREAM } from "../base/constants.ts";
import { AcceptRate } from "./accept_rate.ts";
import { noteLimit } from "./note_limit.ts";
import { requestsOf } from "./request_registry.ts";
import type { ServerStages } from "./stages.ts";

/** Returns the connections per second that a server accepts at most. */
export function acceptRateOf(server: object): number {
  return requestsOf(server).rate?.rate ?? Infinity;
}

/**
 * Sets the connections per second that a server accepts at most.
 *
 * @param server The server.
 * @param rate The rate; Infinity is no limit.
 * @throws {RangeError} if the rate is not positive.
 * @throws {TypeError} if the rate is not a number, or the server is for datagrams.
 */
export function setAcceptRate(
  server: ServerStages & { readonly socketType: number },
  rate: number,
): void {
  if (typeof rate !== "number" || !(rate > 0)) {
    const Class = typeof rate === "number" ? RangeError : TypeError;
    throw new Class(
      `Cannot set maxAcceptRate: it must be a positive number, or Infinity, got ${rate}`,
    );
  }
  const requests = requestsOf(server);
  if (requests.rate === undefined && rate === Infinity) return;
  if (server.socketType !== SOCK_STREAM) {
    throw new TypeError(
      "Cannot set maxAcceptRate: it is for servers of streams, and this one is for datagrams",
    );
  }
  requests.rate ??= new AcceptRate(() =>
    noteLimit(server, "maxAcceptRate", null)
  );
  requests.rate.rate = rate;
}
