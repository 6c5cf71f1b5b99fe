/**
 * The end of handlers whose connections were idle for too long.
 *
 * @module
 */

import { TimeoutError } from "../base/errors.ts";

/** The call that the error of an idle connection names. */
export const IDLE_CALL = "wait";

/** The requests whose handlers have heard in `waitForRequest` that the connection was idle for too long. */
const told = new WeakSet<object>();

/** Reports whether an error is that of a connection on which no byte came or went for `idleTimeout`. */
export function isIdle(error: unknown): boolean {
  return error instanceof TimeoutError && error.syscall === IDLE_CALL;
}

/** Returns false for the error of an idle connection: no message comes any more. Throws any other error. */
export function endsIdle(request: object, error: unknown): false {
  if (!isIdle(error)) throw error;
  told.add(request);
  return false;
}

/** Reports whether an error is that of a handler that still writes after `waitForRequest` was false: a goodbye. */
export function isGoodbye(request: unknown, error: unknown): boolean {
  return isIdle(error) && told.has(request as object);
}
