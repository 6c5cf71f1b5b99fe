/**
 * The order in which a handler runs, for all ways to run it.
 *
 * @module
 */

import { begun } from "../_socket/calls.ts";
import { after, emptySteps, type Step } from "./steps.ts";

/** The part of a handler that runs. */
export interface Runnable {
  /** Before `handle`. */
  setup(): void | Promise<void>;
  /** The work. */
  handle(): void | Promise<void>;
  /** After `handle`, also when it threw. */
  finish(): void | Promise<void>;
  /** What `handle` threw. */
  failure?: unknown;
}

/**
 * Runs setup, handle, and finish whether handle threw or not; where setup throws, finish is not
 * called. When both handle and finish throw, the error is a `SuppressedError` with both.
 *
 * @returns undefined when it is done already: none of the three had to wait.
 */
export function runHandler(handler: Runnable): Step {
  return after(handler.setup(), handler, handleAndFinish);
}

function handleAndFinish(this: Runnable): Step {
  const handled = begun(handle, this);
  if (emptySteps.has(this.finish)) return handled;
  return after(handled, this, finish, finishFailed);
}

function handle(this: Runnable): Step {
  return this.handle();
}

function finish(this: Runnable): Step {
  return this.finish();
}

async function finishFailed(this: Runnable, error: unknown): Promise<void> {
  this.failure = error;
  try {
    await this.finish();
  } catch (second) {
    throw new SuppressedError(
      second,
      error,
      "finish() threw after handle() had thrown",
    );
  }
  throw error;
}
