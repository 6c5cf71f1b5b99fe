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

/** Ends a call. */
export type Resolve<T> = (value: T | Promise<T>) => void;

let resolve: Resolve<unknown>;

/** Hands the function of a promise to who makes it: one function for all, instead of a closure each. */
function handOver(resolveIt: Resolve<unknown>): void {
  resolve = resolveIt;
}

/** What the caller of a call holds; {@linkcode resolveNew}, called next, gives the function that ends it. */
export function newPromise(): Promise<unknown> {
  return new Promise(handOver);
}

/**
 * The function that resolves the promise made last. The one that would reject is not kept: every connection that
 * waits would have one.
 */
export function resolveNew(): Resolve<unknown> {
  return resolve;
}

/**
 * Ends a call with an error. A call may be one that nobody awaits: only a failure makes it quiet, so that a call
 * that succeeds costs no more than its promise.
 */
export function refuse<T>(
  promise: Promise<T>,
  resolve: Resolve<T>,
  error: unknown,
): void {
  quiet(promise);
  resolve(quiet(Promise.reject(error))); // quiet too where the call has ended already
}
