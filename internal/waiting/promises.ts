/**
 * The promises of calls: some go unawaited, some begin by throwing, and some wait.
 *
 * @module
 */

/**
 * Marks the failure of a promise as seen. A call on a socket that nobody awaits may fail because a client
 * went away, and a client must not be able to end the process with an unhandled rejection.
 * Who awaits the promise gets the failure all the same.
 */
export function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

/** Errors of these classes that a peer, or the end of a request, can cause. */
const harmless = new WeakSet<object>();

/** Marks a TypeError or RangeError as no mistake of the program; see {@linkcode unawaited}. */
export function noMistake<E extends Error>(error: E): E {
  harmless.add(error);
  return error;
}

/** Reports whether the program made a mistake: a wrong argument, mostly. */
function isMistake(error: unknown): boolean {
  return (error instanceof TypeError || error instanceof RangeError) &&
    !harmless.has(error);
}

/** Marks the failure of a promise as seen, unless it is a mistake of the program. */
export function quietFailure(promise: Promise<unknown>, error: unknown): void {
  if (!isMistake(error)) quiet(promise);
}

/**
 * Returns the promise of a call that may go unawaited. As {@linkcode quiet}, but a mistake of the program, such as
 * a wrong argument, is an unhandled rejection where nobody awaits the call: it would leave no trace otherwise.
 */
export function unawaited<T>(call: Promise<T>): Promise<T> {
  const promise: Promise<T> = call.catch((error) => {
    quietFailure(promise, error);
    throw error;
  });
  return promise;
}

/** Begins an operation; one that throws instead of rejecting, as a test double may, rejects too. */
export function begun<T>(start: () => Promise<T>): Promise<T>;
/**
 * Begins one that gives a promise only where there is something to wait for. What it is about comes as its `this`,
 * so that who begins one for each request needs no function, and no scope, for each.
 */
export function begun<A = void>(
  start: (this: A) => void | Promise<void>,
  about?: A,
): void | Promise<void>;
export function begun(
  start: (this: unknown) => unknown,
  about?: unknown,
): unknown {
  try {
    return start.call(about);
  } catch (error) {
    return Promise.reject(error);
  }
}

/**
 * Rejects a call that may go unawaited. Only a failure marks its promise, so that a call that succeeds costs no more
 * than the promise.
 */
export function rejectQuietly<T>(
  call: PromiseWithResolvers<T>,
  error: unknown,
): void {
  quiet(call.promise);
  call.reject(error);
}
