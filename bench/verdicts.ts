/**
 * Whether the targets are reached.
 *
 * @module
 */

import type { Measured, Results } from "./results.ts";
import { difference, ratio } from "./statistics.ts";
import type { Target } from "./targets.ts";

/** A target with what was reached. */
export interface Verdict {
  /** The target. */
  target: Target;
  /** What was reached; undefined where a contender was not there. */
  reached: number | undefined;
  /** Whether that is good; undefined where nothing was reached. */
  good: boolean | undefined;
}

/** What a target's figure is: the value or the ratio of the rates, or what the target says instead. */
export type Figure = "value" | NonNullable<Target["figure"]>;

/** By how much a figure may be worse than the recorded one. */
export const TOLERANCE = 0.15;

/** What was reached of a target; undefined where a contender was not there. */
export function reached(
  target: Target,
  results: Results,
): number | undefined {
  return figureOf(target, results, target.figure ?? "value");
}

/** A figure of a target, also another one than that which is judged; undefined where there is none. */
export function figureOf(
  { benchmark, of, against, by }: Target,
  results: Results,
  figure: Figure,
): number | undefined {
  const contenders = results[benchmark]?.contenders ?? {};
  const judged = contenders[of];
  if (figure === "memory") return judged?.memory;
  const peer = contenders[against ?? ""];
  if (figure === "processor time") return costRatio(judged, peer);
  if (against === undefined) return judged?.median;
  if (!judged || !peer) return undefined;
  return by === "difference"
    ? difference(judged.values, peer.values)
    : ratio(judged.values, peer.values);
}

/** The processor time of a peer as a multiple of a contender's: more is better for the contender. */
function costRatio(
  judged: Measured | undefined,
  peer: Measured | undefined,
): number | undefined {
  const [own, other] = [judged?.cost, peer?.cost];
  return own && other ? other / own : undefined;
}

/** Judges a target by results. */
export function judge(target: Target, results: Results): Verdict {
  const value = reached(target, results);
  const { atLeast = -Infinity, atMost = Infinity } = target;
  const good = value === undefined
    ? undefined
    : value >= atLeast && value <= atMost;
  return { target, reached: value, good };
}

/** Whether a figure is worse than the recorded one by more than the tolerance. */
export function fell(
  target: Target,
  recorded: number,
  now: number,
): boolean {
  return target.atLeast !== undefined
    ? now < recorded * (1 - TOLERANCE)
    : now > recorded * (1 + TOLERANCE);
}

/** Those targets whose figures fell; those that cannot be compared do not count. */
export function fallen(
  targets: readonly Target[],
  recorded: Results,
  now: Results,
): Target[] {
  return targets.filter((target) => {
    const before = reached(target, recorded);
    const after = reached(target, now);
    return before !== undefined && after !== undefined &&
      fell(target, before, after);
  });
}

/** A target in words: what, against what, and the bound. */
export function describe(target: Target): string {
  const { benchmark, of, against, by, figure, atLeast, atMost } = target;
  const sign = by === "difference" ? " - " : " / ";
  const what = against === undefined ? of : of + sign + against;
  const bound = atLeast !== undefined
    ? `at least ${atLeast}`
    : `at most ${atMost}`;
  return `${benchmark}: ${what}${figure ? `, ${figure}` : ""}: ${bound}`;
}
