/**
 * The run of a handler: `setup`, `handle`, `finish`.
 *
 * @module
 */

import { TimeoutError } from "../base/errors.ts";
import { isGoodbye } from "../requests/idle_waits.ts";

/**
 * The part of a handler that runs.
 *
 * @category Testing
 */
export interface Runnable {
  /** Called before `handle`. */
  setup(): void | Promise<void>;
  /** Handles the request. */
  handle(): void | Promise<void>;
  /** Called after `handle`, also if `handle` threw. */
  finish(): void | Promise<void>;
  /** The error that `handle` threw. */
  failure?: unknown;
  /** The request. */
  readonly request?: unknown;
  /** Aborted when the server shuts down. */
  readonly signal?: AbortSignal;
}

/**
 * Runs `setup`, `handle` and `finish`. `finish` is called also if `handle` threw, but not if `setup` threw. If both
 * `handle` and `finish` throw, the error is a `SuppressedError` with both. A `handle` that throws the reason of its own
 * aborted signal has stopped as the server asked, which is no error.
 *
 * `finish` hangs on the promise of `handle`: a function that waits for `handle` would cost an idle connection 230 bytes
 * more.
 *
 * @returns A promise; undefined if no part of the handler had to wait.
 */
export function runHandler(handler: Runnable): void | Promise<void> {
  const ready = handler.setup();
  if (ready === undefined) return handleAndFinish(handler);
  return Promise.resolve(ready).then(() => handleAndFinish(handler));
}

function handleAndFinish(handler: Runnable): void | Promise<void> {
  let handled: void | Promise<void>;
  try {
    handled = handler.handle();
  } catch (error) {
    return finishFailed(handler, error);
  }
  if (handled === undefined) return handler.finish();
  return Promise.resolve(handled).then(
    () => handler.finish(),
    (error) => finishFailed(handler, error),
  );
}

/** Calls `finish` after `handle` threw, and throws the error of `handle`. */
async function finishFailed(handler: Runnable, error: unknown): Promise<void> {
  handler.failure = error;
  try {
    await handler.finish();
  } catch (second) {
    const message = "finish() threw after handle() had thrown";
    throw new SuppressedError(second, error, message);
  }
  if (isGoodbye(handler.request, error)) return;
  if (!isStop(handler, error)) throw error;
}

/**
 * Reports whether `handle` stopped because the server shuts down: its error is the reason of its own signal. The reason
 * of a request that took too long is a `TimeoutError`, which is reported.
 */
function isStop({ signal }: Runnable, error: unknown): boolean {
  return signal !== undefined && signal.aborted && signal.reason === error &&
    !(error instanceof TimeoutError);
}
