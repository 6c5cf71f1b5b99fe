/**
 * Steps that may or may not be a matter of waiting, and those of a handler in their order.
 *
 * A promise costs a microtask and up to 500 bytes while it is pending. So a stage that has nothing to wait for
 * gives undefined, and the next one follows at once; and where there is something, what comes after is
 * hung on that promise, instead of an async function around it, of which an idle connection would
 * keep one for each stage.
 *
 * @module
 */

import { begun } from "../waiting/promises.ts";

/** Methods of ours that do nothing: where one of them was not overridden, no promise is made to come to it. */
export const emptySteps: WeakSet<object> = new WeakSet();

/** What a stage gives: undefined when it is done. */
export type Step = void | Promise<void>;

/**
 * Does `next` when a step is done. What it is about comes as its `this`: a bound function takes 48 bytes, and two
 * arrow functions with the scope that they would share 150, which a connection keeps as long as it lasts.
 *
 * @param step What a stage gave. Any value counts that is not undefined, as for `await`.
 * @param about What it is about.
 * @param next What to do then.
 * @param failed What to do instead when the step fails; without it the failure is that of what is returned.
 */
export function after<A>(
  step: Step,
  about: A,
  next: (this: A) => Step,
  failed?: (this: A, error: unknown) => Step,
): Step {
  if (step === undefined) return next.call(about);
  return Promise.resolve(step).then(next.bind(about), failed?.bind(about));
}

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
