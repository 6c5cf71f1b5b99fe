import {
  WAKEUP_FLAG_BYTES,
  WakeupFlag,
} from "../internal/channel/wakeup_flag.ts";
import {
  FrameChannel,
  frameChannelMemory,
} from "../internal/channel/frame_channel.ts";
import { Ring, ringMemory } from "../internal/channel/ring.ts";
import { assert, assertEquals, assertThrows, deadline } from "./deps.ts";
import { mayRead } from "./helpers/allowed.ts";

/** The same numbers in every run. */
function* randoms(seed: number): Generator<number> {
  for (;;) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    yield seed / 2 ** 32;
  }
}

function bytesOf(length: number, first: number): Uint8Array {
  return new Uint8Array(length).map((_, i) => (first + i) & 0xff);
}

function ends(memory: SharedArrayBuffer): [Ring, Ring] {
  return [new Ring(memory, "producer"), new Ring(memory, "consumer")];
}

/** Takes the next frame. */
function take(ring: Ring): [number, number, Uint8Array] | undefined {
  if (!ring.next()) return undefined;
  const payload = new Uint8Array(ring.bytes.subarray(ring.start, ring.end));
  ring.free();
  return [ring.type, ring.id, payload];
}

Deno.test("Ring passes frames in order, empty ones too", () => {
  const [producer, consumer] = ends(ringMemory(256));
  assert(consumer.empty);
  assert(producer.write(1, -5, bytesOf(3, 7)));
  assert(producer.write(255, 2 ** 31 - 1, new Uint8Array(0)));
  assertEquals(take(consumer), [1, -5, bytesOf(3, 7)]);
  assertEquals(take(consumer), [255, 2 ** 31 - 1, new Uint8Array(0)]);
  assertEquals(take(consumer), undefined);
});

Deno.test("Ring.write() is false where there is no room, and says so to the consumer once", () => {
  const [producer, consumer] = ends(ringMemory(256));
  let count = 0;
  while (producer.write(1, count, bytesOf(24, count))) count++;
  assertEquals(count, 8);
  assertEquals(take(consumer)?.[1], 0);
  assert(consumer.takeWanted());
  assert(!consumer.takeWanted());
  assert(producer.write(1, count, bytesOf(24, 0)));
});

Deno.test("Ring.write() rejects a payload that could never fit", () => {
  const [producer] = ends(ringMemory(256));
  assertThrows(
    () => producer.write(1, 1, new Uint8Array(121)),
    RangeError,
    "Cannot write a frame: 121 bytes are too many for a ring of 256",
  );
});

Deno.test("Ring wraps around at the end of its memory and of its counters", () => {
  const memory = ringMemory(512);
  const control = new Int32Array(memory);
  control[0] = control[16] = 0x7fffffff - 1023 - 0x3f & ~7; // wraps to negative soon
  const [producer, consumer] = ends(memory);
  const random = randoms(1);
  let sent = 0, got = 0;
  while (got < 5000) {
    const length = Math.floor(random.next().value! * 200);
    while (
      producer.write(1 + sent % 255, sent, bytesOf(length, sent))
    ) sent++;
    for (let i = random.next().value! * 4; i > 0 && got < sent; i--, got++) {
      const [type, id, payload] = take(consumer)!;
      assertEquals({ type, id }, { type: 1 + got % 255, id: got });
      assertEquals(payload, bytesOf(payload.length, got));
    }
  }
});

Deno.test("Ring.reserve() finds no room that the consumer has not left", () => {
  const [producer, consumer] = ends(ringMemory(256));
  assert(producer.write(1, 1, new Uint8Array(96)));
  assert(producer.write(1, 2, new Uint8Array(96)));
  take(consumer);
  assert(
    !producer.reserve(104),
    "only the padding to the end and the first frame are free",
  );
  take(consumer);
  assert(producer.reserve(104));
  producer.put(3, 3, bytesOf(104, 9));
  assertEquals(take(consumer), [3, 3, bytesOf(104, 9)]);
});

Deno.test("WakeupFlag.notifyIfWaiting() wakes a sleeper, and only one that armed it", async () => {
  const memory = new SharedArrayBuffer(2 * WAKEUP_FLAG_BYTES);
  const mine = new WakeupFlag(memory, WAKEUP_FLAG_BYTES);
  const theirs = new WakeupFlag(memory, WAKEUP_FLAG_BYTES);
  theirs.notifyIfWaiting();
  mine.prepareWait();
  const slept = mine.waitAsync();
  theirs.notifyIfWaiting();
  await deadline(slept, 20_000);
  await deadline(mine.waitAsync(), 20_000); // awake: does not sleep
  mine.prepareWait();
  assert(!mine.wait(1));
  mine.cancelWait();
  assert(mine.wait(60_000)); // awake: does not block
});

Deno.test("FrameChannel.send() keeps the order where the ring is full, and the other side catches up", async () => {
  const memory = frameChannelMemory();
  const got: number[] = [];
  const main = new FrameChannel(memory, "main", () => {});
  const worker = new FrameChannel(
    memory,
    "worker",
    (_type, id) => got.push(id),
  );
  for (let i = 0; i < 100; i++) main.send(1, i, new Uint8Array(60_000));
  const served = [main.receiveAll(), worker.receiveAll()];
  const all = Promise.withResolvers<void>();
  main.send(1, 100);
  const check = setInterval(() => got.length === 101 && all.resolve(), 1);
  await deadline(all.promise, 20_000);
  clearInterval(check);
  assertEquals(got, Array.from({ length: 101 }, (_, i) => i));
  main.close();
  worker.close();
  await deadline(Promise.all(served), 20_000);
});

Deno.test("FrameChannel.reserve() calls back when there is room", async () => {
  const memory = frameChannelMemory();
  const main = new FrameChannel(memory, "main", () => {});
  const worker = new FrameChannel(memory, "worker", () => {});
  const room = Promise.withResolvers<void>();
  let count = 0;
  while (main.reserve(60_000, room.resolve)) {
    main.put(1, count++, new Uint8Array(60_000));
  }
  assertEquals(count, 8);
  const served = [main.receiveAll(), worker.receiveAll()];
  await deadline(room.promise, 20_000);
  main.close();
  worker.close();
  await deadline(Promise.all(served), 20_000);
});

Deno.test({
  name:
    "FrameChannel passes frames of random sizes to a worker and back, whole and in order",
  ignore: !mayRead,
  async fn() {
    const memory = frameChannelMemory();
    const url = new URL("./testdata/ring_worker.ts", import.meta.url);
    const worker = new Worker(url, { type: "module" });
    worker.postMessage(memory);
    const random = randoms(2), again = randoms(2);
    const COUNT = 5000;
    const done = Promise.withResolvers<void>();
    let got = 0;
    const sizeOf = (from: Generator<number>) =>
      Math.floor(from.next().value! ** 6 * 65536);
    const channel = new FrameChannel(memory, "main", (_type, id, payload) => {
      const expected = sizeOf(again);
      if (
        id !== got || payload.length !== expected ||
        payload.some((byte, i) => byte !== ((id + i) & 0xff))
      ) {
        done.reject(
          new Error(
            `frame ${got}: id ${id}, ${payload.length} bytes, expected ${expected}`,
          ),
        );
      }
      if (++got === COUNT) done.resolve();
    });
    const served = channel.receiveAll();
    for (let i = 0; i < COUNT; i++) {
      channel.send(1, i, bytesOf(sizeOf(random), i));
      if (i % 100 === 0) await new Promise((resolve) => setTimeout(resolve));
    }
    await deadline(done.promise, 20_000);
    channel.close();
    worker.terminate();
    await deadline(served, 20_000); // its timer keeps the event loop alive, which waiting for a flag does not
  },
});

Deno.test({
  name:
    "FrameChannel.sendLast() blocks until there was room for the last frame",
  ignore: !mayRead,
  async fn() {
    const memory = frameChannelMemory();
    const url = new URL("./testdata/last_words_worker.ts", import.meta.url);
    const worker = new Worker(url, { type: "module" });
    const full = new Promise((resolve) => worker.onmessage = resolve);
    const last = Promise.withResolvers<number>();
    const channel = new FrameChannel(memory, "main", (type, id) => {
      if (type === 2) last.resolve(id);
    });
    worker.postMessage(memory);
    await full;
    const served = channel.receiveAll();
    assertEquals(await deadline(last.promise, 20_000), 7);
    channel.close();
    worker.terminate();
    await deadline(served, 20_000); // its timer keeps the event loop alive, which waiting for a flag does not
  },
});

Deno.test("FrameChannel.sendLast() gives up where nobody makes room", () => {
  const memory = frameChannelMemory();
  const worker = new FrameChannel(memory, "worker", () => {});
  while (worker.reserve(60_000, () => {})) {
    worker.put(1, 1, new Uint8Array(60_000));
  }
  worker.sendLast(2, 7, new Uint8Array(60_000), 10);
  const types = new Set<number>();
  new FrameChannel(memory, "main", (type) => types.add(type)).receive();
  assertEquals([...types], [1]);
});
