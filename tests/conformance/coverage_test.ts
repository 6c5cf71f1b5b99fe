/** Whether the scenarios exercise everything that has the same name here as in docs/porting.md. */

import { assertEquals } from "../deps.ts";
import { readable, readTable } from "../project/porting_table.ts";
import type { Scenario } from "./scenario.ts";
import { camel } from "./world.ts";
import { GROUPS } from "./scenarios/mod.ts";

const SCENARIOS = Object.values(GROUPS).flat();

/** The names that a scenario uses, in Python's spelling. */
function namesOf({ server, steps }: Scenario): string[] {
  const handler = server?.handler;
  const scripts = [
    steps,
    handler?.setup ?? [],
    handler?.handle ?? [],
    handler?.finish ?? [],
  ];
  return [
    ...scripts.flat().map(([what]) => /(\w+)\??$/.exec(what)![1]),
    ...Object.keys({ ...server?.attrs, ...server?.hooks, ...handler?.attrs }),
    ...Object.keys(handler ?? {}),
    ...handler ? [handler.base] : [],
    ...server
      ? [server.transport, server.way + server.transport, `${server.way}MixIn`]
      : [],
    ...server && !server.manual ? ["BaseServer", "serve_forever"] : [],
  ];
}

const last = (name = "") => name.split(".").at(-1)!;

const SECTIONS = [
  "The socket object",
  "Functions of `socket`",
  "Servers",
  "Mix-ins",
  "Handlers",
];

for (const section of SECTIONS) {
  Deno.test({
    name: `conformance: scenarios for each name of "${section}"`,
    ignore: !readable,
    async fn() {
      const used = new Set(SCENARIOS.flatMap(namesOf));
      const missing = (await readTable())
        .filter((row) => row.section === section)
        .filter((row) => !row.python.includes("warnings.")) // not of sockets, and CPython has not got the warning
        .map((row) => [last(row.python), last(row.here)] as const)
        .filter(([python, here]) => here === camel(python))
        .map(([python]) => python)
        .filter((name) => !used.has(name));
      assertEquals(missing, []);
    },
  });
}
