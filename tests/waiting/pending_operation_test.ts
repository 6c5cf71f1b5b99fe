import {
  PendingOperation,
  whenEnded,
} from "../../internal/waiting/pending_operation.ts";
import { assertEquals, assertStrictEquals, assertThrows } from "../deps.ts";
import { turn } from "../helpers/turns.ts";
import { within } from "../helpers/within.ts";

/** Returns a pending operation, and the promises by which the test ends its runs. */
function gatedOperation(): [
  PendingOperation<string>,
  PromiseWithResolvers<string>[],
] {
  const gates: PromiseWithResolvers<string>[] = [];
  const operation = new PendingOperation<string>(() => {
    const gate = Promise.withResolvers<string>();
    gates.push(gate);
    return gate.promise;
  });
  return [operation, gates];
}

Deno.test("PendingOperation.nextChange() has one operation in flight, and keeps its result", async () => {
  const [operation, gates] = gatedOperation();
  assertEquals(operation.ready, false, "ready");
  assertEquals(operation.busy, false, "busy");
  const changes = [operation.nextChange(), operation.nextChange()];
  assertStrictEquals(changes[0], changes[1]);
  assertEquals(operation.ready, false, "ready");
  assertEquals(operation.busy, true, "busy");
  assertEquals(gates.length, 1, "gates");
  gates[0].resolve("one");
  await within(Promise.all(changes));
  await operation.nextChange();
  assertEquals(operation.ready, true, "ready");
  assertEquals(operation.busy, true, "busy");
  assertEquals(gates.length, 1, "gates");
  assertEquals(operation.take(), "one", "take");
  assertEquals(operation.busy, false, "busy");
  operation.nextChange();
  assertEquals(gates.length, 2);
});

Deno.test("PendingOperation calls its watchers in the turn in which a result comes", async () => {
  const [operation, gates] = gatedOperation();
  const log: string[] = [];
  operation.watchers.add(() => log.push(`${operation.ready}`));
  const changed = operation.nextChange().then(() => log.push("flight"));
  await turn();
  assertEquals(log, []);
  gates[0].reject(new Error("failed"));
  await within(changed);
  assertEquals(log, ["true", "flight"]);
});

Deno.test("PendingOperation.take() throws the error, once", async () => {
  const [operation, gates] = gatedOperation();
  const changed = operation.nextChange();
  gates[0].reject(new Error("failed"));
  await within(changed);
  assertEquals(operation.ready, true);
  assertThrows(() => operation.take(), Error, "failed");
  assertEquals(operation.ready, false);
});

Deno.test("PendingOperation keeps a failure for one call", async () => {
  const operation = new PendingOperation(() => Promise.reject(new Error("no")));
  await operation.nextChange();
  assertThrows(() => operation.take(), Error, "no");
  assertEquals(operation.ready, false, "ready");
  assertEquals(operation.drop(), undefined, "drop");
});

Deno.test("PendingOperation takes an operation that throws instead of rejecting", async () => {
  const operation = new PendingOperation<never>(() => {
    throw new Error("at once");
  });
  await within(operation.nextChange());
  assertThrows(() => operation.take(), Error, "at once");
});

Deno.test("PendingOperation.drop() gives the value that nobody took, and no error", async () => {
  const [operation, gates] = gatedOperation();
  assertEquals(operation.drop(), undefined);
  for (
    const end of [
      () => gates[0].resolve("value"),
      () => gates[1].reject(new Error("failed")),
    ]
  ) {
    const changed = operation.nextChange();
    end();
    await within(changed);
    assertEquals(operation.drop(), gates.length === 1 ? "value" : undefined);
    assertEquals(operation.busy, false);
  }
});

Deno.test("PendingOperation.abandon() discards what comes later, and minds no error", async () => {
  const [operation, gates] = gatedOperation();
  const discarded: string[] = [];
  await within(operation.abandon((value) => discarded.push(value))); // nothing is in flight
  for (
    const end of [
      () => gates[0].resolve("value"),
      () => gates[1].reject(new Error("failed")),
    ]
  ) {
    operation.nextChange();
    const ended = operation.abandon((value) => discarded.push(value));
    end();
    await within(ended);
  }
  assertEquals(discarded, ["value"], "discarded");
  assertEquals(operation.busy, false, "busy");
});

Deno.test("whenEnded() calls back what was not taken back, once", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const called: number[] = [];
  for (let i = 0; i < 100; i++) {
    const forget = whenEnded(promise, () => called.push(i));
    if (i % 50 !== 0) forget();
    if (i % 50 !== 0) forget(); // again
  }
  resolve();
  await turn();
  assertEquals(called, [0, 50]);
  whenEnded(promise, () => called.push(100)); // it has ended before
  await turn();
  assertEquals(called, [0, 50, 100]);
});
