/**
 * The children of a pool, as the next request finds them.
 *
 * @module
 */

import { SHORT_REQUEST_MS } from "./concurrency_limit.ts";
import type { PoolChild } from "./pool_child.ts";

/**
 * The milliseconds after which a child that accepts by itself and was not heard is asked whether its event loop turns
 * before it gets a request: its handler may compute, and the server need not know of that request. Arbitrary.
 */
const QUIET_MS = 50;

/**
 * The answers after which a child is believed not to compute for its last request: it had read the first bytes of the
 * client, if they were there, before the second one. With the first it may have read the question before those bytes.
 */
const SETTLED_TURNS = 2;

/**
 * Looks at the children of a pool once, for the next request. Asks those that accept and may compute whether their loops
 * turn.
 */
export class ChildSurvey {
  /** The least busy child that can take a request. */
  best: PoolChild | undefined;
  /** The least busy child whose event loop is known to have turned since its last request began. */
  settled: PoolChild | undefined;
  /** The number of children that take more requests. */
  open = 0;
  /** The number of those that are not ready. */
  starting = 0;
  /** The number of those whose requests have been short so far. */
  short = 0;
  /** Whether an idle child was asked a moment ago whether its event loop turns. */
  readonly hoped: boolean;
  readonly #accepts: boolean;
  readonly #now = performance.now();
  /** The children to ask. */
  readonly #asked: PoolChild[] = [];

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
    this.hoped = accepts && this.best?.load !== 0 && this.#ask();
  }

  #count({ ready, load, requests }: PoolChild): void {
    this.open++;
    if (!ready) this.starting++;
    else if (load > 0 && requests.lastProgress > this.#now - SHORT_REQUEST_MS) {
      this.short++;
    }
  }

  /** Compares a child that can take a request with the best so far. */
  #rank(child: PoolChild): void {
    if (this.#isQuiet(child)) this.#asked.push(child);
    else {
      if (isLess(child, this.best)) this.best = child;
      if (child.accepting.liveness.turns < SETTLED_TURNS) {
        this.#asked.push(child);
      } else if (isLess(child, this.settled)) this.settled = child;
    }
  }

  /** Reports whether a child that accepts was not heard for {@linkcode QUIET_MS}. */
  #isQuiet({ accepting }: PoolChild): boolean {
    return this.#accepts && accepting.liveness.heard < this.#now - QUIET_MS;
  }

  /**
   * Asks children whether their event loops turn: the idle ones, or all. The answer of a child lets the pool go on.
   *
   * @returns Whether an idle child was asked less than {@linkcode SHORT_REQUEST_MS} ago.
   */
  #ask(): boolean {
    const all = this.settled === undefined &&
      (this.starting > 0 || this.best === undefined);
    let hoped = false;
    for (const { load, accepting: { liveness } } of this.#asked) {
      if (load > 0 && !all) continue;
      liveness.probe();
      hoped ||= load === 0 && liveness.probed! > this.#now - SHORT_REQUEST_MS;
    }
    return hoped;
  }
}

/** Reports whether a child has fewer requests than another one. */
function isLess(child: PoolChild, other: PoolChild | undefined): boolean {
  return other === undefined || child.load < other.load;
}
