/**
 * The limits of a server: one counter for each, and one hook for all.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { limitReached } from "../stages/events.ts";
import type { AnyServer } from "../stages/event_types.ts";
import { callHook } from "../stages/report.ts";
import { requestsOf } from "./request_registry.ts";
import type { LimitName } from "../stages/server_status.ts";

/** The part of a server with the hook for limits. */
interface LimitedServer {
  handleLimit(
    limit: LimitName,
    clientAddress: Address | null,
  ): void | Promise<void>;
}

/** Reports to the server that a limit was reached in a worker or a child, by a request if it is known. */
type Report = (limit: LimitName, request: unknown) => void;

/** How the stand-ins of servers in workers and children report. */
const reports = new WeakMap<object, Report>();

/** Lets a stand-in of a server report the limits that are reached in a worker or a child. */
export function reportLimits(server: object, report: Report): void {
  reports.set(server, report);
}

/** The part of a handler that its limits need. */
export interface LimitedHandler {
  readonly server: object;
  readonly request: unknown;
  readonly clientAddress: Address;
}

/** Counts a limit that a handler's request has exceeded, wherever the handler runs. */
export function noteHandlerLimit(
  handler: LimitedHandler,
  limit: LimitName,
): void {
  const { server, request, clientAddress } = handler;
  const report = reports.get(server);
  if (report !== undefined) report(limit, request);
  else if ("handleLimit" in server) { // a double in a test may have no such hook
    noteLimit(server as LimitedServer, limit, clientAddress);
  }
}

/**
 * Counts that a limit was reached, and calls `handleLimit`. Never throws: an error of the hook is printed.
 *
 * @param server The server.
 * @param limit The limit.
 * @param clientAddress The client that is over the limit; null if it is no single client.
 */
export function noteLimit(
  server: LimitedServer,
  limit: LimitName,
  clientAddress: Address | null,
): void {
  requestsOf(server).limitHits[limit]++;
  if (limitReached.hasSubscribers) {
    limitReached.publish({ server: server as AnyServer, limit, clientAddress });
  }
  callHook(
    clientAddress ?? "",
    () => server.handleLimit(limit, clientAddress),
  );
}
