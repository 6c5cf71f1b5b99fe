/** ParentLink: what a child tells its server. */

import { fakeLink } from "./children_fakes.ts";
import { assertEquals, assertRejects, assertStrictEquals } from "../deps.ts";
import { turn } from "../helpers/turns.ts";

Deno.test("ParentLink sends with the next message what ended while one was on its way", () => {
  const { link, said, sent } = fakeLink();
  link.done(1, 5);
  link.done(2, 6);
  link.done(3, 7);
  assertEquals(said, [{ type: "done", ids: [1], ms: 5 }]);
  sent[0]();
  assertEquals(said.slice(1), [{ type: "done", ids: [2, 3], ms: 7 }]);
  sent[1]();
  assertStrictEquals(said.length, 2);
  link.done(4, 8);
  assertEquals(said.at(-1), { type: "done", ids: [4], ms: 8 });
  link.done(5, 9);
  link.done(6, 10, { bytesIn: 7, bytesOut: 1 });
  sent[2]();
  const bytes = [0, 0, 7, 1];
  assertEquals(said.at(-1), { type: "done", ids: [5, 6], ms: 10, bytes });
});

Deno.test("ParentLink says that a request has come, unless that is clear already", async () => {
  const { link, said } = fakeLink();
  link.begin(2);
  link.begin(3);
  link.done(3, 0);
  link.begin(4);
  link.call(4, { operation: "close" });
  link.begin(5);
  link.failed(5, "thrown");
  await turn();
  await turn();
  const acknowledged = said.filter(({ type }) => type === "acknowledge");
  assertEquals(acknowledged, [{ type: "acknowledge", id: 2 }]);
});

Deno.test("ParentLink makes no call for a request that has ended", async () => {
  const { link, said } = fakeLink();
  link.begin(1);
  link.begin(2);
  link.done(1, 0);
  link.failed(2, "thrown");
  const before = said.length;
  for (const id of [1, 2, 3]) {
    await assertRejects(
      () => link.call(id, { operation: "read" }),
      Error,
      "the request has ended",
    );
  }
  assertStrictEquals(said.length, before);
});
