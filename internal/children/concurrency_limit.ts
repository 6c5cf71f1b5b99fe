/**
 * Limits the number of children that short requests keep busy.
 *
 * @module
 */

/**
 * The milliseconds within which a request counts as short. While requests are short, a request waits for one of
 * {@linkcode BUSY_CHILDREN_MAX} busy children instead of waking another. Once a request has taken longer, others do not
 * wait for it. Arbitrary.
 */
export const SHORT_REQUEST_MS = 10;

/**
 * The most children that short requests keep busy: one for each processor, and one for the time that children wait for
 * their clients. On two processors, 16 connections at a time that echo 64 bytes are served 1.5 times as fast as with a
 * child for each, which pays for switching between processes.
 */
export const BUSY_CHILDREN_MAX: number = navigator.hardwareConcurrency + 1;

/**
 * The weight of the last request in the moving average of durations, if it took longer and if it took less than that.
 * Arbitrary. Short requests weigh more: once too many children are awake, all requests take long for want of
 * processors, which must not keep the children awake.
 */
const WEIGHT = { longer: 0.1, less: 0.5 };

/** Limits the busy children by a moving average of the durations of requests. */
export class ConcurrencyLimit {
  #average = Infinity;

  /** Records that a request took `ms` milliseconds in its child. */
  record(ms: number): void {
    const average = this.#average;
    const weight = ms < average ? WEIGHT.less : WEIGHT.longer;
    this.#average = average === Infinity
      ? ms
      : average + weight * (ms - average);
  }

  /** Reports whether another request has to wait while `busy` children have requests that may still be short. */
  isReached(busy: number): boolean {
    return busy >= BUSY_CHILDREN_MAX && this.#average < SHORT_REQUEST_MS;
  }
}
