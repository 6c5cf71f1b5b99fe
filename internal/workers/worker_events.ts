/**
 * The events of the workers of a server.
 *
 * @module
 */

import type { AnyServer, WorkerExitReason } from "../stages/event_types.ts";
import { workerExit, workerStart } from "../stages/events.ts";

/** The end of a worker. */
export interface WorkerEnd {
  /** Why the worker has ended. */
  readonly reason: WorkerExitReason;
  /** The number of requests that failed with the worker. */
  readonly requests: number;
  /** The error that ended the worker; undefined if there is none. */
  readonly error: unknown;
}

/** Returns the end of a worker. Without a reason the worker has crashed, if there is an error, or ended itself. */
export function endOf(
  reason: WorkerExitReason | undefined,
  error: (Error & { code?: unknown }) | undefined,
  requests: number,
): WorkerEnd {
  if (reason === "closed") return { reason, requests, error: undefined };
  if (error?.code === "ERR_WORKER_OUT_OF_MEMORY") reason = "memory";
  reason ??= error === undefined ? "exited" : "crashed";
  return { reason, requests, error };
}

let lastWorker = 0;

/** Publishes the start of a worker, and its end when it has exited. */
export function publishWorker(
  server: AnyServer,
  { exited }: { readonly exited: Promise<WorkerEnd> },
): void {
  const worker = ++lastWorker;
  if (workerStart.hasSubscribers) workerStart.publish({ server, worker });
  exited.then((end) => {
    if (workerExit.hasSubscribers) {
      workerExit.publish({ server, worker, ...end });
    }
  });
}
