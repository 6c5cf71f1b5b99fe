/**
 * The events of the child processes of a server.
 *
 * @module
 */

import type { AnyServer, ChildExitReason } from "../stages/event_types.ts";
import { childExit, childStart } from "../stages/events.ts";

/** The end of a child process. */
export interface ChildEnd {
  /** Why the process has ended. */
  readonly reason: ChildExitReason;
  /** The exit code; null if a signal has ended the process. */
  readonly code: number | null;
  /** The signal that has ended the process; otherwise null. */
  readonly signal: string | null;
  /** The number of requests that failed with the process. */
  readonly requests: number;
}

/** Publishes the start of a child process, and its end when it has exited. */
export function publishChild(
  server: AnyServer,
  child: {
    readonly pid: number | undefined;
    readonly exited: Promise<ChildEnd>;
  },
): void {
  const { pid } = child;
  if (pid === undefined) return; // the process could not be started
  if (childStart.hasSubscribers) childStart.publish({ server, pid });
  child.exited.then((end) => {
    if (childExit.hasSubscribers) childExit.publish({ server, pid, ...end });
  });
}
