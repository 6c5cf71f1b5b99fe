/**
 * Random input for tests: a seed that is printed, and messages that are nearly right.
 *
 * @module
 */

import { granted } from "./allowed.ts";
import fc from "fast-check";

/** Returns a number of the environment, if that may be read. */
function given(variable: string): number | undefined {
  const may = granted({ name: "env", variable });
  const value = may ? Deno.env.get(variable) : undefined;
  return value ? Number(value) : undefined;
}

/** The factor for the number of runs. */
const factor = given("FUZZ_RUNS");
/** The seed: the same in each plain run of the tests, a new one if `FUZZ_RUNS` asks for more runs. */
const seed = given("FUZZ_SEED") ?? (factor === undefined ? 1 : Date.now() | 0);

/**
 * Checks a property with random values. The error of a failure has the least values that fail, and the seed.
 *
 * @param name The name in the line with the seed.
 * @param runs The number of values to try, times `FUZZ_RUNS` if that is set.
 * @param property The property.
 */
export async function fuzz<T>(
  name: string,
  runs: number,
  property: fc.IAsyncProperty<T>,
): Promise<void> {
  console.log(`${name}: FUZZ_SEED=${seed}`);
  await fc.assert(property, { seed, numRuns: runs * (factor ?? 1) });
}

/** The place in a message, from 0 to 1, and the change there. */
const mutation = fc.tuple(
  fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  fc.oneof(
    fc.record({ kind: fc.constant("cut" as const) }),
    fc.record({ kind: fc.constant("drop" as const) }),
    fc.record({ kind: fc.constant("flip" as const), bit: fc.nat(7) }),
    fc.record({ kind: fc.constant("set" as const), byte: fc.nat(255) }),
    fc.record({
      kind: fc.constant("insert" as const),
      bytes: fc.uint8Array({ maxLength: 300 }),
    }),
    fc.record({ kind: fc.constant("repeat" as const), times: fc.nat(40) }),
  ),
);

/** The most bytes of a message, however often a part of it is repeated. */
const LENGTH_MAX = 60_000;

/** Appends `more` up to `times` times, while there is room. */
function repeat(bytes: number[], more: number[], times: number): number[] {
  const room = Math.floor(Math.max(LENGTH_MAX - bytes.length, 0) / more.length);
  return bytes.concat(...Array(Math.min(times, room)).fill(more));
}

function mutate(
  bytes: number[],
  [place, how]: typeof mutation extends fc.Arbitrary<infer M> ? M : never,
): number[] {
  const at = Math.floor(place * bytes.length);
  switch (how.kind) {
    case "cut":
      return bytes.slice(0, at);
    case "drop":
      return bytes.toSpliced(at, 1);
    case "flip":
      return bytes.with(at, bytes[at] ^ 1 << how.bit);
    case "set":
      return bytes.with(at, how.byte);
    case "insert":
      return bytes.toSpliced(at, 0, ...how.bytes);
    case "repeat":
      return repeat(bytes, bytes.slice(at), how.times);
  }
}

/** Returns messages of a corpus with one to four changes: flipped bits, cuts, noise, repetition. */
export function mutated(
  corpus: Uint8Array[],
): fc.Arbitrary<Uint8Array<ArrayBuffer>> {
  const mutations = fc.array(mutation, { minLength: 1, maxLength: 4 });
  return fc.tuple(fc.constantFrom(...corpus), mutations).map(
    ([message, list]) =>
      Uint8Array.from(
        list.reduce(
          (bytes, each) => bytes.length === 0 ? bytes : mutate(bytes, each),
          [...message],
        ).slice(0, LENGTH_MAX),
      ),
  );
}
