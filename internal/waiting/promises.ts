/**
 * Promises of calls that may go unawaited, or throw instead of rejecting.
 *
 * @module
 */

import { isReason } from "../base/translate_error.ts";

/**
 * Marks the rejection of a promise as handled. A call that the program does not await may fail because a client went
 * away, and a client must not be able to end the process with an unhandled rejection. An `await` still throws.
 */
export function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

/** Type and range errors that are no mistakes: a peer, or the end of a request, has caused them. */
const harmless = new WeakSet<object>();

/** Marks a TypeError or RangeError as not a mistake of the program; see {@linkcode unawaited}. */
export function noMistake<E extends Error>(error: E): E {
  harmless.add(error);
  return error;
}

/** Reports whether an error is a mistake of the program, such as a wrong argument. */
function isMistake(error: unknown): boolean {
  return (error instanceof TypeError || error instanceof RangeError) &&
    !harmless.has(error) && !isReason(error);
}

/** Marks the rejection of a promise as handled, unless the error is a mistake of the program. */
export function quietFailure(promise: Promise<unknown>, error: unknown): void {
  if (!isMistake(error)) quiet(promise);
}

/**
 * Returns the promise of a call that the program need not await. As {@linkcode quiet}, but a mistake of the program,
 * such as a wrong argument, stays an unhandled rejection; otherwise it would leave no trace.
 */
export function unawaited<T>(call: Promise<T>): Promise<T> {
  const promise: Promise<T> = call.catch((error) => {
    quietFailure(promise, error);
    throw error;
  });
  return promise;
}

/** Begins an operation. If `start` throws, as a test double may, the promise rejects. */
export function begun<T>(start: () => Promise<T>): Promise<T>;
/** Begins an operation that returns a promise only if it has to wait. */
export function begun(start: () => void | Promise<void>): void | Promise<void>;
export function begun(start: () => unknown): unknown {
  try {
    return start();
  } catch (error) {
    return Promise.reject(error);
  }
}

/**
 * Waits for a promise, but not for longer than a time.
 *
 * @param promise The promise. Its rejection is thrown, or passed over once the time is up.
 * @param ms The time.
 * @returns Whether the promise has resolved in time.
 */
export async function resolvesWithin(
  promise: Promise<unknown>,
  ms: number,
): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => late.resolve(false), ms);
  try {
    return await Promise.race([promise.then(() => true), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
