/**
 * Measures the module against its peers.
 *
 *     deno task bench [names...] [--check | --smoke | --page] [--rounds=15] [--seconds=0.2]
 *
 * @module
 */

import { readFigures, writeCapacity } from "./capacity.ts";
import { comparisons } from "./comparisons.ts";
import {
  idle,
  idleNeighbour,
  idleQuiet,
  idleSettled,
  idleWays,
} from "./idle.ts";
import { compare } from "./measure.ts";
import { writePage } from "./pages.ts";
import { FULL, type Plan, SHORT, SMOKE } from "./plan.ts";
import { say } from "./progress.ts";
import { type Outcome, readResults, record, type Results } from "./results.ts";
import { smoke as smokeScale } from "./scale.ts";
import { ServerPool } from "./server_pool.ts";
import { startup } from "./startup.ts";
import { outcomeTable, verdictTable } from "./tables.ts";
import { TARGETS } from "./targets.ts";
import { tlsBenchmarks } from "./tls.ts";
import { Missing, program, removeFolder, temporaryFolder } from "./tools.ts";
import { describe, fallen, judge, reached } from "./verdicts.ts";

type Run = (plan: Plan) => Promise<Omit<Outcome, "command">>;

/** All benchmarks by name, in the order in which they run. */
function benchmarks(): Map<string, Run> {
  const path = `${temporaryFolder()}/file`;
  const all = new Map<string, Run>();
  for (const [name, comparison] of Object.entries(comparisons(path))) {
    all.set(name, (plan) => compare(comparison, plan));
  }
  all.set("sendfile", async (plan) => {
    await using file = await fileOf(path, plan.fileMiB);
    return await compare(comparisons(file.path).sendfile, plan);
  });
  all.set("idle", idle);
  all.set("idle-settled", idleSettled);
  all.set("idle-ways", idleWays);
  all.set("idle-quiet", idleQuiet);
  all.set("idle-neighbour", idleNeighbour);
  for (const [name, run] of tlsBenchmarks()) all.set(name, run);
  all.set("import", startup);
  return all;
}

/** A file of zeros, for as long as it is needed. */
async function fileOf(path: string, mib: number) {
  await Deno.create(path).then((file) => file.close());
  await Deno.truncate(path, mib * 1024 * 1024);
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path) };
}

/** Runs benchmarks, one after the other. */
async function run(
  names: Iterable<string>,
  plan: (name: string) => Plan,
): Promise<Results> {
  const all = benchmarks();
  const results: Results = {};
  for (const name of names) {
    say(`== ${name}`);
    const from = performance.now();
    const found = await all.get(name)!(plan(name));
    const command = `deno task bench ${name}`;
    results[name] = { ...found, command };
    const seconds = (performance.now() - from) / 1000;
    say(`${outcomeTable(results[name])}\n  took ${seconds.toFixed(0)} s`);
  }
  return results;
}

/** A plan for the contenders that a benchmark's targets name: the guard needs no others. */
function needed(plan: Plan): (name: string) => Plan {
  return (name) => {
    const targets = TARGETS.filter(({ benchmark }) => benchmark === name);
    const named = targets.flatMap(({ of, against = of }) => [of, against]);
    return { ...plan, only: new Set(named) };
  };
}

/** The guard: whether each figure is where the recorded one is; what fell is measured again in full. */
async function check(names: string[]): Promise<boolean> {
  const before = readResults();
  const wanted = names.filter((name) => name in before);
  const now = await run(wanted, needed(SHORT));
  const again = new Set(fallen(TARGETS, before, now).map((t) => t.benchmark));
  Object.assign(now, await run(again, needed(FULL)));
  const worse = fallen(TARGETS, before, now);
  for (const target of worse) {
    const was = reached(target, before)!.toFixed(2);
    const is = reached(target, now)!.toFixed(2);
    say(`FELL ${describe(target)}: recorded ${was}, now ${is}`);
  }
  say(`${wanted.length} benchmarks, ${worse.length} figures fell`);
  return worse.length === 0;
}

/** Draws the plots and writes the pages from what is recorded. */
async function publish(): Promise<void> {
  const all = readResults();
  const { draw } = await import("./plot.ts"); // with its libraries from npm
  await draw(all);
  await writePage(all);
  await writeCapacity(readFigures(), all);
}

/** Measures, records, and prints what was reached. */
async function measure(names: string[], plan: Plan): Promise<boolean> {
  for (const name of names) record(await run([name], () => plan));
  await publish();
  const all = readResults();
  say(verdictTable(
    TARGETS.filter(({ benchmark }) => names.includes(benchmark))
      .map((target) => judge(target, all)),
  ));
  return true;
}

/**
 * Runs each once, to see that it works; without names also `scale.ts`. A server of several benchmarks is started once.
 */
async function smoke(names: string[], all: boolean): Promise<boolean> {
  await using pool = new ServerPool();
  const plan = { ...SMOKE, pool };
  await run(names, () => plan);
  if (all) await smokeScale(plan);
  return true;
}

function names(args: string[]): string[] {
  const all = [...benchmarks().keys()];
  const unknown = args.find((name) => !all.includes(name));
  if (unknown !== undefined) {
    say(`No benchmark "${unknown}"; there are: ${all.join(", ")}`);
    Deno.exit(2);
  }
  return args.length > 0 ? args : all;
}

function number(flags: string[], name: string): number | undefined {
  const flag = flags.find((flag) => flag.startsWith(name));
  return flag === undefined ? undefined : Number(flag.slice(name.length));
}

/** The mode, the plan and the names that arguments ask for. */
async function main(args: string[]): Promise<boolean> {
  const flags = args.filter((arg) => arg.startsWith("--"));
  const wanted = names(args.filter((arg) => !arg.startsWith("--")));
  if (flags.includes("--page")) {
    await publish();
    return true;
  }
  const plan = {
    ...FULL,
    rounds: number(flags, "--rounds=") ?? FULL.rounds,
    seconds: number(flags, "--seconds=") ?? FULL.seconds,
  };
  try {
    await program("cc");
  } catch (error) {
    if (!(error instanceof Missing)) throw error;
    say("No C compiler (cc), so no load generator: nothing is measured");
    return flags.includes("--smoke");
  }
  if (flags.includes("--smoke")) {
    return await smoke(wanted, flags.length === args.length);
  }
  if (flags.includes("--check")) return await check(wanted);
  return await measure(wanted, plan);
}

if (import.meta.main) {
  let good = false;
  try {
    good = await main(Deno.args);
  } finally {
    removeFolder();
  }
  Deno.exit(good ? 0 : 1);
}
