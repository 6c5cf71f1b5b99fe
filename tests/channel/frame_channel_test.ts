import {
  FrameChannel,
  frameChannelMemory,
} from "../../internal/channel/frame_channel.ts";
import { Ring } from "../../internal/channel/ring.ts";
import { assert, assertEquals, assertLess, deadline } from "../deps.ts";
import { mayRead } from "../helpers/allowed.ts";
import { countingBytes, seeded } from "../helpers/bytes.ts";
import { endOfTurn, turn } from "../helpers/turns.ts";
import { until } from "../helpers/within.ts";

/** Returns both ends of a channel, and the ids of the frames that the worker has received. */
function channelEnds() {
  const memory = frameChannelMemory();
  const got: number[] = [];
  const main = new FrameChannel(memory, "main", () => {});
  const worker = new FrameChannel(
    memory,
    "worker",
    (_type, id) => got.push(id),
  );
  return { main, worker, got };
}

/** Fills the ring of a channel with frames, and reserves room for one more. Returns the number of frames. */
function fillRing(channel: FrameChannel, onRoom = () => {}): number {
  let count = 0;
  while (channel.reserve(60_000, onRoom)) {
    channel.put(1, count++, new Uint8Array(60_000));
  }
  return count;
}

Deno.test("FrameChannel.send() keeps the order of frames that wait for room", async () => {
  const { main, worker, got } = channelEnds();
  for (let i = 0; i < 100; i++) main.send(1, i, new Uint8Array(60_000));
  const served = [main.receiveAll(), worker.receiveAll()];
  main.send(1, 100);
  await until(() => got.length === 101, 60_000);
  assertEquals(got, Array.from({ length: 101 }, (_, i) => i));
  main.close();
  worker.close();
  await deadline(Promise.all(served), 60_000);
});

Deno.test("FrameChannel.reserve() calls back when there is room", async () => {
  const { main, worker } = channelEnds();
  const room = Promise.withResolvers<void>();
  assertEquals(fillRing(main, room.resolve), 8);
  const served = [main.receiveAll(), worker.receiveAll()];
  await deadline(room.promise, 60_000);
  main.close();
  worker.close();
  await deadline(Promise.all(served), 60_000);
});

Deno.test({
  name:
    "FrameChannel carries frames of random sizes to a worker and back, whole and in order",
  ignore: !mayRead,
  async fn() {
    const memory = frameChannelMemory();
    const url = new URL("../testdata/ring_worker.ts", import.meta.url);
    const worker = new Worker(url, { type: "module" });
    worker.postMessage(memory);
    const random = seeded(2), again = seeded(2);
    const COUNT = 5000;
    const done = Promise.withResolvers<void>();
    let got = 0;
    const sizeOf = (random: (below: number) => number) =>
      Math.floor((random(2 ** 32) / 2 ** 32) ** 6 * 65536);
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
      channel.send(1, i, countingBytes(sizeOf(random), i));
      if (i % 100 === 0) await endOfTurn();
    }
    await deadline(done.promise, 60_000);
    channel.close();
    worker.terminate();
    await deadline(served, 60_000); // its timer keeps the event loop alive, which waiting for a flag does not
  },
});

Deno.test({
  name: "FrameChannel.sendLast() blocks until there is room for the last frame",
  ignore: !mayRead,
  async fn() {
    const memory = frameChannelMemory();
    const url = new URL("../testdata/last_words_worker.ts", import.meta.url);
    const worker = new Worker(url, { type: "module" });
    const full = new Promise((resolve) => worker.onmessage = resolve);
    const last = Promise.withResolvers<number>();
    const channel = new FrameChannel(memory, "main", (type, id) => {
      if (type === 2) last.resolve(id);
    });
    worker.postMessage(memory);
    await full;
    const served = channel.receiveAll();
    assertEquals(await deadline(last.promise, 60_000), 7);
    channel.close();
    worker.terminate();
    await deadline(served, 60_000); // its timer keeps the event loop alive, which waiting for a flag does not
  },
});

Deno.test("FrameChannel.sendLast() gives up if nobody makes room", () => {
  const memory = frameChannelMemory();
  const worker = new FrameChannel(memory, "worker", () => {});
  fillRing(worker);
  worker.sendLast(2, 7, new Uint8Array(60_000), 10);
  const types = new Set<number>();
  new FrameChannel(memory, "main", (type) => types.add(type)).receive();
  assertEquals([...types], [1]);
});

Deno.test("FrameChannel.block() returns at once, and calls back, if a waiting frame has room", () => {
  const { main, worker } = channelEnds();
  let resumed = false;
  fillRing(worker, () => resumed = true);
  main.receive(); // makes room, and rings in vain: the worker is awake
  const before = performance.now();
  worker.block(60_000);
  assertEquals(resumed, true);
  assertLess(performance.now() - before, 30_000);
});

Deno.test("FrameChannel.receiveAll() continues after block() has woken it", async () => {
  const { main, worker, got } = channelEnds();
  const served = worker.receiveAll();
  await turn(); // the worker sleeps
  worker.block(1);
  main.send(1, 5);
  await until(() => got.length === 1);
  worker.close();
  main.flush();
  await deadline(Promise.all([served, turn()]), 60_000);
});

Deno.test("FrameChannel.receiveAll() finds room that came before it armed its flag", async () => {
  const memory = frameChannelMemory();
  const worker = new Ring(memory.down, "consumer");
  const main = new FrameChannel(memory, "main", () => {});
  /** Makes room without waking the main side, which was awake when the worker rang. */
  const makeRoom = () => {
    while (worker.next()) worker.free();
    worker.takeWanted();
  };
  const resumed: string[] = [];
  const second = () => resumed.push("second");
  const first = () => {
    resumed.push("first");
    fillRing(main, second); // waits again
    makeRoom();
  };
  fillRing(main, first);
  makeRoom();
  const served = main.receiveAll();
  await until(() => resumed.length === 2);
  assertEquals(resumed, ["first", "second"]);
  main.close();
  await deadline(Promise.all([served, turn()]), 60_000);
});

Deno.test("FrameChannel.receiveAll() yields to the event loop while frames arrive", async () => {
  const memory = frameChannelMemory();
  const main = new FrameChannel(memory, "main", () => {});
  let count = 0, timer = 0;
  const worker = new FrameChannel(memory, "worker", () => {
    count++;
    main.send(1, 1); // a frame is always waiting
  });
  main.send(1, 1);
  const served = worker.receiveAll();
  await new Promise<void>((resolve) =>
    setTimeout(() => {
      timer = count;
      resolve();
    })
  );
  worker.close();
  assert(timer > 0);
  await deadline(Promise.all([served, turn()]), 60_000);
});

Deno.test("FrameChannel.send() keeps a short frame behind a long one that waits for room", () => {
  const { main, worker, got } = channelEnds();
  const sizes = Array.from({ length: 40 }, (_, i) => i % 4 ? 10 : 200_000);
  sizes.forEach((size, id) => main.send(1, id, new Uint8Array(size)));
  while (got.length < sizes.length) {
    main.receive(); // sends the waiting frames; short ones would have room
    worker.receive(1);
  }
  assertEquals(got, sizes.map((_, id) => id));
});
