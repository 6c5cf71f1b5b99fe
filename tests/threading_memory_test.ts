import type { Socket } from "../mod.ts";
import { assertEquals, assertLess } from "./deps.ts";
import { Download } from "./testdata/handlers.ts";
import { SlowReader } from "./testdata/threading_handlers.ts";
import { readText, start, workerTest } from "./threading_helpers.ts";

const MiB = 1 << 20;
const CLIENTS = 64;
/** Through all connections together; with --allow-env, TOTAL_MIB says another number. */
const TOTAL = MiB * totalMiB();
/** What the process may grow by: 64 windows in each direction are 16 MiB, the rest is for the collector. */
const GROWTH_MAX = 160 * MiB;

function totalMiB(): number {
  const { state } = Deno.permissions.querySync({
    name: "env",
    variable: "TOTAL_MIB",
  });
  return Number(state === "granted" && Deno.env.get("TOTAL_MIB") || 256);
}

async function drain(client: Socket, buffer: Uint8Array): Promise<number> {
  let total = 0;
  for (;;) {
    const count = await client.recvInto(buffer);
    if (count === 0) return total;
    total += count;
  }
}

workerTest(
  "ThreadingTCPServer keeps little of what slow clients do not read",
  async () => {
    await using running = start(Download);
    const clients = await Promise.all(
      Array.from({ length: CLIENTS }, () => running.connect()),
    );
    const before = Deno.memoryUsage().rss;
    const line = new TextEncoder().encode(`${TOTAL / CLIENTS}\n`);
    await Promise.all(clients.map((client) => client.sendall(line)));
    let peak = 0;
    const watch = setInterval(
      () => peak = Math.max(peak, Deno.memoryUsage().rss - before),
      20,
    );
    // All have begun and none reads on: what the handlers send piles up, as far as it may.
    await Promise.all(clients.map((client) => readText(client, 1)));
    await Promise.all(clients.map(async (client, i) => {
      if (i % 2 === 1) await new Promise((resolve) => setTimeout(resolve, 200)); // half of them are slow
      assertEquals(
        await drain(client, new Uint8Array(65536)),
        TOTAL / CLIENTS - 1,
      );
      client.close();
    }));
    clearInterval(watch);
    assertLess(peak, GROWTH_MAX);
    assertEquals(running.reports.left, 0);
  },
);

workerTest(
  "ThreadingTCPServer keeps little of what slow handlers do not read",
  async () => {
    const gate = new Int32Array(new SharedArrayBuffer(4));
    await using running = start(SlowReader, { shared: gate });
    const clients = await Promise.all(
      Array.from({ length: CLIENTS }, () => running.connect()),
    );
    const before = Deno.memoryUsage().rss;
    const piece = new Uint8Array(65536);
    const size = TOTAL / CLIENTS;
    let peak = 0;
    const watch = setInterval(
      () => peak = Math.max(peak, Deno.memoryUsage().rss - before),
      20,
    );
    const sent = clients.map(async (client) => {
      for (let count = 0; count < size; count += piece.length) {
        await client.sendall(piece);
      }
      await client.shutdown(1);
    });
    await new Promise((resolve) => setTimeout(resolve, 200)); // what is sent piles up, as far as it may
    Atomics.store(gate, 0, 1);
    Atomics.notify(gate, 0);
    await Promise.all(sent);
    for (const client of clients) {
      assertEquals(await readText(client, 20), `${size}\n`);
      client.close();
    }
    clearInterval(watch);
    assertLess(peak, GROWTH_MAX);
    assertEquals(running.reports.left, 0);
  },
);
