/** The same scenarios with CPython and with this module: the transcripts are the same. */

import { assertEquals } from "../deps.ts";
import { compare, DIFFERENCES } from "./differences.ts";
import { Python, run } from "./runners.ts";
import type { Scenario } from "./scenario.ts";
import { Servers } from "./served.ts";
import { GROUPS } from "./scenarios/mod.ts";
import { ready } from "./setup.ts";

for (const [group, scenarios] of Object.entries(GROUPS)) {
  Deno.test({
    name: `conformance: ${group}`,
    ignore: !ready,
    async fn(t) {
      await using python = new Python();
      await using servers = new Servers();
      for (const scenario of scenarios) {
        await t.step(scenario.name, () => check(python, servers, scenario));
      }
    },
  });
}

async function check(
  python: Python,
  servers: Servers,
  scenario: Scenario,
): Promise<void> {
  const theirs = await python.run(scenario);
  const ours = await run(scenario, servers);
  const { wrong, shown: here } = compare(theirs, ours, scenario.differs);
  if (wrong.length > 0) assertEquals(ours, theirs); // shows both
  for (const row of scenario.differs ?? []) {
    assertEquals(here.has(row), true, `${row} does not differ`);
  }
}

Deno.test({
  name: "conformance: each difference shows in a scenario",
  ignore: !ready,
  async fn() {
    await using python = new Python();
    await using servers = new Servers();
    const missing = new Set(Object.keys(DIFFERENCES));
    for (const scenario of Object.values(GROUPS).flat()) {
      for (const row of scenario.differs ?? []) missing.delete(row); // `check` looks at these
    }
    for (const scenario of Object.values(GROUPS).flat()) { // until the others have shown
      if (missing.size === 0) break;
      const theirs = await python.run(scenario);
      const ours = await run(scenario, servers);
      const { shown } = compare(theirs, ours, scenario.differs);
      for (const row of shown) missing.delete(row);
    }
    assertEquals([...missing], []);
  },
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
