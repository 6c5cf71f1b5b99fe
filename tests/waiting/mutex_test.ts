import { Mutex } from "../../internal/waiting/mutex.ts";
import { Queue } from "../../internal/base/queue.ts";
import { assert, assertEquals } from "../deps.ts";
import { seeded } from "../helpers/bytes.ts";

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

/** Returns the milliseconds that `count` waiters take to be served. */
function served(count: number): number {
  const lock = new Mutex();
  lock.tryAcquire();
  for (let i = 0; i < count; i++) lock.acquire();
  const begin = performance.now();
  for (let i = 0; i <= count; i++) lock.release();
  assert(lock.ready);
  return performance.now() - begin;
}

Deno.test("Mutex.release() takes no longer if many wait", () => {
  served(10_000);
  const few = Math.min(...Array.from({ length: 3 }, () => served(10_000)));
  const many = Math.min(...Array.from({ length: 2 }, () => served(100_000)));
  // A queue that moves all waiters takes seconds; the 500 ms are for a busy machine.
  assert(many < 60 * few + 500, `${few} ms for 10,000, ${many} for 100,000`);
});
