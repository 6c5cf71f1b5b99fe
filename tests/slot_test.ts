import { Lock } from "../internal/waiting/mutex.ts";
import {
  READY,
  Slot,
  whenEnded,
} from "../internal/waiting/pending_operation.ts";
import { TimeoutError } from "../internal/base/errors.ts";
import {
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "./deps.ts";
import { codeOf, soon, timeoutByHand, turn } from "./helpers.ts";

/** A slot whose operations the test ends. */
function gatedSlot(): [Slot<string>, PromiseWithResolvers<string>[]] {
  const gates: PromiseWithResolvers<string>[] = [];
  const slot = new Slot<string>(() => {
    const gate = Promise.withResolvers<string>();
    gates.push(gate);
    return gate.promise;
  });
  return [slot, gates];
}

Deno.test("Slot.fill() has one operation in flight, and keeps its result", async () => {
  const [slot, gates] = gatedSlot();
  assertEquals([slot.ready, slot.busy], [false, false]);
  const fills = [slot.fill(), slot.fill()];
  assertStrictEquals(fills[0], fills[1]);
  assertEquals([slot.ready, slot.busy, gates.length], [false, true, 1]);
  gates[0].resolve("one");
  await soon(Promise.all(fills));
  await slot.fill();
  assertEquals([slot.ready, slot.busy, gates.length], [true, true, 1]);
  assertEquals([slot.peek(), slot.peek(), slot.take(), slot.busy], [
    "one",
    "one",
    "one",
    false,
  ]);
  slot.fill();
  assertEquals(gates.length, 2);
});

Deno.test("Slot calls its watchers in the turn in which a result comes, not for one that it does not want", async () => {
  const gates: PromiseWithResolvers<string>[] = [];
  const slot = new Slot(() => {
    const gate = Promise.withResolvers<string>();
    gates.push(gate);
    return gate.promise;
  }, (value) => value !== "unwanted");
  const log: string[] = [];
  slot.watchers.add(() => log.push(`${slot.ready}`));
  const filled = slot.fill().then(() => log.push("flight"));
  gates[0].resolve("unwanted");
  await turn();
  assertEquals(log, []);
  gates[1].reject(new Error("failed"));
  await soon(filled);
  assertEquals(log, ["true", "flight"]);
});

Deno.test("Slot.take() and peek() throw the error, once", async () => {
  const [slot, gates] = gatedSlot();
  for (const look of ["take", "peek"] as const) {
    const filled = slot.fill();
    gates.at(-1)!.reject(new Error("failed"));
    await soon(filled);
    assertEquals(slot.ready, true);
    assertThrows(() => slot[look](), Error, "failed");
    assertEquals(slot.ready, false);
  }
});

Deno.test("Slot keeps a failure for one call", async () => {
  const slot = new Slot(() => Promise.reject(new Error("no")));
  await slot.fill();
  assertThrows(() => slot.take(), Error, "no");
  assertEquals([slot.ready, slot.drop(), slot.peek()], [
    false,
    undefined,
    undefined,
  ]);
});

Deno.test("Slot takes an operation that throws instead of rejecting", async () => {
  const slot = new Slot<never>(() => {
    throw new Error("at once");
  });
  await soon(slot.fill());
  assertThrows(() => slot.take(), Error, "at once");
});

Deno.test("Slot.drop() gives the value that nobody took, and no error", async () => {
  const [slot, gates] = gatedSlot();
  assertEquals(slot.drop(), undefined);
  for (
    const end of [
      () => gates[0].resolve("value"),
      () => gates[1].reject(new Error("failed")),
    ]
  ) {
    const filled = slot.fill();
    end();
    await soon(filled);
    assertEquals(slot.drop(), gates.length === 1 ? "value" : undefined);
    assertEquals(slot.busy, false);
  }
});

Deno.test("Slot.abandon() discards what comes later, and minds no error", async () => {
  const [slot, gates] = gatedSlot();
  const discarded: string[] = [];
  await soon(slot.abandon((value) => discarded.push(value))); // nothing is in flight
  for (
    const end of [
      () => gates[0].resolve("value"),
      () => gates[1].reject(new Error("failed")),
    ]
  ) {
    slot.fill();
    const ended = slot.abandon((value) => discarded.push(value));
    end();
    await soon(ended);
  }
  assertEquals([discarded, slot.busy], [["value"], false]);
});

Deno.test("READY is always ready", async () => {
  await soon(READY.fill());
  assertEquals(READY.ready, true);
});

Deno.test("whenEnded() adds one reaction to a flight, whoever comes and goes", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  let reactions = 0;
  const flight = Object.assign(promise, {
    then(...args: Parameters<typeof promise.then>) {
      reactions++;
      return Promise.prototype.then.apply(promise, args);
    },
  });
  const called: number[] = [];
  for (let i = 0; i < 100; i++) {
    const forget = whenEnded(flight, () => called.push(i));
    if (i % 50 !== 0) forget();
    if (i % 50 !== 0) forget(); // again
  }
  assertEquals(reactions, 1);
  resolve();
  await turn();
  assertEquals(called, [0, 50]);
});

Deno.test("Timeout.race() leaves nothing behind on a flight that goes on", async () => {
  const { promise } = Promise.withResolvers<void>();
  let reactions = 0;
  const flight = Object.assign(promise, {
    then(...args: Parameters<typeof promise.then>) {
      reactions++;
      return Promise.prototype.then.apply(promise, args);
    },
  });
  for (let i = 0; i < 10; i++) {
    const timeout = timeoutByHand();
    const won = timeout.race(flight);
    timeout.expire();
    assertEquals(await soon(won), false);
  }
  assertEquals(reactions, 1);
});

Deno.test("Lock serves who waits in their order", async () => {
  const lock = new Lock();
  const order: string[] = [];
  assertEquals([lock.tryAcquire(), lock.tryAcquire(), lock.ready], [
    true,
    false,
    false,
  ]);
  const waiting = ["a", "b", "c"].map((name) =>
    lock.acquire().then(() => order.push(name))
  );
  for (const _ of waiting) {
    lock.release();
    await turn();
    assertEquals(lock.tryAcquire(), false); // it was handed over
  }
  lock.release();
  await soon(Promise.all(waiting));
  assertEquals([order, lock.ready], [["a", "b", "c"], true]);
  await soon(lock.acquire());
  assertEquals(lock.ready, false);
});

Deno.test("Lock.fill() waits until the lock is free, and does not take it", async () => {
  const lock = new Lock();
  await soon(lock.fill());
  lock.tryAcquire();
  const [first, second] = [lock.fill(), lock.fill()];
  assertStrictEquals(first, second);
  const waiting = lock.acquire();
  lock.release(); // to the one who waits: not free
  await soon(waiting);
  assertEquals(lock.ready, false);
  lock.release();
  await soon(first);
  assertEquals([lock.ready, lock.tryAcquire()], [true, true]);
});

Deno.test("Lock.acquireWithin() leaves the line when the time runs out", async () => {
  const lock = new Lock();
  const timeout = timeoutByHand("send");
  await lock.acquireWithin(timeout, "send"); // it is free
  const late = lock.acquireWithin(timeout, "send");
  const next = lock.acquire();
  timeout.expire();
  await assertRejects(
    () => soon(late),
    TimeoutError,
    "Cannot send: timed out after 3600 s",
  );
  lock.release();
  await soon(next);
  lock.release();
  assertEquals(lock.ready, true);
});

Deno.test("Lock.acquireWithin() takes the lock that comes with the timeout", async () => {
  const lock = new Lock();
  lock.tryAcquire();
  const timeout = timeoutByHand("send");
  const taken = lock.acquireWithin(timeout, "send");
  timeout.expire();
  lock.release(); // in the same turn: nobody else is in the line
  await soon(taken);
  assertEquals(lock.ready, false);
});

Deno.test("Lock.acquireWithin() that must not wait looks for a while", async () => {
  const lock = new Lock();
  lock.tryAcquire();
  assertEquals(await codeOf(() => lock.acquireWithin("now", "send")), "EAGAIN");
  const taken = lock.acquireWithin("now", "send");
  await turn();
  lock.release();
  await soon(taken);
  assertEquals(lock.ready, false);
});

Deno.test("Slot that drops results leaves nothing of them, and meets the error behind them", async () => {
  const dropped = 10_000;
  let left = dropped;
  const { promise: last, resolve, reject } = Promise.withResolvers<number>();
  const slot = new Slot(
    () => left-- > 0 ? Promise.resolve(-1) : last,
    (value) => value >= 0,
  );
  let ended = false;
  const filled = slot.fill().then(() => ended = true);
  while (left >= 0) await turn();
  assertEquals([slot.ready, slot.busy], [false, true]);
  resolve(7);
  for (let i = 0; i < 20 && !ended; i++) await null;
  assertEquals(ended, true); // each result that was dropped would take a step more
  await filled;
  assertEquals(slot.take(), 7);
  left = 1;
  const failing = new Slot(
    () => left-- > 0 ? Promise.resolve(-1) : Promise.reject(new Error("gone")),
    (value: number) => value >= 0,
  );
  await soon(failing.fill());
  assertThrows(() => failing.take(), Error, "gone");
  reject(undefined);
});
