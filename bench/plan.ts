/**
 * How long and how often to measure.
 *
 * @module
 */

import type { ServerPool } from "./server_pool.ts";

/** How a run measures. */
export interface Plan {
  /** Rounds, of which the median is taken. */
  rounds: number;
  /** Seconds of each round. */
  seconds: number;
  /** Seconds of the round before the first, which does not count. */
  warmUp: number;
  /** Connections at most. */
  connections: number;
  /** MiB of the file that is sent. */
  fileMiB: number;
  /** KiB that each of the idle connections moves before it goes quiet. */
  idleKiB: number;
  /** The seconds for which idle connections settle. */
  idleSeconds: number;
  /** The contenders that are measured; all of them where this says nothing. */
  only?: ReadonlySet<string>;
  /** Where servers stay up for the next benchmark; without it each benchmark starts its own. */
  pool?: ServerPool;
}

/**
 * What is recorded. Many short rounds tell more than few long ones: peers that are measured within a few
 * seconds of each other see the same machine.
 */
export const FULL: Plan = {
  rounds: 15,
  seconds: 0.2,
  warmUp: 1,
  connections: 10_000,
  fileMiB: 1024,
  idleKiB: 1024,
  idleSeconds: 30,
};

/** What the guard runs. */
export const SHORT: Plan = {
  ...FULL,
  rounds: 11,
  warmUp: 0.5,
  fileMiB: 256,
};

/** Once, to see that it works. */
export const SMOKE: Plan = {
  rounds: 1,
  seconds: 0.02,
  warmUp: 0,
  connections: 16,
  fileMiB: 1,
  idleKiB: 64,
  idleSeconds: 0,
};

/** The plan for what needs rounds that are longer by so many times: there are as many fewer. */
export function longer(plan: Plan, times: number): Plan {
  return {
    ...plan,
    rounds: Math.ceil(plan.rounds / times),
    seconds: plan.seconds * times,
  };
}
