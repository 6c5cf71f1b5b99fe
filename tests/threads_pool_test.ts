import type { Failure } from "../internal/handoff/failure.ts";
import { handlerReference } from "../internal/handoff/handler_reference.ts";
import { Stream } from "../internal/socket/stream.ts";
import {
  FrameChannel,
  frameChannelMemory,
} from "../internal/channel/frame_channel.ts";
import { WorkerPool } from "../internal/workers/worker_pool.ts";
import * as P from "../internal/channel/frames.ts";
import { Watchdog } from "../internal/workers/watchdog.ts";
import { DatagramRelay } from "../internal/workers/datagram_relay.ts";
import { InboundRelay } from "../internal/workers/inbound_relay.ts";
import { OutboundRelay } from "../internal/workers/outbound_relay.ts";
import type { ServerFacts } from "../internal/handoff/server_stub.ts";
import {
  AF_INET,
  BaseRequestHandler,
  SOCK_DGRAM,
  Socket,
  ThreadingTCPServer,
  TimeoutError,
} from "../mod.ts";
import {
  assertEquals,
  assertInstanceOf,
  assertLess,
  assertRejects,
  deadline,
  delay,
} from "./deps.ts";
import { concat, FakeStream, tcpPair, turn } from "./helpers.ts";
import { bytes, text } from "./server_helpers.ts";
import * as B from "./testdata/blocking_handlers.ts";
import * as H from "./testdata/handlers.ts";
import { readText, start, workerTest } from "./threading_helpers.ts";

/** A pool of one worker for handlers that block. */
function poolOf(Handler: unknown) {
  const init: ServerFacts = {
    serverAddress: "",
    options: {},
    shared: undefined,
  };
  const pool = new WorkerPool({
    server: {} as never, // named by the events only
    init: {
      handler: handlerReference(Handler, "in a worker"),
      blocking: true,
      server: init,
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
  return { pool, init };
}

workerTest(
  "WorkerPool.run() rejects for who waits when no worker can be started any more",
  async () => {
    const { pool, init } = poolOf(B.BlockingDies);
    const [client, server] = await tcpPair();
    const [client2, server2] = await tcpPair();
    const first = pool.run(server, ["127.0.0.1", 1]);
    const second = pool.run(server2, ["127.0.0.1", 2]);
    init.shared = () => "cannot be cloned"; // and so no worker can be told
    const failed = [assertRejects(() => first), assertRejects(() => second)];
    await client.sendall(bytes("exit\n"));
    await deadline(Promise.all(failed), 20_000);
    await deadline(pool.close(), 20_000);
    for (const socket of [client, client2, server, server2]) socket.close();
  },
);

workerTest(
  "WorkerPool.run() takes another worker when the one it waited for dies before it is used",
  async () => {
    const { pool, init } = poolOf(B.BlockingLeavesBehind);
    const left = new Int32Array(new SharedArrayBuffer(8));
    init.shared = left;
    const [client, server] = await tcpPair();
    const [client2, server2] = await tcpPair();
    const first = pool.run(server, ["127.0.0.1", 1]);
    const second = pool.run(server2, ["127.0.0.1", 2]);
    await client.sendall(bytes("x"));
    assertEquals(await readText(client, 1), "x");
    // This thread hears of the end of the handler and of that of the worker in one turn.
    Atomics.store(left, 1, 1);
    Atomics.notify(left, 1);
    Atomics.wait(left, 0, 0, 20_000);
    assertEquals(left[0], 1);
    await deadline(first, 20_000);
    await client2.sendall(bytes("y"));
    assertEquals(await readText(client2, 1), "y");
    await deadline(second, 20_000);
    await deadline(pool.close(), 20_000);
    for (const socket of [client, client2, server, server2]) socket.close();
  },
);

workerTest(
  "WorkerPool.close() ends a worker that has not begun yet",
  async () => {
    const { pool } = poolOf(B.BlockingEcho);
    const [client, server] = await tcpPair();
    const ended = assertRejects(() => pool.run(server, ["127.0.0.1", 1]));
    await deadline(pool.close(), 20_000);
    await deadline(ended, 20_000);
    client.close();
    server.close();
  },
);

workerTest(
  "ThreadingTCPServer has the worker back while a client takes nothing",
  async () => {
    await using running = start(B.BlockingGivesUp, { maxWorkers: 1 });
    using stuck = await running.connect();
    await stuck.sendall(bytes("g"));
    assertEquals(await running.ask("x"), "x");
    stuck.close();
    assertInstanceOf((await running.reports.next()).error, TimeoutError);
  },
);

/** A connection that takes nothing until it is closed. */
class StuckStream extends FakeStream {
  readonly #closed = Promise.withResolvers<never>();

  override write(): Promise<number> {
    return this.#closed.promise;
  }

  override close(): void {
    super.close();
    this.#closed.reject(new Deno.errors.Interrupted("closed"));
  }
}

function writerOver(transport: FakeStream, lingerMs: number): OutboundRelay {
  const channel = new FrameChannel(frameChannelMemory(), "main", () => {});
  return new OutboundRelay(channel, 1, new Stream(transport), lingerMs);
}

Deno.test("OutboundRelay.linger() gives up a client that takes nothing", async () => {
  const transport = new StuckStream();
  const writer = writerOver(transport, 20);
  writer.write(bytes("one"));
  writer.write(bytes("two"));
  const flushed = Promise.withResolvers<void>();
  writer.whenFlushed(flushed.resolve);
  writer.linger();
  await deadline(flushed.promise, 20_000);
  writer.write(bytes("three")); // dropped
  transport.close();
  await turn();
  writer.whenFlushed(() => transport.calls.push("flushed"));
  assertEquals(transport.calls, ["close", "flushed"]);
});

Deno.test("OutboundRelay.linger() waits for a client that takes a little now and then", async () => {
  class Slow extends FakeStream {
    override async write(p: Uint8Array): Promise<number> {
      await delay(10);
      return await super.write(p.subarray(0, 1));
    }
  }
  const transport = new Slow();
  const writer = writerOver(transport, 1000); // less than all bytes take
  writer.linger();
  writer.write(bytes("slowly".repeat(20)));
  const flushed = Promise.withResolvers<void>();
  writer.whenFlushed(flushed.resolve);
  await deadline(flushed.promise, 20_000);
  assertEquals(text(concat(transport.written)), "slowly".repeat(20));
});

Deno.test("OutboundRelay and InboundRelay take what a transport throws for a failure", async () => {
  class Throws extends FakeStream {
    override write(): Promise<number> {
      throw new Error("write");
    }
    override read(): Promise<number | null> {
      throw new Error("read");
    }
  }
  const memory = frameChannelMemory();
  const channel = new FrameChannel(memory, "main", () => {});
  const got: [number, string][] = [];
  const worker = new FrameChannel(memory, "worker", (type, _id, payload) => {
    got.push([type, P.unpack<Failure>(payload)!.message]);
  });
  const stream = new Stream(new Throws());
  new OutboundRelay(channel, 1, stream).write(bytes("x"));
  new InboundRelay(channel, 1, stream).start();
  await turn();
  worker.receive();
  assertEquals(got, [
    [P.WRITE_FAILED, "Cannot send: write"],
    [P.READ_FAILED, "Cannot recv: read"],
  ]);
});

Deno.test("Watchdog with a timeout of months asks once, and not again at once", async () => {
  const memory = frameChannelMemory();
  const main = new FrameChannel(memory, "main", () => {});
  const heartbeats: number[] = [];
  const watchdog = new Watchdog(
    1e7,
    main,
    (reason) => assertEquals(reason, ""),
  );
  const worker = new FrameChannel(memory, "worker", (type) => {
    heartbeats.push(type);
    watchdog.alive();
  });
  watchdog.start();
  for (let i = 0; i < 5; i++) {
    worker.receive();
    await delay(5); // that nothing happens
  }
  watchdog.stop();
  assertEquals(heartbeats, [P.HEARTBEAT]);
});

Deno.test("FrameChannel.block() does not block where room has come for who waits for it", () => {
  const memory = frameChannelMemory();
  const main = new FrameChannel(memory, "main", () => {});
  const worker = new FrameChannel(memory, "worker", () => {});
  let resumed = false;
  while (worker.reserve(60_000, () => resumed = true)) {
    worker.put(1, 1, new Uint8Array(60_000));
  }
  main.receive(); // makes room, and rings in vain: the worker is awake
  const before = performance.now();
  worker.block(60_000);
  assertEquals(resumed, true);
  assertLess(performance.now() - before, 30_000);
});

workerTest("ThreadingMixIn() tells null in shared from nothing", async () => {
  class Shared extends ThreadingTCPServer {
    static override shared: unknown = "static";
  }
  const shared = async (options: { shared?: unknown }) => {
    await using server = new Shared(["127.0.0.1", 0], H.Echo, options);
    return server.shared;
  };
  assertEquals(await shared({ shared: null }), null);
  assertEquals(await shared({}), "static");
});

workerTest(
  "ThreadingTCPServer tries again what has failed at the first request",
  async () => {
    await using running = start(H.Echo);
    running.server.RequestHandlerClass = BaseRequestHandler; // says not where it is
    assertEquals(await running.ask("hello"), "");
    assertInstanceOf((await running.reports.next()).error, TypeError);
    running.server.RequestHandlerClass = H.Echo;
    assertEquals(await running.ask("hello"), "hello");
  },
);

workerTest(
  "ThreadingTCPServer starts no worker for a request that comes after its end",
  async () => {
    const server = new ThreadingTCPServer(["127.0.0.1", 0], H.Echo);
    await server.serverClose();
    const [client, request] = await tcpPair();
    await assertRejects(
      async () => await server.finishRequest(request, ["127.0.0.1", 1]),
      Error,
      "the server was closed",
    );
    client.close();
    request.close();
  },
);

Deno.test("DatagramRelay.end() waits for all that was sent, also where the last has left first", async () => {
  const sends: PromiseWithResolvers<number>[] = [];
  using socket = new Socket(AF_INET, SOCK_DGRAM);
  socket.sendto = () => {
    const send = Promise.withResolvers<number>();
    sends.push(send);
    return send.promise;
  };
  const channel = new FrameChannel(frameChannelMemory(), "main", () => {});
  const relay = new DatagramRelay(channel, 1, [bytes("packet"), socket]);
  for (const call of [1, 2]) {
    const address = ["127.0.0.1", 9];
    relay.onFrame(P.SEND_TO, P.pack({ call, address }));
    relay.onFrame(P.DATA, bytes("answer"));
  }
  let ended = false;
  const end = relay.end().then(() => ended = true);
  sends[1].resolve(6);
  await turn();
  assertEquals(ended, false);
  sends[0].reject(new Error("unreachable"));
  await end;
});
