/**
 * The task that takes a request to its end.
 *
 * What waits for a promise costs an idle connection some 260 bytes: another promise, two functions, and what
 * these refer to. So what is done when a task has ended is done by the last stage of the task itself.
 *
 * @module
 */

import type { Address } from "../_socket/address.ts";
import { begun } from "../_socket/begun.ts";
import type { ActiveRequest } from "./active.ts";
import { endFailed, type Ending } from "./failed.ts";
import { requestsOf } from "./requests.ts";
import { after, type Step } from "./steps.ts";

/** The stages of a task. */
interface Stages<R> extends Ending<R> {
  finishRequest(request: R, clientAddress: Address): Step;
}

/**
 * Handles a request and shuts it down; where a stage throws, that is reported before.
 *
 * @param server The server.
 * @param request The request.
 * @param clientAddress The client's address.
 * @param active The request among those under way, which ends with the task; undefined where the caller sees to that.
 */
export function runTask<R>(
  server: Stages<R>,
  request: R,
  clientAddress: Address,
  active?: ActiveRequest,
): Step {
  return after(
    begun(() => server.finishRequest(request, clientAddress)),
    () => ended(server, active, begun(() => server.shutdownRequest(request))),
    (error) => {
      const failure = { request, clientAddress, error };
      return ended(server, active, endFailed(server, failure));
    },
  );
}

function ended(
  server: object,
  active: ActiveRequest | undefined,
  last: Step,
): Step {
  if (active === undefined) return last;
  requestsOf(server).endAfter(active, last);
}
