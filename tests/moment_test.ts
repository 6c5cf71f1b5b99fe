import { Alarm, Timeout } from "../_socket/alarm.ts";
import { Moment } from "../_socket/moment.ts";
import {
  assert,
  assertEquals,
  assertNotStrictEquals,
  assertStrictEquals,
} from "./deps.ts";
import { turn } from "./helpers.ts";

/** Counts the times that the clock is read, until the end of the scope. */
function countReads(): { count: number } & Disposable {
  const { now } = performance;
  const reads = {
    count: 0,
    [Symbol.dispose]: () => void (performance.now = now),
  };
  performance.now = () => (reads.count++, now.call(performance));
  return reads;
}

/** Keeps the thread busy. */
function hog(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

Deno.test("Moment is shared by what begins in one run of the microtasks", async () => {
  await turn();
  using reads = countReads();
  const first = Moment.current();
  await undefined;
  await turn();
  const second = Moment.current();
  const third = Moment.current();
  assertNotStrictEquals(first, second);
  assertStrictEquals(second, third);
  await turn();
  assertEquals(reads.count, 2);
  assert(first.time <= second.time);
  assertEquals(reads.count, 2);
});

Deno.test("Moment is never before the call has begun", async () => {
  const early = Moment.current();
  hog(5);
  const late = Moment.current();
  const begun = performance.now();
  assert(late.time >= begun);
  assertEquals(early.time, late.time);
  hog(5);
  const next = Moment.current();
  assert(next.time >= late.time + 5);
  await turn();
  assert(next.time < performance.now());
});

Deno.test("Timeout that a running timer serves does not read the clock for itself", async () => {
  const alarm = new Alarm();
  new Timeout(alarm, 60, "recv").start(() => {});
  await turn();
  using reads = countReads();
  for (let i = 0; i < 100; i++) {
    const timeout = new Timeout(alarm, 60 + i, "recv");
    timeout.start(() => {});
    timeout.cancel();
  }
  assertEquals(reads.count, 0);
  new Timeout(alarm, 59, "recv").start(() => {});
  assert(reads.count > 0);
  alarm.stop();
  await turn();
});
