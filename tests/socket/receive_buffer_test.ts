import { OSError, TimeoutError } from "../../mod.ts";
import { ReceiveBuffer } from "../../internal/socket/receive_buffer.ts";
import type { OwningTransport } from "../../internal/runtime/transport/transport.ts";
import {
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "../deps.ts";
import { type Bytes, bytes, text } from "../helpers/bytes.ts";
import { FakeStream, timeoutByHand } from "../helpers/fakes.ts";
import { codeOf, codesOf } from "../helpers/thrown.ts";
import { turn } from "../helpers/turns.ts";
import { within } from "../helpers/within.ts";

const SMALL = 1000;
const LARGE = 65536;

const nothing = bytes("");

Deno.test("ReceiveBuffer.recv() waits on after a read of 0 bytes", async () => {
  const fake = new FakeStream(nothing, nothing, bytes("data"), nothing, null);
  const buffer = new ReceiveBuffer(fake);
  assertEquals(text(await within(buffer.recv(9, null))), "data");
  assertEquals(await within(buffer.recv(9, null)), nothing);
  assertEquals(fake.sizes.length, 5);
});

Deno.test("ReceiveBuffer.recvInto() waits on after a read of 0 bytes, in the same memory", async () => {
  const fake = new FakeStream(nothing, bytes("data"), nothing, null);
  const buffer = new ReceiveBuffer(fake);
  const memory = new Uint8Array(7);
  assertEquals(await within(buffer.recvInto(memory, null)), 4);
  assertEquals(text(memory.subarray(0, 4)), "data", "data");
  assertEquals(fake.sizes, [7, 7], "sizes");
  assertEquals(buffer.ready, false, "ready");
  assertEquals(buffer.available, 0, "available");
  assertEquals(await within(buffer.recvInto(memory, null)), 0);
});

Deno.test("ReceiveBuffer.nextChange() is done after a read of 0 bytes, and can be called again", async () => {
  const buffer = new ReceiveBuffer(new FakeStream(nothing, bytes("x")));
  await within(buffer.nextChange());
  assertEquals(buffer.ready, false);
  await within(buffer.nextChange());
  assertEquals(buffer.ready, true, "ready");
  assertEquals(buffer.available, 1, "available");
});

Deno.test("ReceiveBuffer.nextChange() has one read in flight, however often it is called", async () => {
  const fake = new FakeStream(bytes("data"));
  const buffer = new ReceiveBuffer(fake);
  const changes = [
    buffer.nextChange(),
    buffer.nextChange(),
    buffer.nextChange(),
  ];
  assertEquals(buffer.reading, true, "reading");
  assertEquals(fake.sizes.length, 1, "reads");
  await within(Promise.all(changes));
  await buffer.nextChange();
  assertEquals(buffer.reading, false, "reading");
  assertEquals(fake.sizes.length, 1, "reads");
});

Deno.test("ReceiveBuffer tells an error once, after the data that came before it", async () => {
  const reset = new Deno.errors.ConnectionReset("reset");
  const buffer = new ReceiveBuffer(
    new FakeStream(bytes("data"), reset, bytes("more")),
  );
  await buffer.nextChange();
  assertEquals(text(buffer.take(9)), "data");
  await buffer.nextChange();
  const error = assertThrows(() => buffer.peek(9), OSError);
  assertEquals(error.code, "ECONNRESET", "code");
  assertEquals(error.cause, reset, "cause");
  assertEquals(buffer.ready, false);
  assertEquals(text(await within(buffer.recv(9, null))), "more");
});

Deno.test("ReceiveBuffer takes a transport that throws instead of rejecting", async () => {
  const fake = new FakeStream();
  let calls = 0;
  fake.read = () => {
    calls++;
    throw new Deno.errors.ConnectionReset("at once");
  };
  const buffer = new ReceiveBuffer(fake);
  assertEquals(await codeOf(() => buffer.recv(1, null)), "ECONNRESET");
  assertEquals(
    await codeOf(() => buffer.recvInto(new Uint8Array(1), null)),
    "ECONNRESET",
  );
  await within(buffer.nextChange());
  assertEquals(await codeOf(() => buffer.take(1)), "ECONNRESET");
  assertEquals(calls, 3, "calls");
  assertEquals(buffer.reading, false, "reading");
});

Deno.test("ReceiveBuffer reads much when much comes, and little when little does", async () => {
  const much = new Uint8Array(LARGE);
  const reads = [
    bytes("x"),
    much.slice(0, SMALL),
    much,
    much.slice(0, SMALL),
    bytes("x"),
    bytes("x"),
    bytes("x"),
    bytes("x"),
    bytes("x"),
  ];
  const fake = new FakeStream();
  const sizes: number[] = [];
  fake.read = (p) => {
    sizes.push(p.length);
    const data = reads.shift()!;
    p.set(data);
    return Promise.resolve(data.length);
  };
  const buffer = new ReceiveBuffer(fake);
  while (reads.length > 0) {
    await buffer.nextChange();
    buffer.take(LARGE);
  }
  assertEquals(sizes, [SMALL, SMALL, ...Array(6).fill(LARGE), SMALL]);
});

/** A connection in memory that gives the memory of its reads away. */
class Owning extends FakeStream implements OwningTransport {
  /** The results of `readOwn`, one after the other. After them the stream ends. */
  readonly gifts: (Bytes | Error | Promise<Bytes>)[] = [];

  async readOwn(): Promise<Bytes | null> {
    const gift = this.gifts.shift();
    if (gift instanceof Error) throw gift;
    return await gift ?? null;
  }
}

Deno.test("ReceiveBuffer passes on the memory that a transport gives away", async () => {
  const fake = new Owning(bytes("into"));
  const buffer = new ReceiveBuffer(fake);
  const [one, two, three, four] = ["one", "two", "three", "four"].map(bytes);
  fake.gifts.push(one, two, three, four);
  assertStrictEquals(await within(buffer.recv(9, null)), one);
  await buffer.nextChange();
  assertEquals(text(buffer.peek(9)), "two");
  assertStrictEquals(buffer.take(3), two); // peeking has copied
  assertEquals(text(await within(buffer.recv(2, null))), "th");
  assertEquals(text(buffer.take(9)), "ree"); // a copy: a part was taken before
  await buffer.nextChange();
  buffer.putBack(bytes("and "));
  const part = buffer.take(4); // a copy as well: what is behind it stays, whatever becomes of it
  structuredClone(part, { transfer: [part.buffer] });
  assertEquals(text(buffer.take(99)), "four");
  assertEquals(fake.sizes, []);
  const into = new Uint8Array(9);
  assertEquals(await within(buffer.recvInto(into, null)), 4);
  assertEquals(text(into.subarray(0, 4)), "into");
  assertEquals(fake.sizes, [9]);
  assertEquals(await within(buffer.recv(9, null)), new Uint8Array(0));
});

Deno.test("ReceiveBuffer keeps what a transport gives to a call that has stopped waiting, and its failures", async () => {
  const fake = new Owning();
  const buffer = new ReceiveBuffer(fake);
  const late = Promise.withResolvers<Bytes>();
  const reset = new Deno.errors.ConnectionReset("gone");
  fake.gifts.push(late.promise, reset);
  const timeout = timeoutByHand();
  const waiting = buffer.recv(9, timeout);
  timeout.expire();
  assertEquals(await codeOf(() => waiting), "ETIMEDOUT");
  late.resolve(bytes("late"));
  await buffer.nextChange();
  const target = new Uint8Array(2);
  assertEquals(buffer.takeInto(target), 2, "count");
  assertEquals(text(target), "la", "target");
  assertEquals(text(buffer.take(9)), "te");
  assertEquals(await codeOf(() => buffer.recv(9, null)), "ECONNRESET");
  assertEquals(await within(buffer.recv(9, null)), new Uint8Array(0));
});

/** Readers that wait for data after these reads, and the sizes of the buffers in which they wait. */
async function waitAfter(count: number, ...reads: Bytes[]) {
  const fakes = Array.from({ length: count }, () => new FakeStream(...reads));
  for (const fake of fakes) {
    const buffer = new ReceiveBuffer(fake);
    for (const _ of reads) {
      await buffer.nextChange();
      buffer.take(LARGE);
    }
    buffer.nextChange();
  }
  const sizes = fakes.map((fake) => fake.sizes.at(-1));
  const close = async () => {
    for (const fake of fakes) fake.close();
    await turn();
  };
  return {
    large: sizes.filter((size) => size === LARGE).length,
    small: sizes.filter((size) => size === SMALL).length,
    close,
  };
}

Deno.test("ReceiveBuffer lets 64 large buffers wait at once, and no more", async () => {
  const full = new Uint8Array(SMALL);
  for (let run = 0; run < 2; run++) { // those of the first run are free again
    const { large, small, close } = await waitAfter(100, full, bytes("x"));
    assertEquals({ large, small }, { large: 64, small: 36 });
    await close();
  }
});

Deno.test("ReceiveBuffer lets no more than 256 wait if the last read says that more is there", async () => {
  const full = new Uint8Array(SMALL);
  const { large, small, close } = await waitAfter(300, full);
  assertEquals({ large, small }, { large: 256, small: 44 });
  await close();
});

Deno.test("ReceiveBuffer makes no buffer for each read if messages are a little more than a small one", async () => {
  const reads = Array.from({ length: 20 }, (_, i) => i % 2 ? 600 : SMALL);
  const targets = new Set<ArrayBufferLike>();
  const fake = new FakeStream();
  fake.read = (p) => {
    targets.add(p.buffer);
    return Promise.resolve(Math.min(p.length, reads.shift()!));
  };
  const buffer = new ReceiveBuffer(fake);
  while (reads.length > 0) {
    await buffer.nextChange();
    buffer.take(LARGE);
  }
  assertEquals(targets.size, 2);
});

Deno.test("ReceiveBuffer gives a large read away whole, and never sees that memory again", async () => {
  const much = new Uint8Array(LARGE).fill(1);
  const fake = new FakeStream(new Uint8Array(SMALL), much, much, bytes("x"));
  const buffer = new ReceiveBuffer(fake);
  await buffer.recv(LARGE, null);
  const first = await buffer.recv(LARGE, null);
  const second = await buffer.recv(LARGE, null);
  first.fill(2);
  assertEquals(first.byteOffset, 48, "byteOffset");
  assertEquals(first.length, LARGE, "length");
  assertEquals(second.every((byte) => byte === 1), true);
  assertEquals(text(await buffer.recv(LARGE, null)), "x");
  assertEquals(first.every((byte) => byte === 2), true);
});

Deno.test("ReceiveBuffer.recvInto() with a timeout leaves the caller's memory alone when the time has run out", async () => {
  const late = Promise.withResolvers<Bytes>();
  const buffer = new ReceiveBuffer(new FakeStream(late.promise, bytes("next")));
  const memory = new Uint8Array(9);
  const timeout = timeoutByHand();
  const read = buffer.recvInto(memory, timeout);
  timeout.expire();
  await assertRejects(() => read, TimeoutError);
  late.resolve(bytes("late"));
  await turn();
  assertEquals(memory, new Uint8Array(9));
  assertEquals(buffer.takeInto(memory), 4);
  assertEquals(text(memory.subarray(0, 4)), "late");
  assertEquals(await within(buffer.recvInto(memory, timeoutByHand())), 4);
  assertEquals(text(memory.subarray(0, 4)), "next");
});

Deno.test("ReceiveBuffer.recv() leaves the read to the next call when the time runs out", async () => {
  const late = Promise.withResolvers<Bytes>();
  const fake = new FakeStream(late.promise);
  const buffer = new ReceiveBuffer(fake);
  const timeout = timeoutByHand();
  const taken = buffer.recv(9, timeout);
  timeout.expire();
  await assertRejects(() => taken, TimeoutError);
  const changed = buffer.nextChange();
  late.resolve(bytes("late"));
  await within(changed);
  assertEquals(text(buffer.take(9)), "late", "take");
  assertEquals(fake.sizes.length, 1, "reads");
});

Deno.test("ReceiveBuffer.putBack() keeps bytes in front of what a read in flight brings", async () => {
  const late = Promise.withResolvers<Bytes>();
  const buffer = new ReceiveBuffer(new FakeStream(late.promise));
  const changed = buffer.nextChange();
  buffer.putBack(bytes("cd"));
  buffer.putBack(bytes("ab"));
  assertEquals(text(buffer.peek(9)), "abcd", "peek");
  assertEquals(buffer.available, 4, "available");
  assertEquals(text(buffer.take(1)), "a");
  late.resolve(bytes("ef"));
  await within(changed);
  assertEquals(text(buffer.take(9)), "bcdef");
});

Deno.test("ReceiveBuffer.putBack() keeps bytes in front of what recvInto() brings", async () => {
  const late = Promise.withResolvers<Bytes>();
  const buffer = new ReceiveBuffer(new FakeStream(late.promise));
  const memory = new Uint8Array(3);
  const count = buffer.recvInto(memory, null);
  buffer.putBack(bytes("ab"));
  late.resolve(bytes("cde"));
  assertEquals(await within(count), 3, "count");
  assertEquals(text(memory), "abc", "memory");
  assertEquals(text(buffer.take(9)), "de");
});

Deno.test("ReceiveBuffer.recvInto() fails if the program has transferred its memory, also with bytes that were put back", async () => {
  for (const before of [undefined, bytes("ab")]) {
    const late = Promise.withResolvers<number>();
    const fake = new FakeStream();
    fake.read = () => late.promise;
    const buffer = new ReceiveBuffer(fake);
    const memory = new Uint8Array(9);
    const count = buffer.recvInto(memory, null);
    if (before !== undefined) buffer.putBack(before);
    structuredClone(memory, { transfer: [memory.buffer] });
    late.resolve(4);
    assertEquals(await codeOf(() => within(count)), "EFAULT");
    assertEquals(buffer.available, 0);
  }
});

Deno.test("ReceiveBuffer.stop() ends all calls that wait, and later calls take what has come since", async () => {
  const late = Promise.withResolvers<Bytes>();
  const buffer = new ReceiveBuffer(new FakeStream(late.promise));
  const taken = buffer.recv(9, null);
  const changed = buffer.nextChange();
  buffer.stop();
  assertEquals(await within(taken), nothing);
  await within(changed);
  assertEquals(buffer.ready, true, "ready");
  const into = new Uint8Array(4);
  assertEquals(await within(buffer.recvInto(into, null)), 0);
  late.resolve(bytes("late"));
  assertEquals(text(await within(buffer.recv(9, null))), "late");
  assertEquals(await within(buffer.recv(9, null)), nothing);
});

Deno.test("ReceiveBuffer.stop() leaves what recvInto() waited for to the next call, whatever becomes of the memory", async () => {
  for (const owns of [{}, { readOwn: () => Promise.resolve(null) }]) {
    const late = Promise.withResolvers<Bytes>();
    const fake = Object.assign(new FakeStream(late.promise), owns);
    const buffer = new ReceiveBuffer(fake);
    const memory = new Uint8Array(9);
    const count = buffer.recvInto(memory, null);
    buffer.stop();
    assertEquals(await within(count), 0);
    late.resolve(bytes("late"));
    await turn();
    memory.fill(0);
    assertEquals(text(buffer.take(9)), "late");
  }
});

Deno.test("ReceiveBuffer.stop() does not mind that the memory of recvInto() is transferred after it", async () => {
  const late = Promise.withResolvers<Bytes>();
  const fake = new FakeStream();
  fake.read = () => late.promise.then((data) => data.length);
  const buffer = new ReceiveBuffer(fake);
  const memory = new Uint8Array(9);
  const count = buffer.recvInto(memory, null);
  buffer.stop();
  assertEquals(await within(count), 0);
  structuredClone(memory, { transfer: [memory.buffer] });
  late.resolve(bytes("late"));
  await turn();
  assertEquals(await codeOf(() => buffer.take(9)), "EFAULT");
});

Deno.test("ReceiveBuffer.close() ends all calls that wait, and every later one", async () => {
  const late = Promise.withResolvers<Bytes>();
  const buffer = new ReceiveBuffer(new FakeStream(late.promise));
  const timeout = timeoutByHand();
  const waiting = [
    buffer.recv(9, timeout),
    buffer.nextChange().then(() => buffer.take(1)),
  ];
  buffer.close();
  assertEquals(await codesOf(waiting), ["EBADF", "EBADF"]);
  late.resolve(bytes("dropped"));
  await turn();
  for (const call of [() => buffer.take(1), () => buffer.peek(1)]) {
    assertEquals(await codeOf(call), "EBADF");
  }
  buffer.close();
  assertEquals(buffer.available, 0);
});

Deno.test("ReceiveBuffer.stop() and close() do not mind a read that fails after them", async () => {
  for (const [stop, expected] of [["stop", "ECONNRESET"], ["close", "EBADF"]]) {
    const late = Promise.withResolvers<Bytes>();
    const buffer = new ReceiveBuffer(new FakeStream(late.promise));
    const changed = buffer.nextChange();
    buffer[stop as "stop" | "close"]();
    await within(changed);
    late.reject(new Deno.errors.ConnectionReset("after the end"));
    await turn();
    assertEquals(await codeOf(() => buffer.take(1)), expected);
  }
});
