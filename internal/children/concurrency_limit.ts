/**
 * How quick requests are, and how many children they are worth.
 *
 * @module
 */

/**
 * After this many ms a request is not expected to be quick any more, and others do not wait for it. While
 * requests take less, a request waits for one of {@linkcode BUSY_CHILDREN_MAX} busy children rather than wake
 * another: it waits less than it would have to for a slow one. The number is arbitrary.
 */
export const SHORT_REQUEST_MS = 10;

/**
 * How many children are kept busy with quick requests: one for each processor, and one for while they wait for
 * their clients. On two processors, 16 connections at a time that echo 64 bytes are served 1.5 times as
 * fast that way as with a child for each: the rest is the price of changing between processes.
 */
export const BUSY_CHILDREN_MAX: number = navigator.hardwareConcurrency + 1;

/**
 * How much of the usual time the last request makes, where it took longer and where it took less: arbitrary.
 * Quick ones count for more. Once too many children are awake all requests take long, for want of
 * processors; that must not keep the children awake.
 */
const WEIGHT = { longer: 0.1, less: 0.5 };

/** How long requests took lately. */
export class ConcurrencyLimit {
  #usual = Infinity;

  /** A request has taken `ms` milliseconds in its child. */
  record(ms: number): void {
    const usual = this.#usual;
    const weight = ms < usual ? WEIGHT.less : WEIGHT.longer;
    this.#usual = usual === Infinity ? ms : usual + weight * (ms - usual);
  }

  /** Whether another request had better wait while `busy` children have requests that may yet be quick. */
  isReached(busy: number): boolean {
    return busy >= BUSY_CHILDREN_MAX && this.#usual < SHORT_REQUEST_MS;
  }
}
