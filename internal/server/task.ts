/**
 * The task that takes a request to its end.
 *
 * What waits for a promise costs an idle connection some 190 bytes: another promise, two functions, and what
 * these refer to. So what is done when a task has ended is done by the last stage of the task itself, and all
 * that these functions have to know is in the record of the request, which is there anyhow.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { begun } from "../waiting/promises.ts";
import type { Detached } from "./active_requests.ts";
import { requestsOf } from "./request_registry.ts";
import type { ServerStages } from "./stages.ts";
import { after, type Step } from "./steps.ts";

/** What a task is about. */
export interface Task<R> {
  /** Whose stages it runs. */
  readonly server: ServerStages<R>;
  readonly request: R;
  readonly clientAddress: Address;
}

/** Handles a request and shuts it down; where a stage throws, that is reported before. */
export function runTask<R>(task: Task<R>): Step {
  return after(begun(finish, task), task, shutDown, report);
}

function finish(this: Task<unknown>): Step {
  return this.server.finishRequest(this.request, this.clientAddress);
}

function shutDown(this: Task<unknown>): Step {
  return this.server.shutdownRequest(this.request);
}

function report(this: Task<unknown>, error: unknown): Step {
  return endFailed(this, error);
}

/** Does the same for a request among those under way, which ends with the task. */
export function runDetached(active: Detached): void {
  after(begun(finish, active), active, shutDownAndEnd, reportAndEnd);
}

function shutDownAndEnd(this: Detached): void {
  requestsOf(this.server).endAfter(this, begun(shutDown, this));
}

function reportAndEnd(this: Detached, error: unknown): void {
  requestsOf(this.server).endAfter(this, endFailed(this, error));
}

/** Reports a failure, unless the server has given the request up, and shuts the request down in any case. */
export async function endFailed<R>(
  { server, request, clientAddress }: Task<R>,
  error: unknown,
): Promise<void> {
  try {
    if (requestsOf(server).reports(request)) {
      await server.handleError(request, clientAddress, error);
    }
  } finally {
    await server.shutdownRequest(request);
  }
}
