/**
 * The limits of a server: one counter for each, and one hook for all.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { begun } from "../waiting/promises.ts";
import { limitReached } from "./events.ts";
import type { AnyServer } from "./event_types.ts";
import { sayHookFailed } from "./report.ts";
import { requestsOf } from "./request_registry.ts";
import type { LimitName } from "./stages.ts";

/** The part of a server that hears of its limits. */
interface LimitedServer {
  handleLimit(
    limit: LimitName,
    clientAddress: Address | null,
  ): void | Promise<void>;
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
  const told = begun(() => server.handleLimit(limit, clientAddress));
  if (told === undefined) return;
  Promise.resolve(told).catch((error) =>
    sayHookFailed(clientAddress ?? "", error)
  );
}
