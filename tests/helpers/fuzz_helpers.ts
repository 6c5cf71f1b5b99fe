/**
 * What the tests with random input share: a seed that is printed, and messages that are nearly right.
 *
 * @module
 */

import { granted } from "./allowed.ts";
import fc from "fast-check";

/** A number of the environment, where it may be asked. */
function given(variable: string): number | undefined {
  const may = granted({ name: "env", variable });
  const value = may ? Deno.env.get(variable) : undefined;
  return value ? Number(value) : undefined;
}

/** How many times as many runs. */
const factor = given("FUZZ_RUNS");
/** The seed: always the same in a plain run of the tests, a new one where more runs look for faults. */
const seed = given("FUZZ_SEED") ?? (factor === undefined ? 1 : Date.now() | 0);

/**
 * Checks a property with random values; what fails is shrunk, and told with the seed.
 *
 * @param name What is tested, for the line with the seed.
 * @param runs How many values to try; `FUZZ_RUNS` times as many, if it is set.
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

/** Where in the message, from 0 to 1, and what is done there. */
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

/** No message is longer, whatever is repeated how often. */
const LENGTH_MAX = 60_000;

/** The message with some more of it after it, as often as there is room. */
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

/** Messages of a corpus with one to four changes: bits, cuts, noise, repetition. */
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
