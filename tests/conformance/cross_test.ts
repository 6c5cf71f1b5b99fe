/**
 * Cross runs: the scenarios with a server, this module's client with CPython's server and the other
 * way round. The transcripts are those of CPython with itself.
 */

import type { Address } from "../../mod.ts";
import { assertEquals } from "../deps.ts";
import { compare } from "./differences.ts";
import { Python, serveHere, talk } from "./runners.ts";
import type { Scenario, ServerSpec, Step, Transport } from "./scenario.ts";
import { Servers } from "./served.ts";
import { GROUPS } from "./scenarios/mod.ts";
import { ready } from "./setup.ts";

const TRANSPORTS: Transport[] = [
  "TCPServer",
  "TLSServer",
  "UDPServer",
  "UnixStreamServer",
  "UnixDatagramServer",
];

type Served = Scenario & { server: ServerSpec };
type Serve = (
  spec: ServerSpec,
) => Promise<{ address: Address; close(): Promise<string[]> }>;
type Talk = (steps: Step[], address: Address) => Promise<string[]>;

/** The scenarios of a transport whose steps are a client's only, and call no method of the server. */
function crossing(transport: Transport): Served[] {
  return Object.values(GROUPS).flat().filter((scenario): scenario is Served =>
    scenario.server?.transport === transport && !scenario.server.manual &&
    !scenario.steps.some(([what]) => what.includes("server."))
  );
}

for (const transport of TRANSPORTS) {
  const scenarios = crossing(transport);
  Deno.test({
    name: `cross runs: ${transport}`,
    ignore: !ready,
    async fn(t) {
      await using python = new Python();
      await using servers = new Servers();
      const serveThere: Serve = (spec) => python.serve(spec);
      const talkThere: Talk = (steps, address) => python.talk(steps, address);
      for (const scenario of scenarios) {
        const theirs = await python.run(scenario);
        const check = async (serve: Serve, talk: Talk) => {
          const found = await cross(scenario, serve, talk);
          const { wrong } = compare(theirs, found, scenario.differs);
          if (wrong.length > 0) assertEquals(found, theirs); // shows both
        };
        await t.step(
          `our client, CPython's server: ${scenario.name}`,
          () => check(serveThere, talk),
        );
        await t.step(
          `CPython's client, our server: ${scenario.name}`,
          () => check((spec) => serveHere(spec, servers), talkThere),
        );
      }
    },
  });
}

async function cross(
  { server, steps }: Served,
  serve: Serve,
  talk: Talk,
): Promise<string[]> {
  const served = await serve(server);
  const lines = await talk(steps, served.address);
  return [...lines, ...await served.close()];
}

Deno.test("cross runs: every transport and every way to run has some", () => {
  const ways = (transport: Transport) =>
    new Set(crossing(transport).map(({ server }) => server.way)).size;
  assertEquals(TRANSPORTS.map(ways), [4, 4, 4, 4, 4]);
});
