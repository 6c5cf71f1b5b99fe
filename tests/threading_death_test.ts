import type { Socket } from "../mod.ts";
import {
  assert,
  assertEquals,
  assertLess,
  assertStringIncludes,
  deadline,
} from "./deps.ts";
import { DiesAtLoad } from "./testdata/dies_at_load.ts";
import { Dies, LeavesBehind } from "./testdata/dying_handlers.ts";
import {
  readAll,
  readText,
  type Running,
  start,
  workerTest,
} from "./threading_helpers.ts";
import { bytes } from "./server_helpers.ts";

/** A line, and the answer: the worker that the client is in. */
async function ask(client: Socket, line: string): Promise<string> {
  await client.sendall(bytes(`${line}\n`));
  return (await readText(client, 37)).trimEnd();
}

/** Two clients, each in a worker of its own. */
async function twoClients(running: Running<never>): Promise<[Socket, Socket]> {
  const one = await running.connect(), two = await running.connect();
  const workers = [await ask(one, "who"), await ask(two, "who")];
  assert(workers[0] !== workers[1]);
  return [one, two];
}

/** Longer than a busy machine keeps other workers from running; null for those that end by themselves. */
const timeoutFor = (way: string) => way === "loop" ? 2 : null;

const WAYS: [way: string, message: string, name?: string, cause?: string][] = [
  ["throw", "thrown outside", "RangeError", "thrown outside"],
  ["reject", "rejected outside", "TypeError", "rejected outside"],
  ["close", "it ended itself, with close() or Deno.exit()"],
  ["exit", "it ended itself, with close() or Deno.exit()"],
  ["loop", "it showed no sign of life for 2 s", "Error"],
];

for (const [way, message, name, cause] of WAYS) {
  workerTest(
    `A worker that dies by "${way}" costs its own requests, is reported and replaced`,
    async () => {
      await using running = start(Dies, { workerTimeout: timeoutFor(way) });
      const [victim, bystander] = await twoClients(running as never);
      using companion = await running.connect(); // the first worker has two now
      const worker = await ask(companion, "who");
      const inSame = worker === await ask(victim, "who");
      const survivor = await ask(bystander, "who");

      await victim.sendall(bytes(`${way}\n`));
      const rest = await readAll(victim);
      assert(rest === "" || rest === `${worker}\n`, rest);
      const first = await running.reports.next();
      assertStringIncludes(
        first.error.message,
        "Cannot go on with the request: its worker died: ",
      );
      assertStringIncludes(first.error.message, message);
      assertEquals((first.error.cause as Error | undefined)?.name, name);
      if (cause !== undefined) {
        assertStringIncludes(
          (first.error.cause as Error).stack!,
          "dying_handlers.ts",
        );
      }
      if (inSame) {
        assertEquals(await readAll(companion), "");
        assertEquals(
          (await running.reports.next()).error.message,
          first.error.message,
        );
      }
      assertEquals(running.reports.left, 0);

      assertEquals(await ask(bystander, "who"), survivor);
      const [again, other] = [await running.connect(), await running.connect()];
      const replaced = [await ask(again, "who"), await ask(other, "who")];
      assert(replaced.some((id) => id !== worker && id !== survivor));
      for (const client of [victim, bystander, again, other]) client.close();
    },
  );
}

workerTest(
  "A worker that dies without a request is reported with the last one",
  async () => {
    await using running = start(LeavesBehind, { maxWorkers: 1 });
    using client = await running.connect();
    const mine = client.getsockname();
    await readAll(client);
    const { error, address } = await running.reports.next();
    assertStringIncludes(error.message, "left behind");
    assertEquals(address, mine);
  },
);

workerTest("serverClose() ends a worker in an endless loop", async () => {
  const running = start(Dies, { maxWorkers: 1 });
  using client = await running.connect();
  await client.sendall(bytes("loop\n"));
  const before = performance.now();
  const report = await deadline(
    running.server.serverClose({ timeout: 0.1 }),
    5000,
  );
  assertEquals(report, { idle: 0, finished: 0, forced: 1 });
  assertLess(performance.now() - before, 3000);
  assertEquals(running.reports.left, 0);
});

workerTest(
  "Workers that die one after the other are all replaced",
  async () => {
    await using running = start(Dies);
    const workers = new Set<string>();
    for (let i = 0; i < 8; i++) {
      using client = await running.connect();
      workers.add(await ask(client, "who"));
      await client.sendall(
        bytes(i % 2 ? "exit\n" : "throw\n"),
      );
      await readAll(client);
      await running.reports.next();
    }
    assertEquals(workers.size, 8);
  },
);

workerTest(
  "A module that ends its worker costs each request a worker, and nothing hangs",
  async () => {
    await using running = start(DiesAtLoad);
    for (let i = 0; i < 3; i++) {
      assertEquals(await running.ask("hello?"), "");
      const { error } = await running.reports.next();
      assertStringIncludes(error.message, "it ended itself");
    }
  },
);

/** How many clients there are of each worker. */
type Crowd = Map<string, Socket[]>;

/** So many clients, each of which has had an answer, by worker. */
async function crowdOf(
  running: Running<never>,
  count: number,
): Promise<Crowd> {
  const crowd: Crowd = new Map();
  for (let i = 0; i < count; i += 50) {
    const clients = await Promise.all(
      Array.from({ length: 50 }, () => running.connect()),
    );
    await Promise.all(clients.map(async (client) => {
      const worker = await ask(client, "who");
      crowd.set(worker, [...crowd.get(worker) ?? [], client]);
    }));
  }
  return crowd;
}

for (const way of ["throw", "close", "loop"]) {
  workerTest(
    `A worker of four that dies by "${way}" among 1,000 clients costs its own, and the pool is whole again`,
    async () => {
      await using running = start(Dies, {
        maxWorkers: 4,
        workerTimeout: timeoutFor(way),
      });
      const crowd = await crowdOf(running as never, 1000);
      const [[lost, victims], ...others] = crowd;
      assertEquals(
        [...crowd.values()].map((c) => c.length),
        Array(4).fill(250),
      );

      const asked = others.flatMap(([worker, clients]) =>
        clients.map(async (each) =>
          assertEquals(await ask(each, "who"), worker)
        )
      );
      await victims[0].sendall(bytes(`${way}\n`));
      for (const victim of victims) await readAll(victim);
      await Promise.all(asked);
      for (const _ of victims) await running.reports.next();

      using later = await running.connect();
      const fresh = await ask(later, "who");
      assert(fresh !== lost && !crowd.has(fresh), "it is in a new worker");
      for (const [worker, clients] of others) {
        assertEquals(await ask(clients[0], "who"), worker);
      }
      for (const clients of crowd.values()) for (const c of clients) c.close();
    },
  );
}
