/**
 * Turning requests away: at a limit, while the server closes, or by the verdict of `verifyRequest`.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { cutOff } from "../socket/server_calls.ts";
import { noteLimit } from "../requests/note_limit.ts";
import { resolvesWithin } from "../waiting/promises.ts";
import { sayHookFailedAndClose } from "../stages/report.ts";
import { reportError } from "../stages/events.ts";
import type { ActiveRequest } from "../requests/active_requests.ts";
import type { ObservedRequest } from "../requests/observed_request.ts";
import { type Requests, requestsOf } from "../requests/request_registry.ts";
import type { ServerStages } from "../stages/stages.ts";
import type { LimitName, RejectReason } from "../stages/server_status.ts";

/**
 * The milliseconds that `rejectRequest` may take, and the PROXY header before it: as long as `shutdownRequest` waits for a
 * client.
 */
export const REJECT_MS = 2000;

/**
 * The most calls of `rejectRequest` at a time, so that a flood of clients beyond the limit holds no more descriptors.
 * Arbitrary.
 */
export const REJECTING_MAX = 128;

/**
 * Turns a request away in the background. The request does not count meanwhile, so a client that delays its end takes
 * neither a place nor the time of the loop.
 */
export async function turnAway<R>(
  server: ServerStages<R>,
  { request, clientAddress }: { request: R; clientAddress: Address },
  reason: RejectReason,
): Promise<void> {
  const observed = endRejected(requestsOf(server), request);
  try {
    await rejectAndShutdown(server, request, clientAddress, reason);
  } catch (error) {
    sayHookFailedAndClose(request, clientAddress, error);
  } finally {
    observed?.note({ rejected: reason });
    observed?.stop(request, "rejected");
  }
}

/** Ends a request before its rejection, unless the server has cut it off. */
function endRejected(
  requests: Requests,
  request: unknown,
): ObservedRequest | undefined {
  if (!requests.results.counts(request)) return undefined;
  return endBeforeRejection(requests, requests.handToTask(request));
}

/**
 * Ends a request before `rejectRequest` runs, so that it takes no place meanwhile. Returns its observation, which the
 * caller ends.
 */
export function endBeforeRejection(
  requests: Requests,
  active: ActiveRequest,
): ObservedRequest | undefined {
  const { observed } = active;
  active.observed = undefined;
  active.result = "rejected";
  requests.end(active);
  return observed;
}

/**
 * Calls `rejectRequest`, reports its error, and closes the request. Only closes a request that the server has cut off.
 * Throws the error of another stage.
 */
export async function rejectAndShutdown<R>(
  server: ServerStages<R>,
  request: R,
  clientAddress: Address,
  reason: RejectReason,
): Promise<void> {
  const requests = requestsOf(server);
  if (!requests.results.counts(request)) {
    return await server.shutdownRequest(request);
  }
  requests.results.reject(request, reason);
  if (isLimit(reason)) noteLimit(server, reason, clientAddress);
  try {
    if (requests.rejecting < REJECTING_MAX) {
      requests.rejecting++;
      await rejectInTime(server, request, clientAddress, reason)
        .finally(() => requests.rejecting--);
    }
  } catch (error) {
    await reportError(server, request, clientAddress, error);
  } finally {
    await server.shutdownRequest(request);
  }
}

/** Reports whether a request is turned away because of a limit. */
function isLimit(reason: RejectReason): reason is RejectReason & LimitName {
  return reason === "maxConnections" || reason === "maxConnectionsPerClient";
}

/** Calls `rejectRequest`, and cuts the connection off when the time is up. */
async function rejectInTime<R>(
  server: ServerStages<R>,
  request: R,
  clientAddress: Address,
  reason: RejectReason,
): Promise<void> {
  const rejected = server.rejectRequest(request, clientAddress, reason);
  if (rejected === undefined || await resolvesWithin(rejected, REJECT_MS)) {
    return;
  }
  cutOff(request);
}
