import { SharedPlaces } from "../../internal/requests/shared_places.ts";
import { assert, assertEquals } from "../deps.ts";
import { within } from "../helpers/within.ts";

Deno.test("SharedPlaces.take() gives the last place to one of two threads that see it", async () => {
  const one = new SharedPlaces();
  const other = new SharedPlaces(one.memory, 1);
  one.limit(1, false);
  assert(one.ready && other.ready);
  assert(one.take());
  assert(!other.take());
  assert(one.takeFilled() && !other.takeFilled());
  const free = other.nextChange();
  one.give();
  await within(free);
  assert(other.take());
  one.limit(1, true); // as "reject"
  assert(one.take() && one.exceeded);
});

/** Runs `call`, and ends it after its first `steps` changes of shared memory. Returns whether it was ended. */
function endAfter(steps: number, call: () => void): boolean {
  const { add, sub, store, compareExchange } = Atomics;
  const changing = { add, sub, store, compareExchange };
  const ended = new Error("the thread was terminated");
  for (const [name, change] of Object.entries(changing)) {
    const counted = (...args: unknown[]) => {
      if (steps-- === 0) throw ended;
      return Reflect.apply(change, Atomics, args);
    };
    Reflect.set(Atomics, name, counted);
  }
  try {
    call();
    return false;
  } catch (error) {
    if (error !== ended) throw error;
    return true;
  } finally {
    Object.assign(Atomics, changing);
  }
}

Deno.test("SharedPlaces.giveAll() gives back the places of a thread, wherever in take() or give() it was terminated", () => {
  for (const end of ["take", "give"] as const) {
    for (let steps = 0, ended = true; ended; steps++) {
      const main = new SharedPlaces();
      main.limit(2, false);
      const thread = new SharedPlaces(main.memory, 1);
      const other = new SharedPlaces(main.memory, 2);
      assert(thread.take() && other.take());
      if (end === "take") other.give();
      ended = endAfter(steps, () => thread[end]());
      assertEquals(main.taken, thread.held + other.held);
      new SharedPlaces(main.memory, 1).giveAll();
      assertEquals(
        [main.taken, main.ready],
        [other.held, true],
        `${end} ${steps}`,
      );
    }
  }
});

Deno.test("SharedPlaces.take() gives no place to a thread that finds that another was faster", () => {
  const main = new SharedPlaces();
  main.limit(1, false);
  const slow = new SharedPlaces(main.memory, 1);
  const fast = new SharedPlaces(main.memory, 2);
  const { add } = Atomics;
  Atomics.add = ((...args: Parameters<typeof add>) => { // after the look at the places, before the change
    Atomics.add = add;
    assert(fast.take());
    return add(...args);
  }) as typeof add;
  try {
    assert(!slow.take());
  } finally {
    Atomics.add = add; // also if it was never called
  }
  assertEquals([slow.held, fast.held, main.taken], [0, 1, 1]);
});

Deno.test("SharedPlaces.take() rejects one of two threads that try for the last place at the same time, not both", () => {
  const main = new SharedPlaces();
  main.limit(1, true);
  const slow = new SharedPlaces(main.memory, 1);
  const fast = new SharedPlaces(main.memory, 2);
  const { add } = Atomics;
  Atomics.add = ((...args: Parameters<typeof add>) => { // after the change, before the look at the places
    Atomics.add = add;
    const before = add(...args);
    assert(fast.take());
    return before;
  }) as typeof add;
  try {
    assert(slow.take());
  } finally {
    Atomics.add = add;
  }
  assertEquals([slow.exceeded, fast.exceeded, main.taken], [false, true, 2]);
  fast.give();
  assertEquals([slow.held, fast.held, main.taken], [1, 0, 1]);
});

Deno.test("SharedPlaces.take() tries again if the thread that was faster has given its place back", () => {
  const main = new SharedPlaces();
  main.limit(1, false);
  const slow = new SharedPlaces(main.memory, 1);
  const fast = new SharedPlaces(main.memory, 2);
  assert(fast.take());
  const { sub } = Atomics;
  Atomics.sub = ((...args: Parameters<typeof sub>) => {
    Atomics.sub = sub;
    fast.give();
    return sub(...args);
  }) as typeof sub;
  try {
    assert(slow.take());
  } finally {
    Atomics.sub = sub;
  }
  assertEquals([slow.held, fast.held, main.taken], [1, 0, 1]);
});

Deno.test("SharedPlaces.takeFilled() tells one of two threads that take the last two places at the same time", () => {
  const main = new SharedPlaces();
  main.limit(2, false);
  const slow = new SharedPlaces(main.memory, 1);
  const fast = new SharedPlaces(main.memory, 2);
  const { add } = Atomics;
  try {
    Atomics.add = ((...args: Parameters<typeof add>) => {
      Atomics.add = add;
      const before = add(...args);
      assert(fast.take()); // sees both places taken, as `slow` will
      return before;
    }) as typeof add;
    assert(slow.take());
  } finally {
    Atomics.add = add;
  }
  assertEquals([slow.takeFilled(), fast.takeFilled()], [false, true]);
  fast.give();
  assert(fast.take() && fast.takeFilled(), "a new shortage is noted");
});
