/**
 * The errors of both pools of workers.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { reportError } from "../stages/events.ts";
import { sayHookFailed } from "../stages/report.ts";
import type { ServerStages } from "../stages/stages.ts";

/** Creates the error of a request that comes after the close of its server. */
export function serverClosedError(): Error {
  return new Error("Cannot run the handler: the server was closed");
}

/** Reports an error that no request of the main thread waits for. Prints an error of the hook. */
export async function reportUnowned(
  server: ServerStages,
  request: unknown,
  client: Address,
  error: unknown,
): Promise<void> {
  try {
    await reportError(server, request, client, error);
  } catch (thrown) {
    sayHookFailed(client, thrown);
  }
}
