import { handlerReference } from "../../internal/handoff/handler_reference.ts";
import type { ServerFacts } from "../../internal/handoff/server_stub.ts";
import { WorkerPool } from "../../internal/workers/worker_pool.ts";
import { assertEquals, assertRejects, deadline } from "../deps.ts";
import { bytes } from "../helpers/bytes.ts";
import { readText } from "../helpers/clients.ts";
import { tcpPair } from "../helpers/sockets.ts";
import { workerTest } from "../helpers/threading.ts";
import * as B from "../testdata/blocking_handlers.ts";
import { FACTS } from "./workers_fakes.ts";

/** A pool of one worker for handlers that block. */
function poolOf(Handler: unknown) {
  const init: ServerFacts = { ...FACTS };
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
  "WorkerPool.run() rejects a request that waits if no worker can be started",
  async () => {
    const { pool, init } = poolOf(B.BlockingDies);
    const [client, server] = await tcpPair();
    const [client2, server2] = await tcpPair();
    const first = pool.run(server, ["127.0.0.1", 1]);
    const second = pool.run(server2, ["127.0.0.1", 2]);
    init.shared = () => "cannot be cloned"; // and so no worker can be told
    const failed = [
      assertRejects(() => first, Error, "its worker died"),
      assertRejects(() => second, Error, "could not be cloned"),
    ];
    await client.sendall(bytes("exit\n"));
    await deadline(Promise.all(failed), 60_000);
    await deadline(pool.close(), 60_000);
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
    Atomics.wait(left, 0, 0, 60_000);
    assertEquals(left[0], 1);
    await deadline(first, 60_000);
    await client2.sendall(bytes("y"));
    assertEquals(await readText(client2, 1), "y");
    await deadline(second, 60_000);
    await deadline(pool.close(), 60_000);
    for (const socket of [client, client2, server, server2]) socket.close();
  },
);

workerTest(
  "WorkerPool.close() ends a worker that has not begun yet",
  async () => {
    const { pool } = poolOf(B.BlockingEcho);
    const [client, server] = await tcpPair();
    const ended = assertRejects(
      () => pool.run(server, ["127.0.0.1", 1]),
      Error,
      "the server was closed",
    );
    await deadline(pool.close(), 60_000);
    await deadline(ended, 60_000);
    client.close();
    server.close();
  },
);

workerTest(
  "WorkerPool.close() rejects the requests that wait for a worker",
  async () => {
    const { pool } = poolOf(B.BlockingEcho);
    const pairs = [await tcpPair(), await tcpPair(), await tcpPair()];
    const runs = pairs.map(([, server]) =>
      assertRejects(
        () => pool.run(server, ["127.0.0.1", 1]),
        Error,
        "the server was closed",
      )
    );
    const [[client]] = pairs;
    await client.sendall(bytes("x"));
    assertEquals(await readText(client, 1), "x"); // it runs; the others wait
    await deadline(pool.close(), 60_000);
    await deadline(Promise.all(runs), 60_000);
    await assertRejects(
      () => pool.run(pairs[0][1], ["127.0.0.1", 1]),
      Error,
      "the server was closed",
    );
    for (const socket of pairs.flat()) socket.close();
  },
);
