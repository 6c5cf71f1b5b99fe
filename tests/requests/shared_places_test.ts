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

type Change = "add" | "sub" | "store" | "compareExchange";

/** Runs `call` with `around` in the place of functions of `Atomics`. `around` gets the change to make, as a function. */
function aroundChanges<T>(
  names: Change[],
  around: (change: () => number) => number,
  call: () => T,
): T {
  const originals = names.map((name) => [name, Atomics[name]] as const);
  for (const [name, original] of originals) {
    const replaced = (...args: unknown[]) =>
      around(() => Reflect.apply(original, Atomics, args));
    Reflect.set(Atomics, name, replaced);
  }
  try {
    return call();
  } finally {
    Object.assign(Atomics, Object.fromEntries(originals));
  }
}

/** Runs `call`, and ends it after its first `steps` changes of shared memory. Returns whether it was ended. */
function endAfter(steps: number, call: () => void): boolean {
  const ended = new Error("the thread was terminated");
  const count = (change: () => number) => {
    if (steps-- === 0) throw ended;
    return change();
  };
  try {
    aroundChanges(["add", "sub", "store", "compareExchange"], count, call);
    return false;
  } catch (error) {
    if (error !== ended) throw error;
    return true;
  }
}

/** Runs `call`, and `other` once, as another thread might: right before or after the first change of this name. */
function interrupt<T>(
  call: () => T,
  when: "before" | "after",
  name: Change,
  other: () => void,
): T {
  let interrupted = false;
  return aroundChanges([name], (change) => {
    if (interrupted) return change();
    interrupted = true;
    if (when === "before") other();
    const result = change();
    if (when === "after") other();
    return result;
  }, call);
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
  const took = interrupt( // after the look at the places
    () => slow.take(),
    "before",
    "add",
    () => assert(fast.take()),
  );
  assert(!took);
  assertEquals([slow.held, fast.held, main.taken], [0, 1, 1]);
});

Deno.test("SharedPlaces.take() rejects one of two threads that try for the last place at the same time, not both", () => {
  const main = new SharedPlaces();
  main.limit(1, true);
  const slow = new SharedPlaces(main.memory, 1);
  const fast = new SharedPlaces(main.memory, 2);
  const took = interrupt( // before the look at the places
    () => slow.take(),
    "after",
    "add",
    () => assert(fast.take()),
  );
  assert(took);
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
  assert(interrupt(() => slow.take(), "before", "sub", () => fast.give()));
  assertEquals([slow.held, fast.held, main.taken], [1, 0, 1]);
});

Deno.test("SharedPlaces.takeFilled() tells one of two threads that take the last two places at the same time", () => {
  const main = new SharedPlaces();
  main.limit(2, false);
  const slow = new SharedPlaces(main.memory, 1);
  const fast = new SharedPlaces(main.memory, 2);
  const took = interrupt(
    () => slow.take(),
    "after",
    "add",
    () => assert(fast.take()), // sees both places taken, as `slow` will
  );
  assert(took);
  assertEquals([slow.takeFilled(), fast.takeFilled()], [false, true]);
  fast.give();
  assert(fast.take() && fast.takeFilled(), "a new shortage is noted");
});
