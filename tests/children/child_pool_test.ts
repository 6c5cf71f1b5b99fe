/** ChildPool: the wait of a request while few children are enough. */

import { ChildPool } from "../../internal/children/child_pool.ts";
import { BUSY_CHILDREN_MAX } from "../../internal/children/child_survey.ts";
import { Socket } from "../../mod.ts";
import { fakeReadyChild } from "./children_fakes.ts";
import { assertEquals } from "../deps.ts";
import { FakeStream } from "../helpers/fakes.ts";
import { FrozenClock } from "../helpers/turns.ts";
import { until } from "../helpers/within.ts";

Deno.test("ChildPool has a request wait for short ones, and no longer once they have become long", async () => {
  const members = Array.from(
    { length: BUSY_CHILDREN_MAX },
    () => fakeReadyChild(),
  );
  const children = members.map(({ poolChild }) => poolChild);
  type Arguments = ConstructorParameters<typeof ChildPool>;
  const pool = new ChildPool(
    { launch: {} } as Arguments[0],
    { maxChildren: children.length } as Arguments[1],
  );
  const running = Object.assign(children, { full: true, retire() {} });
  Object.defineProperty(pool, "children", { value: running });
  pool.record(1);
  const run = () => {
    const request = Socket.from(new FakeStream());
    pool.run(request, ["127.0.0.1", 1]).catch(() => {});
  };
  {
    using _clock = new FrozenClock();
    for (const { child } of members) {
      run();
      child.say({ type: "acknowledge", id: 1 });
    }
    run();
    assertEquals(children.map(({ load }) => load), children.map(() => 1));
  }
  await until(() => children.some(({ load }) => load === 2)); // nothing else tells the pool
});
