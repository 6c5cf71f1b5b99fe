/**
 * What an import costs: the time of a program that imports the module, beside an empty one.
 *
 * @module
 */

import type { Plan } from "./plan.ts";
import { progress } from "./progress.ts";
import { measured, type Outcome } from "./results.ts";
import { pinned, program, temporaryFolder } from "./tools.ts";

/** Programs are quick: three of them for each round. */
const TIMES = 3;

/** Measures it. */
export async function startup(plan: Plan): Promise<Omit<Outcome, "command">> {
  const programs = {
    "mod.ts": `import ${JSON.stringify(import.meta.resolve("../mod.ts"))};\n`,
    "empty program": "export {};\n",
  };
  const values: Record<string, number[]> = {};
  const files = Object.entries(programs).map(([name, text]) => {
    const file = `${temporaryFolder()}/${name.replaceAll(/\W/g, "_")}.ts`;
    Deno.writeTextFileSync(file, text);
    return [name, file];
  });
  for (let round = -1; round < plan.rounds * TIMES; round++) {
    for (const [name, file] of files) {
      progress(`round ${round + 1} of ${plan.rounds * TIMES}: ${name}`);
      const ms = await run(file);
      if (round >= 0) (values[name] ??= []).push(ms); // the first compiles
    }
  }
  const all = Object.entries(values).map(([n, v]) => [n, measured(v)]);
  return {
    title: "Start of a program that imports the module",
    unit: "ms",
    contenders: Object.fromEntries(all),
    skipped: {},
  };
}

async function run(file: string): Promise<number> {
  const [command, ...args] = [
    ...await pinned(0),
    await program("deno"),
    ...["run", "--no-check", file],
  ];
  const from = performance.now();
  const { success } = await new Deno.Command(command, { args }).output();
  if (!success) throw new Error(`Cannot run ${file}`);
  return performance.now() - from;
}
