/**
 * The stages of a request after `processRequest`: `finishRequest`, `handleError` and `shutdownRequest`.
 *
 * The functions here await a stage only if the stage gave a promise. To await each one costs a datagram 0.8 us of 20,
 * 4 to 8 percent; an async function that awaits nothing costs next to nothing.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import type { ReplacedRequests } from "../requests/active_requests.ts";
import { hookFailed } from "../stages/report.ts";
import { reportError } from "../stages/events.ts";
import type { ActiveRequest } from "../requests/active_requests.ts";
import { requestsOf } from "../requests/request_registry.ts";
import type { ServerStages } from "../stages/stages.ts";

/** Handles a request and closes it. Throws the error of a stage, which the loop reports. */
export async function processRequest<R>(
  server: ServerStages<R>,
  request: R,
  clientAddress: Address,
): Promise<void> {
  await server.finishRequest(request, clientAddress);
  const ended = shutdownCurrent(server, request);
  if (ended !== undefined) await ended;
}

/** Handles a request as a task: reports its error, and closes the request in any case. */
export async function processRequestTask<R>(
  server: ServerStages<R>,
  request: R,
  clientAddress: Address,
): Promise<void> {
  try {
    await server.finishRequest(request, clientAddress);
  } catch (error) {
    return await reportAndShutdown(server, request, clientAddress, error);
  }
  const ended = shutdownCurrent(server, request);
  if (ended !== undefined) await ended;
}

/** Shuts a request down, or the one that its handler has put in its place. */
export function shutdownCurrent<R>(
  server: ServerStages<R>,
  request: R,
): void | Promise<void> {
  const { replaced } = requestsOf(server);
  if (replaced === undefined) return server.shutdownRequest(request);
  return shutdownReplaced(server, replaced, replaced.currentOf(request) as R);
}

async function shutdownReplaced<R>(
  server: ServerStages<R>,
  replaced: ReplacedRequests,
  request: R,
): Promise<void> {
  try {
    await server.shutdownRequest(request);
  } finally {
    replaced.closeFormer(request);
  }
}

/** Reports an error of a request, unless the server has given the request up, and closes the request in any case. */
export async function reportAndShutdown<R>(
  server: ServerStages<R>,
  request: R,
  clientAddress: Address,
  error: unknown,
): Promise<void> {
  const requests = requestsOf(server);
  try {
    const current = requests.replaced?.currentOf(request) ?? request;
    requests.results.fail(current, error);
    if (requests.results.reports(request)) {
      await reportError(server, current as R, clientAddress, error);
    }
  } finally {
    await shutdownCurrent(server, request);
  }
}

/**
 * Runs the task of a request, as {@linkcode processRequestTask} does, and ends the request. It is no async function, which
 * would take 250 bytes of each idle connection: the rest of the task hangs on the promise of `finishRequest`.
 */
export function runTask<R>(
  server: ServerStages<R>,
  active: ActiveRequest<R>,
  clientAddress: Address,
): void {
  let handled: void | Promise<void>;
  try {
    handled = server.finishRequest(active.request, clientAddress);
  } catch (error) {
    return void failTask(server, active, clientAddress, error);
  }
  if (handled === undefined) {
    return void endTask(server, active, clientAddress);
  }
  Promise.resolve(handled).then(
    () => endTask(server, active, clientAddress),
    (error) => failTask(server, active, clientAddress, error),
  );
}

/** Closes a request that its handler has handled, and ends it. */
async function endTask<R>(
  server: ServerStages<R>,
  active: ActiveRequest<R>,
  clientAddress: Address,
): Promise<void> {
  try {
    const ended = shutdownCurrent(server, active.request);
    if (ended !== undefined) await ended;
  } catch (error) {
    active.result = "failed";
    hookFailed(active.request, clientAddress, error);
  } finally {
    requestsOf(server).end(active);
  }
}

/** Reports the error of a request, closes the request and ends it. */
function failTask<R>(
  server: ServerStages<R>,
  active: ActiveRequest<R>,
  clientAddress: Address,
  error: unknown,
): Promise<void> {
  const { request } = active;
  const report = () => reportAndShutdown(server, request, clientAddress, error);
  return runOwnTask(server, active, clientAddress, report);
}

/** Runs the task of a subclass, and ends the request when the task has ended. */
export async function runOwnTask(
  server: ServerStages,
  active: ActiveRequest,
  clientAddress: Address,
  task: () => void | Promise<void>,
): Promise<void> {
  try {
    await task();
  } catch (error) {
    active.result = "failed";
    hookFailed(active.request, clientAddress, error);
  } finally {
    requestsOf(server).end(active);
  }
}
