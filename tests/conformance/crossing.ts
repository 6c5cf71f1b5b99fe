/**
 * Cross runs: a scenario with a server, this module's client with CPython's server and the other way
 * round. The transcripts are those of CPython with itself.
 *
 * @module
 */

import type { Address } from "../../mod.ts";
import { type Python, serveHere, talk } from "./runners.ts";
import type { Scenario, ServerSpec, Step } from "./scenario.ts";
import type { Servers } from "./served.ts";

type Served = Scenario & { server: ServerSpec };
type Serve = (
  spec: ServerSpec,
) => Promise<{ address: Address; close(): Promise<string[]> }>;
type Talk = (steps: Step[], address: Address) => Promise<string[]>;

/** Whether the steps of a scenario are a client's only, and call no method of the server. */
export function crosses(scenario: Scenario): scenario is Served {
  return scenario.server !== undefined && !scenario.server.manual &&
    !scenario.steps.some(([what]) => what.includes("server."));
}

/** Returns the two cross runs of a scenario by their names. In each, one side runs in CPython. */
export function crossRuns(
  scenario: Served,
  python: Python,
  servers: Servers,
): Record<string, () => Promise<string[]>> {
  const serveThere: Serve = (spec) => python.serve(spec);
  const talkThere: Talk = (steps, address) => python.talk(steps, address);
  return {
    "our client, CPython's server": () => cross(scenario, serveThere, talk),
    "CPython's client, our server": () =>
      cross(scenario, (spec) => serveHere(spec, servers), talkThere),
  };
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
