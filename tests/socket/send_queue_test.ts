import { BlockingIOError, BrokenPipeError, TimeoutError } from "../../mod.ts";
import { SendQueue } from "../../internal/socket/send_queue.ts";
import {
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
} from "../deps.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { FakeStream, timeoutByHand } from "../helpers/fakes.ts";
import { codeOf } from "../helpers/thrown.ts";
import { turn } from "../helpers/turns.ts";
import { within } from "../helpers/within.ts";

const broken = () => new Deno.errors.BrokenPipe("broken");

/** A connection whose writes the test ends: with a count, or an error. */
class Gated extends FakeStream {
  readonly gates: PromiseWithResolvers<number>[] = [];

  override write(p: Uint8Array): Promise<number> {
    super.write(p);
    const gate = Promise.withResolvers<number>();
    this.gates.push(gate);
    return gate.promise;
  }
}

Deno.test("SendQueue.sendall() writes the rest after a partial write", async () => {
  const fake = new Gated();
  const queue = new SendQueue(fake);
  const sent = queue.sendall(bytes("abcdef"), null);
  const next = queue.sendall(bytes("next"), null);
  for (const count of [1, 3, 2]) {
    fake.gates.at(-1)!.resolve(count);
    await turn();
  }
  await within(sent);
  fake.gates.at(-1)!.resolve(4);
  await within(next);
  assertEquals(fake.written.map(text), ["abcdef", "bcdef", "ef", "next"]);
});

Deno.test("SendQueue tells each call its own failure, and goes on with the next", async () => {
  const fake = new Gated();
  const queue = new SendQueue(fake);
  const sent: Promise<unknown>[] = [
    queue.sendall(bytes("a"), null),
    queue.sendall(bytes("b"), null),
    queue.sendall(bytes("c"), null),
  ];
  fake.gates[0].reject(broken());
  await assertRejects(
    () => within(sent[0]),
    BrokenPipeError,
    "Cannot send: Broken pipe (EPIPE)",
  );
  fake.gates[1].reject(broken());
  await assertRejects(() => within(sent[1]), BrokenPipeError);
  fake.gates[2].resolve(1);
  await within(sent[2]);
  assertEquals(queue.busy, false);
});

Deno.test("SendQueue takes a transport that throws instead of rejecting", async () => {
  const fake = new FakeStream();
  fake.write = () => {
    throw broken();
  };
  const queue = new SendQueue(fake);
  const calls = [
    () => queue.sendall(bytes("a"), null),
    () => queue.sendall(bytes("c"), timeoutByHand()),
    () => queue.sendall(bytes("d"), null),
  ];
  for (const call of calls) assertEquals(await codeOf(call), "EPIPE");
  assertEquals(queue.busy, false, "busy");
  assertEquals(queue.ready, true, "ready");
});

Deno.test("SendQueue.sendall() rejects if a later part fails", async () => {
  const fake = new Gated();
  const queue = new SendQueue(fake);
  const sent = queue.sendall(bytes("abc"), null);
  fake.gates[0].resolve(1);
  await turn();
  fake.gates[1].reject(broken());
  assertEquals(await codeOf(() => sent), "EPIPE");
  assertEquals(queue.ready, true);
});

Deno.test("SendQueue.takeFailure() returns once a failure that no call has thrown", async () => {
  const fake = new Gated();
  const failure = broken();
  const queue = new SendQueue(fake);
  const told = queue.sendall(bytes("a"), null);
  fake.gates[0].reject(broken());
  await told.catch(() => {});
  assertEquals(queue.takeFailure(), undefined);
  await queue.send(bytes("b"), "now");
  fake.gates[1].reject(failure);
  await turn();
  const taken = queue.takeFailure();
  assertInstanceOf(taken, BrokenPipeError);
  assertStrictEquals(taken.cause, failure);
  assertEquals(queue.takeFailure(), undefined);
});

Deno.test("SendQueue.send() keeps a failure that comes too late for the next call", async () => {
  const fake = new Gated();
  const queue = new SendQueue(fake);
  assertEquals(await queue.send(bytes("abc"), "now"), 3); // accepted
  await assertRejects(
    () => queue.send(bytes("d"), "now"),
    BlockingIOError,
  );
  fake.gates[0].reject(broken());
  await turn();
  assertEquals(
    await codeOf(() => queue.send(bytes("d"), timeoutByHand())),
    "EPIPE",
  );
  assertEquals(fake.written.length, 1);
  const sent = queue.send(bytes("e"), timeoutByHand());
  await turn();
  fake.gates[1].resolve(1);
  assertEquals(await within(sent), 1);
});

Deno.test("SendQueue.send() tells a failure that comes in time", async () => {
  for (const limit of ["now", timeoutByHand()] as const) {
    const fake = new FakeStream();
    fake.write = () => Promise.reject(broken());
    const queue = new SendQueue(fake);
    assertEquals(
      await codeOf(() => queue.send(bytes("a"), limit)),
      "EPIPE",
    );
    assertEquals(queue.takeFailure(), undefined);
  }
});

Deno.test("SendQueue.send() owns what it accepted when the time runs out", async () => {
  const fake = new Gated();
  const queue = new SendQueue(fake);
  const data = new Uint8Array(100_000).fill(1);
  const timeout = timeoutByHand();
  const sent = queue.send(data, timeout);
  await turn();
  timeout.expire();
  assertEquals(await within(sent), 65536);
  data.fill(2); // the caller's again
  fake.gates[0].resolve(60_000);
  await turn();
  assertEquals(fake.written[1], new Uint8Array(5536).fill(1));
  fake.gates[1].resolve(5536);
  await within(queue.flush());
});

Deno.test("SendQueue.sendall() with a timeout gives up, and the next call waits for what is in flight", async () => {
  const fake = new Gated();
  const queue = new SendQueue(fake);
  const timeout = timeoutByHand();
  const sent = queue.sendall(bytes("abcdef"), timeout);
  timeout.expire();
  await assertRejects(() => within(sent), TimeoutError);
  assertEquals(queue.stuck, true, "stuck");
  assertEquals(queue.busy, false, "busy");
  const waits = timeoutByHand();
  const late = queue.sendall(bytes("too late"), waits);
  waits.expire();
  await assertRejects(() => within(late), TimeoutError);
  const next = queue.sendall(bytes("next"), null);
  fake.gates[0].resolve(2); // the rest was given up
  await turn();
  assertEquals(queue.stuck, false);
  fake.gates[1].resolve(4);
  await within(next);
  assertEquals(fake.written.map(text), ["abcdef", "next"]);
});

Deno.test("SendQueue.flush() waits for all calls, and throws what no call told", async () => {
  const fake = new Gated();
  const queue = new SendQueue(fake);
  await queue.flush();
  queue.sendall(bytes("a"), null);
  queue.sendall(bytes("b"), null).catch(() => {});
  let flushed = false;
  const flush = queue.flush().finally(() => flushed = true);
  fake.gates[0].resolve(1);
  await turn();
  assertEquals(flushed, false);
  fake.gates[1].reject(broken());
  await within(flush);
  await queue.send(bytes("c"), "now");
  fake.gates[2].reject(broken());
  assertEquals(await codeOf(() => queue.flush()), "EPIPE");
  await queue.flush();
});
