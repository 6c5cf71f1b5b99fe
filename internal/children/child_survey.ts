/**
 * The children of a pool, as the next request finds them, and how many of them short requests keep busy.
 *
 * @module
 */

import type { PoolChild } from "./pool_child.ts";

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

/**
 * The milliseconds after which a child that accepts by itself and was not heard is probed before it gets a
 * request: its handler may compute, and the server need not know of that request. Arbitrary.
 */
const QUIET_MS = 50;

/**
 * The answers after which a child is believed not to compute for its last request: it had read the first bytes of the
 * client, if they were there, before the second one. With the first it may have read the question before those bytes.
 */
const RESPONSIVE_TURNS = 2;

/** Looks at the children of a pool once, for the next request. Probes those that accept and may compute. */
export class ChildSurvey {
  /** The least busy child that can take a request. */
  best: PoolChild | undefined;
  /** The least busy child whose event loop is known to have turned since its last request began. */
  bestResponsive: PoolChild | undefined;
  /** The number of children that take more requests. */
  open = 0;
  /** The number of those that are not ready. */
  starting = 0;
  /** The number of those that are busy with requests that have been short so far. */
  busyBriefly = 0;
  /** Whether an idle child was probed a moment ago: it may answer soon. */
  readonly idleProbed: boolean;
  readonly #accepts: boolean;
  readonly #now = performance.now();
  /** The children to probe. */
  readonly #doubtful: PoolChild[] = [];

  /**
   * @param children The children of the pool.
   * @param accepts Whether they accept by themselves.
   */
  constructor(children: Iterable<PoolChild>, accepts: boolean) {
    this.#accepts = accepts;
    for (const child of children) {
      if (!child.open || child.pid === undefined) continue;
      this.#count(child);
      const { ready, caughtUp, accepting } = child;
      if (ready && caughtUp && !accepting.liveness.silent) this.#rank(child);
    }
    this.idleProbed = accepts && this.best?.load !== 0 && this.#probe();
  }

  #count({ ready, load, requests }: PoolChild): void {
    this.open++;
    if (!ready) this.starting++;
    else if (load > 0 && requests.lastProgress > this.#now - SHORT_REQUEST_MS) {
      this.busyBriefly++;
    }
  }

  /** Compares a child that can take a request with the best so far. */
  #rank(child: PoolChild): void {
    if (this.#isQuiet(child)) this.#doubtful.push(child);
    else {
      if (isLess(child, this.best)) this.best = child;
      if (child.accepting.liveness.turns < RESPONSIVE_TURNS) {
        this.#doubtful.push(child);
      } else if (isLess(child, this.bestResponsive)) {
        this.bestResponsive = child;
      }
    }
  }

  /** Reports whether a child that accepts was not heard for {@linkcode QUIET_MS}. */
  #isQuiet({ accepting }: PoolChild): boolean {
    return this.#accepts && accepting.liveness.heard < this.#now - QUIET_MS;
  }

  /**
   * Probes the children that may compute: the idle ones, or all. The answer of a child lets the pool go on.
   *
   * @returns Whether an idle child was probed less than {@linkcode SHORT_REQUEST_MS} ago.
   */
  #probe(): boolean {
    const all = this.bestResponsive === undefined &&
      (this.starting > 0 || this.best === undefined);
    let idleProbed = false;
    for (const { load, accepting: { liveness } } of this.#doubtful) {
      if (load > 0 && !all) continue;
      liveness.probe();
      idleProbed ||= load === 0 &&
        liveness.probed! > this.#now - SHORT_REQUEST_MS;
    }
    return idleProbed;
  }
}

/** Reports whether a child has fewer requests than another one. */
function isLess(child: PoolChild, other: PoolChild | undefined): boolean {
  return other === undefined || child.load < other.load;
}
