/**
 * The order in which a handler runs, for all ways to run it.
 *
 * @module
 */

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
 */
export async function runHandler(handler: Runnable): Promise<void> {
  const ready = handler.setup();
  if (ready !== undefined) await ready;
  try {
    const done = handler.handle();
    if (done !== undefined) await done;
  } catch (error) {
    handler.failure = error;
    await finishFailed(handler, error);
    throw error;
  }
  const finished = handler.finish();
  if (finished !== undefined) await finished;
}

async function finishFailed(handler: Runnable, error: unknown): Promise<void> {
  try {
    await handler.finish();
  } catch (second) {
    throw new SuppressedError(
      second,
      error,
      "finish() threw after handle() had thrown",
    );
  }
}
