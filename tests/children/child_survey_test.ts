/** ChildSurvey: the children that a server probes, and the one for the next request. ConcurrencyLimit: the most children that short requests keep busy. */

import {
  BUSY_CHILDREN_MAX,
  ChildSurvey,
  ConcurrencyLimit,
} from "../../internal/children/child_survey.ts";
import {
  fakeAcceptingChild,
  fakeJob,
  fakeReadyChild,
  fakeStartingChild,
} from "./children_fakes.ts";
import { assertEquals, assertStrictEquals } from "../deps.ts";
import { FrozenClock } from "../helpers/turns.ts";

for (const accepts of [true, false]) {
  const asks = accepts ? "asks a busy child that" : "asks no child if none";
  Deno.test(`ChildSurvey ${asks} accepts whether its event loop turns`, () => {
    const { child, poolChild } = accepts
      ? fakeAcceptingChild()
      : fakeReadyChild();
    const starting = fakeStartingChild();
    void poolChild.run(fakeJob());
    child.say({ type: "acknowledge", id: 1 });
    const { best, open } = new ChildSurvey(
      [poolChild, starting.poolChild],
      accepts,
    );
    assertEquals(best, poolChild);
    assertEquals(open, 2);
    assertEquals(child.types.includes("probe"), accepts);
    starting.child.say({ type: "ready" });
  });
}

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

Deno.test("ChildSurvey passes over a silent child, even if that is idle, and does not ask it again", () => {
  using _clock = new FrozenClock();
  const silent = fakeAcceptingChild();
  const busy = fakeAcceptingChild();
  void busy.poolChild.run(fakeJob());
  busy.child.say({ type: "acknowledge", id: 1 });
  for (let i = 0; i < 2; i++) silent.poolChild.checkLiveness();
  const asked = silent.child.types.length;
  const children = [silent.poolChild, busy.poolChild];
  const { best, open, idleProbed } = new ChildSurvey(children, true);
  assertEquals(best, busy.poolChild);
  assertEquals({ open, idleProbed }, { open: 2, idleProbed: false });
  assertEquals(silent.child.types.length, asked);
});
