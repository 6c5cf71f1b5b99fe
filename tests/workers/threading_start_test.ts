/** Workers that do not start, and those that take too much. */

import type { RequestHandlerConstructor, Socket } from "../../mod.ts";
import {
  TCPServer,
  ThreadingMixIn,
  ThreadingTCPServer,
  TimeoutError,
} from "../../mod.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
  fakeTime,
} from "../deps.ts";
import { granted } from "../helpers/allowed.ts";
import { bytes } from "../helpers/bytes.ts";
import { readAll, readText } from "../helpers/clients.ts";
import { CONFIG } from "../helpers/forking.ts";
import { start, workerTest } from "../helpers/threading.ts";
import {
  boundedCommand,
  until,
  untilStill,
  within,
} from "../helpers/within.ts";
import * as G from "../testdata/greedy_handlers.ts";
import { BlockingLoadsOnce, LoadsOnce } from "../testdata/loads_once.ts";
import { Events } from "../telemetry/telemetry_helpers.ts";

/** Returns memory that lets a module load only once: the count of loads, and how each further load fails. */
function once(how: "throws" | "closes" | "hangs"): Int32Array {
  const shared = new Int32Array(new SharedArrayBuffer(8));
  shared[1] = ["throws", "closes", "hangs"].indexOf(how);
  return shared;
}

/** Resolves when a module has begun to load for as many times. */
async function loaded(shared: Int32Array, times: number): Promise<void> {
  for (let now; (now = Atomics.load(shared, 0)) < times;) {
    await Atomics.waitAsync(shared, 0, now).value;
  }
}

async function ask(client: Socket, line: string): Promise<string> {
  await client.sendall(bytes(`${line}\n`));
  return (await readText(client, line.length + 1)).trimEnd();
}

for (const how of ["throws", "closes"] as const) {
  workerTest(
    `A worker whose module ${how} does not take its requests along while another runs`,
    async () => {
      const shared = once(how);
      await using running = start(LoadsOnce, { shared });
      using first = await running.connect();
      assertEquals(await ask(first, "one"), "one");
      for (const line of ["two", "three", "four"]) {
        using client = await running.connect();
        assertEquals(await ask(client, line), line);
      }
      assertEquals(await ask(first, "five"), "five");
      assertEquals(running.reports.left, 0);
      assertEquals(shared[0], 2, "and is not tried again at once");
    },
  );

  workerTest(
    `A blocking handler whose worker's module ${how} waits for another worker`,
    async () => {
      const shared = once(how);
      await using running = start(
        BlockingLoadsOnce as unknown as RequestHandlerConstructor,
        { shared },
      );
      const first = await running.connect();
      assertEquals(await ask(first, "one"), "one");
      using second = await running.connect();
      const answer = ask(second, "two");
      await loaded(shared, 2);
      first.close();
      assertEquals(await answer, "two");
      assertEquals(running.reports.left, 0);
    },
  );
}

workerTest(
  "A worker is started again a second after one that did not start",
  async () => {
    const shared = once("throws");
    await using running = start(
      BlockingLoadsOnce as unknown as RequestHandlerConstructor,
      { shared },
    );
    using first = await running.connect();
    assertEquals(await ask(first, "one"), "one");
    using second = await running.connect();
    const answer = ask(second, "two");
    await loaded(shared, 2);
    Atomics.store(shared, 0, 0); // from now on it loads
    assertEquals(await answer, "two"); // though the first worker is busy
    assertEquals(running.reports.left, 0);
  },
);

workerTest(
  "A worker whose module hangs fails its request after 60 s, and another that runs goes on",
  async () => {
    using time = await fakeTime();
    const shared = once("hangs");
    Atomics.store(shared, 0, 1);
    await using running = start(LoadsOnce, { shared });
    using first = await running.connect();
    first.settimeout(null);
    await loaded(shared, 2);
    time.tick(60_000);
    assertEquals(await readAll(first), "");
    const { error } = await running.reports.next();
    assertEquals(error.name, "TimeoutError");
    assertStringIncludes(
      error.message,
      `Cannot load the module of the handler in a worker: ${LoadsOnce.moduleUrl} has not loaded within 60 s`,
    );

    Atomics.store(shared, 0, 0);
    using second = await running.connect();
    assertEquals(await ask(second, "two"), "two");
    time.tick(60_000);
    assertEquals(await ask(second, "still there"), "still there");
    using third = await running.connect();
    const answer = ask(third, "three");
    await loaded(shared, 2);
    time.tick(60_000);
    assertEquals(await answer, "three", "from the other worker");
    assertEquals(running.reports.left, 0);
  },
);

workerTest(
  "A server whose workers accept ends with a TimeoutError if the module hangs for 60 s",
  async () => {
    using time = await fakeTime();
    const shared = once("hangs");
    Atomics.store(shared, 0, 1);
    const options = { acceptIn: "workers", shared } as const;
    await using server = new ThreadingTCPServer(["127.0.0.1", 0], LoadsOnce, {
      maxWorkers: 2,
      ...options,
    });
    const served = server.serveForever();
    await loaded(shared, 3);
    time.tick(60_000);
    await assertRejects(() => served, TimeoutError, "not loaded within 60 s");
  },
);

// With none left, Deno (2.9.6) may panic by itself, when it loads a source map or certificates.
const FREE = [3, 6, 12];

Deno.test({
  name:
    `A server whose second worker finds ${FREE} descriptors goes on with the first`,
  ignore: Deno.build.os !== "linux" || !granted("run", "read"),
  async fn() {
    const script = new URL("../testdata/few_workers.ts", import.meta.url);
    const child = boundedCommand("sh", {
      // deno-fmt-ignore
      args: [
        "-c", 'ulimit -n 100; exec "$0" "$@"', Deno.execPath(), "run", CONFIG,
        "--no-check", "--allow-net", "--allow-read", script.pathname, ...FREE.map(String),
      ],
    });
    const { stdout, stderr, code } = await within(child.output(), 60_000);
    const out = new TextDecoder().decode(stdout).trim().split("\n");
    const report = '{"idle":0,"finished":3,"forced":0}';
    const err = new TextDecoder().decode(stderr);
    const each = ["hello", "hello", "hello", report];
    assertEquals(out, FREE.flatMap(() => each), err);
    assertEquals(code, 0);
  },
});

workerTest(
  "ThreadingMixIn() checks resourceLimits, and keeps the default for what is left out",
  async () => {
    class Server extends ThreadingMixIn(TCPServer) {
      static override resourceLimits = { stackSizeMb: 2 };
    }
    const make = (resourceLimits?: object) =>
      new Server(["127.0.0.1", 0], LoadsOnce, { resourceLimits });
    for (const value of [0, -1, NaN, Infinity, "8"]) {
      const limits = { maxOldGenerationSizeMb: value };
      assertThrows(() => make(limits), RangeError, `got ${value}`);
    }
    assertThrows(() => make({ heap: 1 }), TypeError, '"heap" is not one of');
    await using one = make();
    assertEquals(one.resourceLimits, {
      maxOldGenerationSizeMb: 1024,
      stackSizeMb: 2,
    });
    await using two = make({
      maxOldGenerationSizeMb: 64,
      stackSizeMb: undefined,
    });
    assertEquals(two.resourceLimits, { maxOldGenerationSizeMb: 64 });
  },
);

const SMALL = { maxOldGenerationSizeMb: 48 };

workerTest(
  "A worker out of memory costs its own requests only, at once, after a promise and in a timer",
  async () => {
    using events = new Events();
    await using running = start(G.Eats, { resourceLimits: SMALL });
    const who = async (client: Socket, line: string) => {
      await client.sendall(bytes(`${line}\n`));
      return (await readText(client, 37)).trimEnd();
    };
    using lasting = await running.connect();
    const other = await who(lasting, "who");
    const gone = [other];
    for (const how of ["at once", "promise", "timer"]) {
      using client = await running.connect();
      const lost = await who(client, "who");
      assert(!gone.includes(lost), how);
      gone.push(lost);
      await client.sendall(bytes(`${how}\n`));
      await readAll(client);
      const { error } = await running.reports.next();
      assertStringIncludes(error.message, "its worker died: ");
      assertStringIncludes(error.message, "memory");
      assertEquals(await who(lasting, "who"), other, how);
      assertEquals(running.reports.left, 0);
      const exit = await events.next("socketserver.worker.exit");
      assertEquals(exit.reason, "memory");
      assertEquals(exit.requests, 1);
      events.clear();
    }
  },
);

workerTest(
  "A blocking handler out of memory costs its own request only",
  async () => {
    const Handler = G.BlockingEats as unknown as RequestHandlerConstructor;
    await using running = start(Handler, {
      resourceLimits: SMALL,
      maxWorkers: 1,
    });
    assertEquals(await running.ask("e"), "");
    const { error } = await running.reports.next();
    assertStringIncludes(error.message, "memory");
    assertEquals(await running.ask("x"), "fed");
    assertEquals(running.reports.left, 0);
  },
);

workerTest("serverClose() stops a worker in an endless loop", async () => {
  const shared = new Int32Array(new SharedArrayBuffer(4));
  const running = start(G.Counts, { shared, maxWorkers: 1 });
  using client = await running.connect();
  await until(() => Atomics.load(shared, 0) !== 0);
  const report = await within(running.server.serverClose({ timeout: 0 }));
  assertEquals(report, { idle: 0, finished: 0, forced: 1 });
  assertEquals(running.reports.left, 0);
  await readAll(client).catch(() => {}); // it was cut off
  await untilStill(() => shared[0], 50, 5000); // it may take a moment
});
