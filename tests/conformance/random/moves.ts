/**
 * How random scenarios are made: a list of moves is played on a model, which knows what pends where.
 * A move that could wait for ever, or whose result depends on time, adds no step. So a list from which
 * some moves are taken away is a scenario too, and shrinking needs no rules of its own.
 *
 * @module
 */

import fc from "fast-check";
import type { Value } from "../scenario.ts";

/** A move, which adds its steps to the model. */
export type Move<Model> = (model: Model) => void;

/** Bytes as text of Latin-1: line ends, NUL and a few more. */
export const text: fc.Arbitrary<string> = fc.string({
  unit: fc.constantFrom("a", "b", "c", " ", "\n", "\r\n", "\r", "\0", "\xff"),
  maxLength: 12,
});

/** How many bytes, mostly few. */
export const size: fc.Arbitrary<number> = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 12 }) },
  { weight: 1, arbitrary: fc.integer({ min: 13, max: 300 }) },
);

/** Seconds of `settimeout`. */
export const seconds: fc.Arbitrary<Value> = fc.constantFrom(
  null,
  null,
  0,
  0.01,
  10,
  -1,
);

/** Moves that are chosen by weight, each a function of random arguments. */
export function moves<Model>(
  ...each: [weight: number, move: fc.Arbitrary<Move<Model>>][]
): fc.Arbitrary<Move<Model>[]> {
  const some = each.map(([weight, arbitrary]) => ({ weight, arbitrary }));
  return fc.array(fc.oneof(...some), { minLength: 1, maxLength: 24 });
}

/** A move of random arguments. */
export function move<Model, T extends unknown[]>(
  args: { [K in keyof T]: fc.Arbitrary<T[K]> },
  play: (model: Model, ...args: T) => void,
): fc.Arbitrary<Move<Model>> {
  return fc.tuple(...args).map((values) => (model: Model) =>
    play(model, ...values as T)
  );
}
