/** ChildPool: the wait of a request for a child, and the children that it starts. */

import { ChildPool } from "../../internal/children/child_pool.ts";
import { BUSY_CHILDREN_MAX } from "../../internal/children/child_survey.ts";
import { Socket } from "../../mod.ts";
import { FakePool, fakeReadyChild } from "./children_fakes.ts";
import { assertEquals, assertMatch, fakeTime } from "../deps.ts";
import { FakeStream } from "../helpers/fakes.ts";
import { FrozenClock, turn } from "../helpers/turns.ts";
import { until, within } from "../helpers/within.ts";

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
  const running = Object.assign(children, {
    full: true,
    retire() {},
    setAwaited() {},
  });
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

Deno.test("ChildPool fails a request whose second child is killed before it is ready, and not for the child of another", async () => {
  using fake = new FakePool({ maxChildren: 2 });
  const runs = [fake.run(), fake.run()];
  const [first, second] = fake.started;
  for (const child of [first, second]) child.emit("exit", null, "SIGKILL");
  await turn();
  const [third, fourth] = fake.started.slice(2);
  third.emit("exit", null, "SIGKILL");
  assertMatch(await within(runs[0]), /before it was ready/);
  fourth.say({ type: "ready" });
  fourth.say({ type: "done", ids: [1], ms: 1 });
  assertEquals(await within(runs[1]), "");
});

Deno.test("ChildPool fails no request for children that are killed together before they are ready, however many", async () => {
  using fake = new FakePool({ maxChildren: 3 });
  fake.pool.children.grow(3); // as if the children accepted
  const run = fake.run();
  for (const child of fake.started) child.emit("exit", null, "SIGKILL");
  await turn();
  const next = fake.started[3];
  next.say({ type: "ready" });
  next.say({ type: "done", ids: [1], ms: 1 });
  assertEquals(await within(run), "");
});

Deno.test("ChildPool starts a child for each request at once if a child serves one only, and else as many as processors", async () => {
  const processors = navigator.hardwareConcurrency;
  const count = processors + 3;
  for (
    const [requestsPerChild, maxChildren, starts] of [
      [1, count - 1, count - 1],
      [2, count - 1, processors],
    ]
  ) {
    using fake = new FakePool({ requestsPerChild, maxChildren });
    const runs = Array.from({ length: count }, () => fake.run());
    assertEquals(fake.started.length, starts);
    fake.pool.close(true);
    await within(Promise.all(runs));
  }
});

Deno.test("ChildPool starts a child again a second after one has failed to start, while the only other one computes", async () => {
  for (const refuses of [true, false]) {
    using clock = new FrozenClock();
    using time = await fakeTime();
    const pass = (ms: number) => {
      clock.advance(ms);
      time.tick(50); // for the timers: the system's clock may be set back meanwhile
    };
    using fake = new FakePool({ maxChildren: 2 });
    void fake.run();
    const [computing] = fake.started;
    computing.say({ type: "ready" });
    fake.refuses = refuses;
    const ran = fake.run();
    fake.started[1]?.exit(1);
    await turn();
    fake.refuses = false;
    pass(500);
    const { length } = fake.started;
    pass(1000);
    const [next] = fake.started.slice(length);
    next.say({ type: "ready" });
    next.say({ type: "done", ids: [1], ms: 1 });
    assertEquals(await within(ran), "");
  }
});

Deno.test("RunningChildren.grow() waits a second after a child was killed before it was ready, and a request does not", async () => {
  using clock = new FrozenClock();
  using fake = new FakePool();
  const { pool: { children }, started } = fake;
  children.grow(2);
  for (const child of [...started]) child.emit("exit", null, "SIGKILL");
  await turn();
  clock.advance(900);
  assertEquals([children.grow(2), started.length], [false, 2]);
  void fake.run();
  assertEquals(started.length, 3);
  clock.advance(100);
  assertEquals([children.grow(2), started.length], [true, 4]);
  started[3].say({ type: "ready" });
  started[3].emit("exit", null, "SIGKILL");
  await turn();
  assertEquals([children.grow(2), started.length], [true, 5]);
});

Deno.test("ChildPool keeps the server's process alive for a child that starts only while a request waits", async () => {
  using fake = new FakePool();
  const { pool, started } = fake;
  const referenced = () => started.map((child) => child.referenced);
  pool.children.grow(1);
  assertEquals(referenced(), [false]);
  const runs = [fake.run(), fake.run()];
  assertEquals(referenced(), [true, true]);
  const [, second] = started;
  second.say({ type: "ready" });
  second.say({ type: "done", ids: [1], ms: 1 });
  assertEquals(referenced(), [false, true]);
  second.say({ type: "done", ids: [2], ms: 1 });
  await within(Promise.all(runs));
  assertEquals(referenced(), [false, false]);
});

Deno.test("ChildPool ends a child beyond a lower maxChildren once it is ready", async () => {
  using fake = new FakePool({ maxChildren: 2 });
  const { pool, started } = fake;
  const runs = [fake.run()];
  started[0].say({ type: "ready" });
  runs.push(fake.run());
  const [running, starting] = started;
  pool.setOptions({ ...pool.children.options, maxChildren: 1 });
  running.say({ type: "done", ids: [1], ms: 1 }); // and gets the other request
  await within(runs[0]);
  starting.say({ type: "ready" });
  assertEquals(starting.types.includes("leave"), true);
  assertEquals(starting.referenced, true); // closing the server waits for its exit
  starting.exit(0);
  running.say({ type: "done", ids: [2], ms: 1 });
  await within(runs[1]);
  assertEquals(running.types.includes("leave"), false);
});
