import type { Socket } from "../../mod.ts";
import { assert, assertEquals, assertStringIncludes } from "../deps.ts";
import { DiesAtLoad } from "../testdata/dies_at_load.ts";
import { Dies, LeavesBehind } from "../testdata/dying_handlers.ts";
import { bytes } from "../helpers/bytes.ts";
import { readAll, readText } from "../helpers/clients.ts";
import { start, workerTest } from "../helpers/threading.ts";

/** A line, and the answer: the worker that the client is in. */
async function ask(client: Socket, line: string): Promise<string> {
  await client.sendall(bytes(`${line}\n`));
  return (await readText(client, 37)).trimEnd();
}

/** The clients of each worker. */
type Crowd = Map<string, Socket[]>;

/** Connects so many clients, each of which has had an answer. Returns them by worker. */
async function crowdOf(
  { connect }: { connect(): Promise<Socket> },
  count: number,
): Promise<Crowd> {
  const crowd: Crowd = new Map();
  const clients = await Promise.all(Array.from({ length: count }, connect));
  await Promise.all(clients.map(async (client) => {
    const worker = await ask(client, "who");
    crowd.set(worker, [...crowd.get(worker) ?? [], client]);
  }));
  return crowd;
}

const WAYS: [way: string, message: string, name?: string, cause?: string][] = [
  ["throw", "thrown outside", "RangeError", "thrown outside"],
  ["reject", "rejected outside", "TypeError", "rejected outside"],
  ["close", "it ended itself, with close() or Deno.exit()"],
  ["exit", "it ended itself, with close() or Deno.exit()"],
  ["loop", "it showed no sign of life for 5 s", "Error"],
];

const WORKERS = 4, CLIENTS = 50;

workerTest(
  "A worker that dies, in whichever way, costs its own clients, is reported and replaced",
  async () => {
    await using running = start(Dies, {
      maxWorkers: WORKERS,
      workerTimeout: 5, // longer than a busy machine keeps a worker from running
    });
    const { reports } = running;
    const crowd = await crowdOf(running, WORKERS * CLIENTS);
    for (const [way, message, name, cause] of WAYS) {
      const [[lost, victims]] = crowd;
      crowd.delete(lost);
      const sizes = Array.from(crowd.values(), ({ length }) => length);
      assertEquals([victims.length, ...sizes], Array(WORKERS).fill(CLIENTS));

      const asked = [...crowd].flatMap(([worker, clients]) =>
        clients.map(async (each) =>
          assertEquals(await ask(each, "who"), worker, way)
        )
      );
      await victims[0].sendall(bytes(`${way}\n`));
      const rest = await readAll(victims[0]);
      assert(rest === "" || rest === `${lost}\n`, rest);
      for (const victim of victims.slice(1)) {
        assertEquals(await readAll(victim), "", way);
      }
      await Promise.all(asked);
      for (const _ of victims) {
        const { error } = await reports.next();
        const [dead, cut] = [error.message, error.cause as Error | undefined];
        assertStringIncludes(dead, "Cannot go on with the request: its worker");
        assertStringIncludes(dead, `died: ${message}`);
        assertEquals(cut?.name, name, way);
        if (cause !== undefined) {
          assertStringIncludes(cut!.stack!, "dying_handlers.ts");
        }
      }

      const later = await crowdOf(running, CLIENTS);
      const [[fresh, clients]] = later;
      assertEquals(later.size, 1, `${way}: the new worker has the fewest`);
      assert(fresh !== lost && !crowd.has(fresh), `${way}: it is a new worker`);
      crowd.set(fresh, clients);
      for (const victim of victims) victim.close();
    }
    assertEquals(reports.left, 0);
    for (const clients of crowd.values()) for (const c of clients) c.close();
  },
);

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

workerTest(
  "A module that ends its worker costs each request a worker, and nothing hangs",
  async () => {
    await using running = start(DiesAtLoad);
    for (let i = 0; i < 2; i++) {
      assertEquals(await running.ask("hello?"), "");
      const { error } = await running.reports.next();
      assertStringIncludes(error.message, "it ended itself");
    }
  },
);
