/**
 * One way to fail.
 *
 * @module
 */

/** Begins an operation; one that throws instead of rejecting, as a test double may, rejects too. */
export function begun<T>(start: () => Promise<T>): Promise<T>;
/** Begins one that gives a promise only where there is something to wait for. */
export function begun(
  start: () => void | Promise<void>,
): void | Promise<void>;
export function begun(start: () => unknown): unknown {
  try {
    return start();
  } catch (error) {
    return Promise.reject(error);
  }
}
