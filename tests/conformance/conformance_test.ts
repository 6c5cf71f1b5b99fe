/**
 * The same scenarios with CPython and with this module, and with a client of the one and a server of the
 * other: the transcripts are the same.
 */

import { assertEquals } from "../deps.ts";
import { crosses, crossRuns } from "./crossing.ts";
import { assertSame, DIFFERENCES } from "./differences.ts";
import { Python, run } from "./runners.ts";
import type { Transport } from "./scenario.ts";
import { Servers } from "./served.ts";
import { GROUPS } from "./scenarios/mod.ts";
import { ready } from "./setup.ts";

/** Milliseconds for all scenarios, which share a process of CPython and the servers with workers and children. */
const LIMIT = 600_000;

Deno.test({
  name: "conformance: the scenarios have the transcripts of CPython",
  ignore: !ready,
  timeout: LIMIT,
  async fn(t) {
    await using python = new Python();
    await using servers = new Servers();
    const missing = new Set(Object.keys(DIFFERENCES));
    for (const [group, scenarios] of Object.entries(GROUPS)) {
      await t.step(`conformance: ${group}`, async (t) => {
        for (const scenario of scenarios) {
          await t.step(scenario.name, async (t) => {
            const theirs = await python.run(scenario);
            const ours = await run(scenario, servers);
            const shown = assertSame(theirs, ours, scenario.differs);
            for (const row of scenario.differs ?? []) {
              assertEquals(shown.has(row), true, `${row} does not differ`);
            }
            for (const row of shown) missing.delete(row);
            if (!crosses(scenario)) return;
            const runs = crossRuns(scenario, python, servers);
            for (const [sides, cross] of Object.entries(runs)) {
              await t.step(sides, async () => {
                assertSame(theirs, await cross(), scenario.differs);
              });
            }
          });
        }
      });
    }
    await t.step("each difference shows in a scenario", () => {
      assertEquals([...missing], []);
    });
  },
});

Deno.test("conformance: every transport and every way to run has cross runs", () => {
  const transports: Transport[] = [
    "TCPServer",
    "TLSServer",
    "UDPServer",
    "UnixStreamServer",
    "UnixDatagramServer",
  ];
  const crossing = Object.values(GROUPS).flat().filter(crosses);
  const ways = (transport: Transport) =>
    new Set(
      crossing.filter(({ server }) => server.transport === transport)
        .map(({ server }) => server.way),
    ).size;
  assertEquals(transports.map(ways), [4, 4, 4, 4, 4]);
});

Deno.test({
  name: "docs/differences.md has a row for each difference",
  ignore: !ready,
  async fn() {
    const docs = new URL("../../docs/differences.md", import.meta.url);
    const rows = (await Deno.readTextFile(docs)).matchAll(/^\| `([\w-]+)`/gm);
    assertEquals(
      Array.from(rows, ([, name]) => name).sort(),
      Object.keys(DIFFERENCES).sort(),
    );
  },
});
