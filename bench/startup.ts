/**
 * What an import costs: the time of a program that imports the module, beside an empty one; and what is
 * loaded that only some programs use.
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

/** What of `deno info --json` is used. */
export interface Graph {
  /** Where it begins. */
  roots: string[];
  /** All modules. */
  modules: { specifier: string; dependencies?: Dependency[] }[];
}

interface Dependency {
  code?: { specifier: string };
  isDynamic?: boolean;
}

/** The graph of the modules that a file imports. */
export async function graph(url: string): Promise<Graph> {
  const { stdout } = await new Deno.Command(await program("deno"), {
    args: ["info", "--json", url],
  }).output();
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** The rooms that only some programs use, each of which is entered by one module. */
const ROOMS = ["_threads", "_processes", "_tls", "_telemetry"];

/** The modules that a graph loads at once: all but those that are imported dynamically. */
export function loaded({ roots, modules }: Graph): Set<string> {
  const found = new Set(roots);
  const bySpecifier = new Map(modules.map((m) => [m.specifier, m]));
  for (const specifier of found) { // the set grows while it is walked
    for (const each of bySpecifier.get(specifier)?.dependencies ?? []) {
      if (each.code && !each.isDynamic) found.add(each.code.specifier);
    }
  }
  return found;
}

/** Counts the modules of each room that an import of `mod.ts` loads. */
export async function modules(): Promise<Omit<Outcome, "command">> {
  const all = [...loaded(await graph(import.meta.resolve("../mod.ts")))];
  const count = (room: string) =>
    all.filter((specifier) => specifier.includes(`/${room}/`)).length;
  return {
    title: "Modules that an import loads, of rooms that not all programs use",
    unit: "modules",
    contenders: Object.fromEntries(
      ROOMS.map((room) => [room, measured([count(room)])]),
    ),
    skipped: {},
  };
}
