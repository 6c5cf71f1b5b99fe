/**
 * Random scenarios with CPython and with this module: the transcripts are the same. What differs is
 * shrunk, and printed with its seed; `FUZZ_SEED` gives a seed, `FUZZ_RUNS` how many times as many runs,
 * with a new seed each time.
 */

import fc from "fast-check";
import { fuzz } from "../helpers/fuzz.ts";
import { assertSame } from "./differences.ts";
import { answers, conversations } from "./random/conversations.ts";
import { datagrams } from "./random/datagrams.ts";
import { streams } from "./random/streams.ts";
import { Python, run } from "./runners.ts";
import type { Scenario } from "./scenario.ts";
import { Servers } from "./served.ts";
import { ready } from "./setup.ts";

const GROUPS: Record<string, [runs: number, fc.Arbitrary<Scenario>]> = {
  "connected streams": [600, streams],
  datagrams: [250, datagrams],
  "conversations with a server": [100, conversations],
  "datagrams that a server answers": [50, answers],
};

Deno.test({
  name: "random scenarios have the transcripts of CPython",
  ignore: !ready,
  timeout: 600_000, // the groups share a process of CPython and the servers with workers and children
  async fn(t) {
    await using python = new Python();
    await using servers = new Servers();
    const same = async (scenario: Scenario) => {
      const theirs = await python.run(scenario);
      const ours = await run(scenario, servers);
      assertSame(theirs, ours, scenario.differs);
    };
    for (const [name, [runs, scenarios]] of Object.entries(GROUPS)) {
      await t.step(name, async () => {
        await fuzz(name, runs, fc.asyncProperty(scenarios, same));
      });
    }
  },
});
