import {
  assertEquals,
  assertSpyCalls,
  assertStrictEquals,
  assertThrows,
  fakeTime,
  spy,
  standIns,
} from "../deps.ts";
import * as fallback from "../deps_fallback.ts";
import { TEST_DEADLINE_MS, withDeadline } from "../helpers/deadline.ts";

const timeout = TEST_DEADLINE_MS;
const fn = () => {};

Deno.test("withDeadline() adds the deadline in each form of Deno.test()", () => {
  assertEquals(withDeadline([fn]), [{ timeout }, fn]);
  assertEquals(withDeadline(["name", fn]), ["name", { timeout }, fn]);
  assertEquals(withDeadline([{ name: "name", fn }]), [
    { timeout, name: "name", fn },
  ]);
  assertEquals(withDeadline([{ name: "name" }, fn]), [
    { timeout, name: "name" },
    fn,
  ]);
  assertEquals(withDeadline(["name", { ignore: true }, fn]), [
    "name",
    { timeout, ignore: true },
    fn,
  ]);
});

Deno.test("withDeadline() keeps the deadline that a test sets", () => {
  assertEquals(withDeadline([{ timeout: 5, fn }]), [{ timeout: 5, fn }]);
});

Deno.test(
  standIns
    ? "the stand-ins of tests/deps_fallback.ts serve, because @std cannot be loaded"
    : "the tests use @std",
  async () => {
    const found = await import(`@std/${"assert"}`).catch(() => fallback);
    assertStrictEquals(assertEquals, found.assertEquals);
  },
);

Deno.test("spy() records the calls of a function", () => {
  const double = spy((value: number) => value * 2);
  assertEquals([double(1), double(2)], [2, 4]);
  assertEquals(double.calls.map(({ args }) => args), [[1], [2]]);
  assertSpyCalls(double, 2);
  assertThrows(() => assertSpyCalls(double, 1));
});

Deno.test("spy() records the calls of an own or inherited method, and restores it", () => {
  class Counter {
    count = 0;
    add(more: number) {
      return this.count += more;
    }
  }
  const counter = new Counter();
  {
    using add = spy(counter, "add");
    assertEquals(counter.add(3), 3);
    assertEquals(add.calls[0].args, [3]);
    assertEquals(add.calls[0].returned, 3);
  }
  assertStrictEquals(counter.add, Counter.prototype.add);
  {
    using add = spy(Counter.prototype, "add");
    counter.add(1);
    assertSpyCalls(add, 1);
  }
  assertEquals(counter.add(1), 5);
});

Deno.test("fakeTime() drives timers and dates by the clock of the test", async () => {
  const real = [setTimeout, Date];
  {
    using time = await fakeTime();
    const begin = Date.now();
    const fired = spy();
    const timer = setInterval(fired, 100);
    time.tick(350);
    assertSpyCalls(fired, 3);
    Promise.resolve().then(() => setTimeout(fired, 1));
    await time.tickAsync(1); // after pending promises
    assertSpyCalls(fired, 4);
    assertEquals(time.now, begin + 351, "timeNow");
    assertEquals(Date.now(), begin + 351, "dateNow");
    clearInterval(timer);
    time.tick(1000);
    assertSpyCalls(fired, 4);
  }
  assertEquals([setTimeout, Date], real);
});
