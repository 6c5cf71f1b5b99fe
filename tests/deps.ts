/**
 * The parts of `@std/assert`, `@std/async` and `@std/testing` that the tests use. Add a new name here and in
 * `deps_fallback.ts`. The packages are loaded by dynamic import, and where they cannot be reached the stand-ins of
 * `deps_fallback.ts` serve: a static `jsr:` import would end an offline run. Which of the two a run uses is in the name
 * of a test of `helpers_test.ts`.
 *
 * @module
 */

import "./helpers/deadline.ts";
import * as fallback from "./deps_fallback.ts";

type Deps = typeof fallback;

/** Imports by a name that the type check does not follow; the types are those of the stand-ins. */
const load = (name: string) => import(`@std/${name}`);

async function choose(): Promise<Deps> {
  try {
    return {
      ...await load("assert"),
      ...await load("async"),
      ...await load("testing/mock"),
      fakeTime: async () => new (await load("testing/time")).FakeTime(),
    };
  } catch {
    return fallback;
  }
}

const deps = await choose();

/** Whether the stand-ins are used, because `@std` cannot be loaded. */
export const standIns: boolean = deps === fallback;

export const assert: Deps["assert"] = deps.assert;
export const assertEquals: Deps["assertEquals"] = deps.assertEquals;
export const assertGreater: Deps["assertGreater"] = deps.assertGreater;
export const assertInstanceOf: Deps["assertInstanceOf"] = deps.assertInstanceOf;
export const assertLess: Deps["assertLess"] = deps.assertLess;
export const assertMatch: Deps["assertMatch"] = deps.assertMatch;
export const assertNotStrictEquals: Deps["assertNotStrictEquals"] =
  deps.assertNotStrictEquals;
export const assertRejects: Deps["assertRejects"] = deps.assertRejects;
export const assertSpyCalls: Deps["assertSpyCalls"] = deps.assertSpyCalls;
export const assertStrictEquals: Deps["assertStrictEquals"] =
  deps.assertStrictEquals;
export const assertStringIncludes: Deps["assertStringIncludes"] =
  deps.assertStringIncludes;
export const assertThrows: Deps["assertThrows"] = deps.assertThrows;
export const deadline: Deps["deadline"] = deps.deadline;
export const delay: Deps["delay"] = deps.delay;
export const fakeTime: Deps["fakeTime"] = deps.fakeTime;
export const spy: Deps["spy"] = deps.spy;
