/**
 * The waits until few requests are open, or none.
 *
 * @module
 */

import { checkTimeout } from "../base/arguments.ts";
import { osError } from "../base/translate_error.ts";
import type { WaitForConnectionsOptions } from "../stages/server_options.ts";
import { checkAborted, checkSignal, untilAborted } from "../waiting/abort.ts";
import type { Readiness } from "../waiting/pending_operation.ts";
import { failLater } from "../waiting/turns.ts";
import { anyReady } from "../waiting/when_ready.ts";
import type { Requests } from "./request_registry.ts";

/** Returns a readiness that is ready while at most `count` requests are open. */
export function atMost(requests: Requests, count: number): Readiness {
  const ready = () => requests.size <= count;
  return {
    get ready() {
      return ready();
    },
    nextChange: () =>
      requests.acceptingWorkers?.changed(ready) ?? requests.nextEnd(),
  };
}

const SYSCALL = "waitForConnections";

/** Waits until at most `count` requests are open. */
export async function waitForConnections(
  requests: Requests,
  count: number,
  { timeout = null, signal }: WaitForConnectionsOptions,
): Promise<void> {
  try {
    checkCount(count);
    checkTimeout(timeout);
    checkSignal(signal, SYSCALL);
    checkAborted(signal);
    const settled = requests.pool?.settled?.(); // children report later what they have accepted
    if (settled !== undefined) await untilAborted(() => settled, signal);
    checkAborted(signal); // again: it may abort as the children answer
    const few = atMost(requests, count);
    await anyReady([few], timeout, signal);
    if (few.ready) return;
    const reason = `${requests.size} requests are open after ${timeout} s`;
    throw osError("ETIMEDOUT", { syscall: SYSCALL, reason });
  } catch (error) {
    return await failLater(error);
  }
}

function checkCount(count: number): void {
  if (Number.isInteger(count) && count >= 0) return;
  throw new RangeError(
    `Cannot ${SYSCALL}: count must be an integer from 0, got ${count}`,
  );
}
