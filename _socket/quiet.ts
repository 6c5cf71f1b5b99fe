/**
 * Promises that may go unawaited.
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
