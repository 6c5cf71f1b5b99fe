/**
 * One way to fail.
 *
 * @module
 */

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
