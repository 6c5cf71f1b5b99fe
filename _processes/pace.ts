/**
 * How quick requests are, and how many children they are worth.
 *
 * @module
 */

/**
 * Requests that take less than this many ms in a child are quick: they wait for one of {@linkcode WIDTH}
 * busy children rather than wake another. 16 connections at a time that echo 64 bytes end at 4,000 a second
 * that way, and at 2,200 with a child for each: the rest is the price of changing between processes.
 */
const QUICK_MS = 2;

/** How many children are kept busy with quick requests: enough for all processors while some wait. */
const WIDTH = 2 * navigator.hardwareConcurrency;

/** How much of the usual time the last request makes: arbitrary. */
const WEIGHT = 0.1;

/** After this many ms a request is not expected to be quick any more, and others do not wait for it. */
export const SLOW_MS = 10;

/** How long requests took lately. */
export class Pace {
  #usual = Infinity;

  /** A request has taken `ms` milliseconds in its child. */
  note(ms: number): void {
    const usual = this.#usual;
    this.#usual = usual === Infinity ? ms : usual + WEIGHT * (ms - usual);
  }

  /** Whether another request had better wait while `busy` children have requests that may yet be quick. */
  enough(busy: number): boolean {
    return busy >= WIDTH && this.#usual < QUICK_MS;
  }
}
