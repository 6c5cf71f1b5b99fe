/**
 * The report of an error of a handler: the event and the stage `handleError`.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { handlerError } from "./events.ts";
import type { ServerStages } from "./stages.ts";

/** Publishes an error of a handler or of a stage, and calls `handleError`. */
export function reportError<R>(
  server: ServerStages<R>,
  request: R,
  clientAddress: Address,
  error: unknown,
): void | Promise<void> {
  if (handlerError.hasSubscribers) {
    handlerError.publish({ server, request, clientAddress, error });
  }
  return server.handleError(request, clientAddress, error);
}
