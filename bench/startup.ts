/**
 * Measures the start of a program that imports the module, and of an empty program in Deno, Node and Bun.
 *
 * @module
 */

import type { Plan } from "./plan.ts";
import { progress } from "./progress.ts";
import { measured, type Outcome } from "./results.ts";
import { Missing, pinned, program, temporaryFolder } from "./tools.ts";

/** Programs are quick: three of them for each round, if there are several. */
const TIMES = 3;

/** The programs, and what runs each. */
const PROGRAMS: Record<string, { text: string; runner: string[] }> = {
  "mod.ts": {
    text: `import ${JSON.stringify(import.meta.resolve("../mod.ts"))};\n`,
    runner: ["deno", "run", "--no-check"],
  },
  "empty program": { text: "", runner: ["deno", "run", "--no-check"] },
  "empty program in Node": { text: "", runner: ["node"] },
  "empty program in Bun": { text: "", runner: ["bun"] },
};

/** Measures it. */
export async function startup(plan: Plan): Promise<Omit<Outcome, "command">> {
  const commands = new Map<string, string[]>();
  const skipped: Record<string, string> = {};
  for (const [name, { text, runner }] of Object.entries(PROGRAMS)) {
    if (plan.only && !plan.only.has(name)) continue;
    const file = `${temporaryFolder()}/${name.replaceAll(/\W/g, "_")}.mjs`;
    Deno.writeTextFileSync(file, text);
    try {
      const [command, ...args] = runner;
      commands.set(name, [await program(command), ...args, file]);
    } catch (error) {
      if (!(error instanceof Missing)) throw error;
      skipped[name] = error.message;
    }
  }
  const times = plan.rounds > 1 ? plan.rounds * TIMES : 1;
  const contenders = await rounds(commands, times, plan.warmUp > 0);
  return {
    title: "Start of a program that imports the module",
    unit: "ms",
    contenders,
    skipped,
  };
}

async function rounds(
  commands: Map<string, string[]>,
  count: number,
  warmUp: boolean,
): Promise<Outcome["contenders"]> {
  const values: Record<string, number[]> = {};
  for (let round = warmUp ? -1 : 0; round < count; round++) {
    for (const [name, command] of commands) {
      progress(`round ${round + 1} of ${count}: ${name}`);
      const ms = await run(command);
      if (round >= 0) (values[name] ??= []).push(ms); // the first compiles
    }
  }
  return Object.fromEntries(
    Object.entries(values).map(([name, all]) => [name, measured(all)]),
  );
}

/** Milliseconds that a command takes. */
async function run(given: string[]): Promise<number> {
  const [command, ...args] = [...await pinned(0), ...given];
  const from = performance.now();
  const { success } = await new Deno.Command(command, { args }).output();
  if (!success) throw new Error(`Cannot run ${given.join(" ")}`);
  return performance.now() - from;
}
