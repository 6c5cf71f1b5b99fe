/** ChildSurvey: the children that a server probes, and the one for the next request. */

import { ChildSurvey } from "../../internal/children/child_survey.ts";
import {
  acceptingMember,
  fakeJob,
  fakeMember,
  startingMember,
} from "./children_fakes.ts";
import { assertEquals } from "../deps.ts";

for (const accepts of [true, false]) {
  const asks = accepts ? "asks a busy child that" : "asks no child if none";
  Deno.test(`ChildSurvey ${asks} accepts whether its event loop turns`, () => {
    const { child, poolChild } = accepts ? acceptingMember() : fakeMember();
    const starting = startingMember();
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
