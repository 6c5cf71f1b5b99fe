/** The parts of the workers one by one: what is kept and forgotten, woken and waited for. */

import { handlerReference } from "../internal/handoff/handler_reference.ts";
import { Stream } from "../internal/socket/stream.ts";
import { PendingCalls } from "../internal/channel/pending_calls.ts";
import {
  FrameChannel,
  frameChannelMemory,
} from "../internal/channel/frame_channel.ts";
import { WorkerPool } from "../internal/workers/worker_pool.ts";
import * as P from "../internal/channel/frames.ts";
import { Ring } from "../internal/channel/ring.ts";
import { WorkerStreamTransport } from "../internal/workers/worker_stream_transport.ts";
import { InboundRelay } from "../internal/workers/inbound_relay.ts";
import { OutboundRelay } from "../internal/workers/outbound_relay.ts";
import { WorkerServerStub } from "../internal/workers/worker_server_stub.ts";
import { WorkerRequestRunner } from "../internal/workers/worker_request_runner.ts";
import type { RequestHandlerConstructor } from "../mod.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  deadline,
  delay,
} from "./deps.ts";
import { CONFIG } from "./forking_helpers.ts";
import { concat, FakeStream, tcpPair, turn } from "./helpers.ts";
import { bytes, text, until } from "./server_helpers.ts";
import * as B from "./testdata/blocking_handlers.ts";
import * as L from "./testdata/leftover_handlers.ts";
import { LoadsOnce } from "./testdata/loads_once.ts";
import { readAll, readText, start, workerTest } from "./threading_helpers.ts";
import { granted, mayRead } from "./helpers/allowed.ts";
import { within } from "./helpers/within.ts";

const FACTS = { serverAddress: "", options: {}, shared: undefined };

Deno.test("WorkerServerStub.requestSignal() is aborted where the server drains already", () => {
  for (const draining of [false, true]) {
    const stub = new WorkerServerStub(FACTS, draining, () => Promise.resolve());
    const early = stub.requestSignal("early");
    assertEquals(early.aborted, draining);
    stub.requests.drain();
    assertEquals(early.aborted, true);
    assertEquals(stub.requestSignal("late").aborted, true);
  }
});

Deno.test("WorkerServerStub.requestSignal() has a signal of its own for each open request", () => {
  const stub = new WorkerServerStub(FACTS, false, () => Promise.resolve());
  const active = stub.requests.begin("request");
  const signal = stub.requestSignal("request");
  assert(stub.requestSignal("request") === signal);
  stub.requests.end(active);
  assert(stub.requestSignal("request") !== signal);
});

Deno.test("PendingCalls.settle() gives each call its answer, once", async () => {
  const calls = new PendingCalls();
  const numbers: number[] = [], answers: unknown[] = [];
  for (const name of ["one", "two"]) {
    calls.start(
      (call) => numbers.push(call),
      ({ value }) => answers.push([name, value]),
    );
  }
  calls.settle(numbers[1], P.pack({ value: 2 }));
  calls.settle(numbers[1], P.pack({ value: "again" }));
  calls.settle(numbers[0], P.pack({ value: 1 }));
  calls.settle(99, P.pack({ value: "of nobody" }));
  assertEquals(answers, [["two", 2], ["one", 1]]);
  let number = 0;
  const asked = calls.call<void>((call) => number = call);
  calls.settle(number, new Uint8Array(0));
  assertEquals(await asked, undefined);
});

workerTest(
  "A worker forgets the signal of a request that has ended",
  async () => {
    const shared = new Int32Array(new SharedArrayBuffer(4));
    await using running = start(L.KeepsSignal, { shared });
    assertEquals(await running.ask(""), "go");
    await until(() => Atomics.load(shared, 0) !== 0);
    assertEquals(shared[0], 1);
  },
);

workerTest(
  "A signal asked for after the drain has begun is aborted",
  async () => {
    const running = start(L.AsksLate);
    using client = await running.connect();
    assertEquals(await readText(client, 2), "go");
    const closing = running.server.serverClose({ timeout: 20 });
    await client.sendall(bytes("x")); // behind the frame that tells of the drain
    assertEquals(await readAll(client), "aborted");
    await within(closing);
  },
);

Deno.test({
  name:
    "WorkerRequestRunner gives back what comes for a request that has ended",
  ignore: !mayRead,
  async fn() {
    const memory = frameChannelMemory();
    const got: [type: number, id: number, payload: string][] = [];
    const main = new FrameChannel(memory, "main", (type, id, payload) => {
      got.push([type, id, type === P.UNREAD ? text(payload.slice()) : ""]);
    });
    const runner = new WorkerRequestRunner({
      memory,
      handler: handlerReference(B.BlockingClosed, "in a worker"),
      blocking: true,
      server: FACTS,
      draining: false,
    });
    const run = runner.run();
    const served = main.receiveAll();
    await until(() => got.length === 1);
    const address = { transport: "tcp" as const, hostname: "::1", port: 1 };
    const opening: P.Opening = {
      clientAddress: "",
      localAddr: address,
      remoteAddr: address,
      timeout: null,
    };
    main.send(P.OPEN, 7, P.pack(opening));
    await until(() => got.some(([type]) => type === P.FINISHED));
    main.send(P.DATA, 7, bytes("late"));
    await until(() => got.at(-1)![0] === P.UNREAD);
    assertEquals(got.at(-1), [P.UNREAD, 7, "late"]);
    main.send(P.EOF, 7);
    main.send(P.HEARTBEAT, 0);
    await until(() => got.at(-1)![0] === P.HEARTBEAT);
    runner.channel.close();
    main.close();
    await deadline(Promise.all([run, served]), 20_000);
  },
});

workerTest("WorkerPool.close() rejects who waits for a worker", async () => {
  const pool = new WorkerPool({
    server: {} as never, // named by the events only
    init: {
      handler: handlerReference(B.BlockingEcho, "in a worker"),
      blocking: true,
      server: FACTS,
    },
    maxWorkers: 1,
    workerTimeout: null,
    resourceLimits: {},
    hooks: {
      shutdown: () => Promise.resolve(),
      onUnownedError: () => {},
      onLimit: () => {},
    },
  });
  const pairs = [await tcpPair(), await tcpPair(), await tcpPair()];
  const runs = pairs.map(([, server]) =>
    assertRejects(() => pool.run(server, ["127.0.0.1", 1]))
  );
  const [[client]] = pairs;
  await client.sendall(bytes("x"));
  assertEquals(await readText(client, 1), "x"); // it runs; the others wait
  await deadline(pool.close(), 20_000);
  await deadline(Promise.all(runs), 20_000);
  await assertRejects(() => pool.run(pairs[0][1], ["127.0.0.1", 1]));
  for (const socket of pairs.flat()) socket.close();
});

Deno.test("FrameChannel.receiveAll() goes on after the thread was blocked while it slept", async () => {
  const memory = frameChannelMemory();
  const got: number[] = [];
  const main = new FrameChannel(memory, "main", () => {});
  const worker = new FrameChannel(
    memory,
    "worker",
    (_type, id) => got.push(id),
  );
  const served = worker.receiveAll();
  await turn(); // it sleeps
  worker.block(1);
  main.send(1, 5);
  await until(() => got.length === 1);
  worker.close();
  main.flush();
  await deadline(Promise.all([served, turn()]), 20_000);
});

Deno.test("FrameChannel.receiveAll() finds room that came before it armed its flag", async () => {
  const memory = frameChannelMemory();
  const worker = new Ring(memory.down, "consumer");
  const main = new FrameChannel(memory, "main", () => {});
  /** Makes room, and wakes nobody: the other side was awake when the worker rang. */
  const makeRoom = () => {
    while (worker.next()) worker.free();
    worker.takeWanted();
  };
  const resumed: string[] = [];
  const fill = () => {
    while (main.reserve(60_000, second)) main.put(1, 1, new Uint8Array(60_000));
  };
  const second = () => resumed.push("second");
  const first = () => {
    resumed.push("first");
    fill(); // waits again
    makeRoom();
  };
  while (main.reserve(60_000, first)) main.put(1, 1, new Uint8Array(60_000));
  makeRoom();
  const served = main.receiveAll();
  await until(() => resumed.length === 2);
  assertEquals(resumed, ["first", "second"]);
  main.close();
  await deadline(Promise.all([served, turn()]), 20_000);
});

Deno.test("FrameChannel.receiveAll() gives the event loop its turn while frames come", async () => {
  const memory = frameChannelMemory();
  const main = new FrameChannel(memory, "main", () => {});
  let count = 0, timer = 0;
  const worker = new FrameChannel(memory, "worker", () => {
    count++;
    main.send(1, 1); // there is always one more
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
  await deadline(Promise.all([served, turn()]), 20_000);
});

/** Over how many transports at once the reader gives large buffers. */
const LARGE_MAX = 64;

Deno.test("InboundRelay has a bounded number of large buffers wait, and gives them back", async () => {
  const bulk = new Uint8Array(1000); // fills the small buffer: more is likely
  const round = async () => {
    const transports = Array.from(
      { length: LARGE_MAX + 6 },
      () => new FakeStream(bulk),
    );
    for (const transport of transports) {
      const channel = new FrameChannel(frameChannelMemory(), "main", () => {});
      new InboundRelay(channel, 1, new Stream(transport)).start();
    }
    await turn();
    const large = transports.filter(({ sizes }) => sizes[1] === 65_536);
    assertEquals(
      transports.map(({ sizes }) => sizes.length).join(),
      Array(70).fill(2).join(),
    );
    for (const transport of transports) transport.close();
    await turn();
    return large.length;
  };
  assertEquals(await round(), LARGE_MAX);
  assertEquals(await round(), LARGE_MAX, "those of the first round are free");
});

Deno.test("OutboundRelay.linger() counts from the last progress", async () => {
  class Slow extends FakeStream {
    override async write(p: Uint8Array): Promise<number> {
      await delay(40);
      return await super.write(p.subarray(0, 1));
    }
  }
  const transport = new Slow();
  const channel = new FrameChannel(frameChannelMemory(), "main", () => {});
  const writer = new OutboundRelay(channel, 1, new Stream(transport), 800);
  const words = "a byte at a time takes longer than it may all in all";
  writer.write(bytes(words));
  writer.linger(); // after the write, as at the end of a handler
  const flushed = Promise.withResolvers<void>();
  writer.whenFlushed(flushed.resolve);
  await deadline(flushed.promise, 20_000);
  assertEquals(text(concat(transport.written)), words);
});

Deno.test({
  name: "A worker's permission to read is asked for when it starts",
  ignore: !granted("run", "read"),
  async fn() {
    const script = new URL("testdata/no_read_server.ts", import.meta.url);
    const child = new Deno.Command(Deno.execPath(), {
      // deno-fmt-ignore
      args: ["run", CONFIG, "--no-check", "--no-prompt", "--allow-net", "--allow-read", script.pathname],
    });
    const { stdout, stderr } = await within(child.output());
    const err = new TextDecoder().decode(stderr);
    const out = new TextDecoder().decode(stdout).trim();
    assertEquals(out, "PermissionError EACCES true", err);
  },
});

workerTest("BlockingSocket.close() closes the connection at once", async () => {
  const shared = new Int32Array(new SharedArrayBuffer(4));
  const Handler = L.ClosesAndStays as unknown as RequestHandlerConstructor;
  await using running = start(Handler, { shared, maxWorkers: 1 });
  using client = await running.connect();
  assertEquals(await readAll(client), "bye"); // though the handler runs
  assertEquals(running.server.status.active, 1);
  Atomics.store(shared, 0, 1);
  Atomics.notify(shared, 0);
});

workerTest(
  "WorkerPool gives a request to the worker that is free",
  async () => {
    const shared = new Int32Array(new SharedArrayBuffer(8));
    await using running = start(LoadsOnce, { shared, maxWorkers: 2 });
    for (let i = 0; i < 5; i++) {
      using client = await running.connect();
      await client.sendall(bytes("x\n"));
      assertEquals(await readText(client, 2), "x\n");
      await client.shutdown(1);
      assertEquals(await readAll(client), "");
      await until(() => running.server.status.active === 0);
    }
    assertEquals(shared[0], 1, "one worker is enough");
  },
);

Deno.test("WorkerStreamTransport.stopReading() keeps what comes for a read that nobody waits for", async () => {
  const channel = new FrameChannel(frameChannelMemory(), "worker", () => {});
  const address = { transport: "tcp" as const, hostname: "::1", port: 1 };
  const opening: P.Opening = {
    clientAddress: "",
    localAddr: address,
    remoteAddr: address,
    timeout: null,
  };
  const conn = new WorkerStreamTransport(1, opening, channel);
  const into = new Uint8Array(9);
  let read = false;
  conn.read(into).then(() => read = true);
  conn.stopReading();
  conn.onFrame(P.DATA, bytes("abc"));
  await turn();
  assertEquals(read, false);
  assertEquals(conn.available, 3);
  assertEquals(into[0], 0);
});

Deno.test("FrameChannel.send() lets no short frame pass a long one that waits for room", () => {
  const memory = frameChannelMemory();
  const got: number[] = [];
  const main = new FrameChannel(memory, "main", () => {});
  const worker = new FrameChannel(
    memory,
    "worker",
    (_type, id) => got.push(id),
  );
  const sizes = Array.from({ length: 40 }, (_, i) => i % 4 ? 10 : 200_000);
  sizes.forEach((size, id) => main.send(1, id, new Uint8Array(size)));
  while (got.length < sizes.length) {
    main.receive(); // sends what waited; there is room for short ones at once
    worker.receive(1);
  }
  assertEquals(got, sizes.map((_, id) => id));
});

workerTest("A worker with enough memory lives on", async () => {
  const shared = new Int32Array(new SharedArrayBuffer(8));
  await using running = start(LoadsOnce, { shared, maxWorkers: 1 });
  using client = await running.connect();
  await client.sendall(bytes("x\n"));
  assertEquals(await readText(client, 2), "x\n");
  await delay(1200); // it has looked at its heap twice
  await client.sendall(bytes("y\n"));
  assertEquals(await readText(client, 2), "y\n");
});
