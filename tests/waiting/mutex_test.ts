import { TimeoutError } from "../../mod.ts";
import { Mutex } from "../../internal/waiting/mutex.ts";
import { Queue } from "../../internal/base/queue.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
} from "../deps.ts";
import { seeded } from "../helpers/bytes.ts";
import { timeoutByHand } from "../helpers/fakes.ts";
import { codeOf } from "../helpers/thrown.ts";
import { turn } from "../helpers/turns.ts";
import { within } from "../helpers/within.ts";

Deno.test("Queue agrees with an array, also if elements leave from the middle", () => {
  const random = seeded(5);
  const queue = new Queue<number>();
  const model: number[] = [];
  const leave = new Map<number, () => boolean>();
  for (let step = 0; step < 20_000; step++) {
    const value = model[random(Math.max(1, model.length))];
    switch (random(value === undefined ? 2 : 4)) {
      case 0:
        assertEquals(queue.shift(), model.shift());
        break;
      case 1: {
        model.push(step);
        leave.set(step, queue.push(step));
        break;
      }
      case 2:
        model.splice(model.indexOf(value), 1);
        assertEquals(leave.get(value)!(), true);
        break;
      default: {
        const gone = random(step);
        assertEquals(leave.get(gone)?.() ?? false, model.includes(gone));
        if (model.includes(gone)) model.splice(model.indexOf(gone), 1);
      }
    }
  }
  for (const value of model) assertEquals(queue.shift(), value);
  assertEquals(queue.shift(), undefined);
});

Deno.test("Mutex serves the calls that wait in their order", async () => {
  const mutex = new Mutex();
  const order: string[] = [];
  assertEquals(mutex.tryAcquire(), true, "the first");
  assertEquals(mutex.tryAcquire(), false, "the second");
  assertEquals(mutex.ready, false, "ready");
  const waiting = ["a", "b", "c"].map((name) =>
    mutex.acquire().then(() => order.push(name))
  );
  for (const _ of waiting) {
    mutex.release();
    await turn();
    assertEquals(mutex.tryAcquire(), false); // it was handed over
  }
  mutex.release();
  await within(Promise.all(waiting));
  assertEquals(order, ["a", "b", "c"], "order");
  assertEquals(mutex.ready, true, "ready");
  await within(mutex.acquire());
  assertEquals(mutex.ready, false);
});

Deno.test("Mutex.nextChange() waits until the mutex is free, and does not take it", async () => {
  const mutex = new Mutex();
  await within(mutex.nextChange());
  mutex.tryAcquire();
  const [first, second] = [mutex.nextChange(), mutex.nextChange()];
  assertStrictEquals(first, second);
  const waiting = mutex.acquire();
  mutex.release(); // to the call that waits: not free
  await within(waiting);
  assertEquals(mutex.ready, false);
  mutex.release();
  await within(first);
  assertEquals(mutex.ready, true, "ready");
  assertEquals(mutex.tryAcquire(), true, "tryAcquire");
});

Deno.test("Mutex.acquireWithin() leaves the queue when the time runs out", async () => {
  const mutex = new Mutex();
  const timeout = timeoutByHand("send");
  await mutex.acquireWithin(timeout, "send"); // it is free
  const late = mutex.acquireWithin(timeout, "send");
  const next = mutex.acquire();
  timeout.expire();
  await assertRejects(
    () => within(late),
    TimeoutError,
    "Cannot send: timed out after 3600 s",
  );
  mutex.release();
  await within(next);
  mutex.release();
  assertEquals(mutex.ready, true);
});

Deno.test("Mutex.acquireWithin() takes the mutex that comes with the timeout", async () => {
  const mutex = new Mutex();
  mutex.tryAcquire();
  const timeout = timeoutByHand("send");
  const taken = mutex.acquireWithin(timeout, "send");
  timeout.expire();
  mutex.release(); // in the same turn: nobody else is in the line
  await within(taken);
  assertEquals(mutex.ready, false);
});

Deno.test("Mutex.acquireWithin() that must not wait looks for a while", async () => {
  const mutex = new Mutex();
  mutex.tryAcquire();
  assertEquals(
    await codeOf(() => mutex.acquireWithin("now", "send")),
    "EAGAIN",
  );
  const taken = mutex.acquireWithin("now", "send");
  await turn();
  mutex.release();
  await within(taken);
  assertEquals(mutex.ready, false);
});

/** Returns the milliseconds that `count` waiters take to be served. */
function served(count: number): number {
  const mutex = new Mutex();
  mutex.tryAcquire();
  for (let i = 0; i < count; i++) mutex.acquire();
  const begin = performance.now();
  for (let i = 0; i <= count; i++) mutex.release();
  assert(mutex.ready);
  return performance.now() - begin;
}

Deno.test("Mutex.release() takes no longer if many wait", () => {
  served(10_000);
  const few = Math.min(...Array.from({ length: 3 }, () => served(10_000)));
  const many = Math.min(...Array.from({ length: 2 }, () => served(100_000)));
  // A queue that moves all waiters takes seconds; the 500 ms are for a busy machine.
  assert(many < 60 * few + 500, `${few} ms for 10,000, ${many} for 100,000`);
});
