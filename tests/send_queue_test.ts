import {
  BlockingIOError,
  BrokenPipeError,
  TimeoutError,
} from "../internal/base/errors.ts";
import { Writer } from "../internal/socket/send_queue.ts";
import {
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
} from "./deps.ts";
import { codeOf, FakeStream, soon, timeoutByHand, turn } from "./helpers.ts";
import { bytes, text } from "./stream_fakes.ts";

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

Deno.test("Writer.sendall() goes on where the system took a part", async () => {
  const fake = new Gated();
  const writer = new Writer(fake);
  const sent = writer.sendall(bytes("abcdef"));
  const next = writer.sendall(bytes("next"));
  for (const count of [1, 3, 2]) {
    fake.gates.at(-1)!.resolve(count);
    await turn();
  }
  await soon(sent);
  fake.gates.at(-1)!.resolve(4);
  await soon(next);
  assertEquals(fake.written.map(text), ["abcdef", "bcdef", "ef", "next"]);
});

Deno.test("Writer tells each call its own failure, and goes on with the next", async () => {
  const fake = new Gated();
  const writer = new Writer(fake);
  const sent: Promise<unknown>[] = [
    writer.sendall(bytes("a")),
    writer.sendall(bytes("b")),
    writer.sendall(bytes("c")),
  ];
  fake.gates[0].reject(broken());
  await assertRejects(
    () => soon(sent[0]),
    BrokenPipeError,
    "Cannot send: Broken pipe (EPIPE)",
  );
  fake.gates[1].reject(broken());
  await assertRejects(() => soon(sent[1]), BrokenPipeError);
  fake.gates[2].resolve(1);
  await soon(sent[2]);
  assertEquals(writer.busy, false);
});

Deno.test("Writer takes a transport that throws instead of rejecting", async () => {
  const fake = new FakeStream();
  fake.write = () => {
    throw broken();
  };
  const writer = new Writer(fake);
  const calls = [
    () => writer.sendall(bytes("a")),
    () => writer.sendallWithin(bytes("c"), timeoutByHand()),
    () => writer.sendall(bytes("d")),
  ];
  for (const call of calls) assertEquals(await codeOf(call), "EPIPE");
  assertEquals([writer.busy, writer.ready], [false, true]);
});

Deno.test("Writer fails where a later part of a call does", async () => {
  const fake = new Gated();
  const writer = new Writer(fake);
  const sent = writer.sendall(bytes("abc"));
  fake.gates[0].resolve(1);
  await turn();
  fake.gates[1].reject(broken());
  assertEquals(await codeOf(() => sent), "EPIPE");
  assertEquals(writer.ready, true);
});

Deno.test("Writer.takeFailure() gives once what no call told", async () => {
  const fake = new Gated();
  const failure = broken();
  const writer = new Writer(fake);
  const told = writer.sendall(bytes("a"));
  fake.gates[0].reject(broken());
  await told.catch(() => {});
  assertEquals(writer.takeFailure(), undefined);
  await writer.sendWithin(bytes("b"), "now");
  fake.gates[1].reject(failure);
  await turn();
  const taken = writer.takeFailure();
  assertInstanceOf(taken, BrokenPipeError);
  assertStrictEquals(taken.cause, failure);
  assertEquals(writer.takeFailure(), undefined);
});

Deno.test("Writer.sendWithin() keeps a failure that comes too late for the next call", async () => {
  const fake = new Gated();
  const writer = new Writer(fake);
  assertEquals(await writer.sendWithin(bytes("abc"), "now"), 3); // accepted
  await assertRejects(
    () => writer.sendWithin(bytes("d"), "now"),
    BlockingIOError,
  );
  fake.gates[0].reject(broken());
  await turn();
  assertEquals(
    await codeOf(() => writer.sendWithin(bytes("d"), timeoutByHand())),
    "EPIPE",
  );
  assertEquals(fake.written.length, 1);
  const sent = writer.sendWithin(bytes("e"), timeoutByHand());
  await turn();
  fake.gates[1].resolve(1);
  assertEquals(await soon(sent), 1);
});

Deno.test("Writer.sendWithin() tells a failure that comes in time", async () => {
  for (const limit of ["now", timeoutByHand()] as const) {
    const fake = new FakeStream();
    fake.write = () => Promise.reject(broken());
    const writer = new Writer(fake);
    assertEquals(
      await codeOf(() => writer.sendWithin(bytes("a"), limit)),
      "EPIPE",
    );
    assertEquals(writer.takeFailure(), undefined);
  }
});

Deno.test("Writer.sendWithin() owns what it accepted when the time runs out", async () => {
  const fake = new Gated();
  const writer = new Writer(fake);
  const data = new Uint8Array(100_000).fill(1);
  const timeout = timeoutByHand();
  const sent = writer.sendWithin(data, timeout);
  await turn();
  timeout.expire();
  assertEquals(await soon(sent), 65536);
  data.fill(2); // the caller's again
  fake.gates[0].resolve(60_000);
  await turn();
  assertEquals(fake.written[1], new Uint8Array(5536).fill(1));
  fake.gates[1].resolve(5536);
  await soon(writer.flush());
});

Deno.test("Writer.sendallWithin() gives up, and the next call waits for what is in flight", async () => {
  const fake = new Gated();
  const writer = new Writer(fake);
  const timeout = timeoutByHand();
  const sent = writer.sendallWithin(bytes("abcdef"), timeout);
  timeout.expire();
  await assertRejects(() => soon(sent), TimeoutError);
  assertEquals([writer.stuck, writer.busy], [true, false]);
  const waits = timeoutByHand();
  const late = writer.sendallWithin(bytes("too late"), waits);
  waits.expire();
  await assertRejects(() => soon(late), TimeoutError);
  const next = writer.sendall(bytes("next"));
  fake.gates[0].resolve(2); // the rest was given up
  await turn();
  assertEquals(writer.stuck, false);
  fake.gates[1].resolve(4);
  await soon(next);
  assertEquals(fake.written.map(text), ["abcdef", "next"]);
});

Deno.test("Writer.flush() waits for all calls, and throws what no call told", async () => {
  const fake = new Gated();
  const writer = new Writer(fake);
  await writer.flush();
  writer.sendall(bytes("a"));
  writer.sendall(bytes("b")).catch(() => {});
  let flushed = false;
  const flush = writer.flush().finally(() => flushed = true);
  fake.gates[0].resolve(1);
  await turn();
  assertEquals(flushed, false);
  fake.gates[1].reject(broken());
  await soon(flush);
  await writer.sendWithin(bytes("c"), "now");
  fake.gates[2].reject(broken());
  assertEquals(await codeOf(() => writer.flush()), "EPIPE");
  await writer.flush();
});
