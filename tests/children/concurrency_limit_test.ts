/** ConcurrencyLimit: the most children that short requests keep busy. */

import {
  BUSY_CHILDREN_MAX,
  ConcurrencyLimit,
} from "../../internal/children/concurrency_limit.ts";
import { assertStrictEquals } from "../deps.ts";

Deno.test("ConcurrencyLimit.isReached() limits the busy children once requests are short", () => {
  const limit = new ConcurrencyLimit();
  assertStrictEquals(limit.isReached(BUSY_CHILDREN_MAX), false); // no duration is known
  limit.record(5);
  assertStrictEquals(limit.isReached(BUSY_CHILDREN_MAX), true);
  assertStrictEquals(limit.isReached(BUSY_CHILDREN_MAX - 1), false);
  for (let i = 0; i < 10; i++) limit.record(40);
  assertStrictEquals(limit.isReached(BUSY_CHILDREN_MAX), false);
  for (let i = 0; i < 12; i++) limit.record(i % 4 === 0 ? 5 : 12); // some short requests are enough
  assertStrictEquals(limit.isReached(BUSY_CHILDREN_MAX), true);
});
