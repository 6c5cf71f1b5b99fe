/**
 * The time in which a worker or a child must load the module of the handler.
 *
 * @module
 */

import { TimeoutError } from "../base/errors.ts";
import type { HandlerPlace } from "../server/handler_class.ts";
import { setUnrefTimeout } from "../waiting/timeouts.ts";

/** Arbitrary: a busy machine takes ten seconds to start several, and a module may connect to something first. */
const START_MS = 60_000;

/**
 * Calls `fail` if the module of a handler has not loaded in time.
 *
 * @param moduleUrl The URL of the module.
 * @param place The place in which the module loads.
 * @param fail Called with a TimeoutError.
 * @returns The timer. Clear it once the module has loaded, or cannot load any more.
 */
export function limitStart(
  moduleUrl: string,
  place: HandlerPlace,
  fail: (error: TimeoutError) => void,
): ReturnType<typeof setTimeout> {
  const message =
    `Cannot load the module of the handler ${place}: ${moduleUrl} has not loaded within ${
      START_MS / 1000
    } s`;
  const details = { code: "ETIMEDOUT", syscall: "import" };
  return setUnrefTimeout(
    () => fail(new TimeoutError(message, details)),
    START_MS,
  );
}
