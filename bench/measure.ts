/**
 * Measures servers side by side: all are started, and each round loads one after the other.
 *
 * @module
 */

import { longer, type Plan } from "./plan.ts";
import { placement } from "./placement.ts";
import { progress } from "./progress.ts";
import { measured, type Outcome } from "./results.ts";
import { startServer } from "./server_pool.ts";
import type { Command, ServerProcess } from "./server_process.ts";
import { sum } from "./statistics.ts";
import { Missing, pinned, program } from "./tools.ts";

/** The load: a program of `load/`, and its arguments between the port and the seconds. */
export type Load = readonly [program: string, ...args: number[]];

/** A server in a comparison. */
export interface Contender {
  /** Its command. */
  server: Command;
  /** Its load, where that is not the benchmark's. */
  load?: Load;
}

/** A comparison by load. */
export interface Comparison {
  /** What is measured. */
  title: string;
  /** Of what the values are. */
  unit: string;
  /** The load. */
  load: Load;
  /** Counts by which each request counts, such as lines; 1 where it says nothing. */
  times?: number;
  /** By how many times its rounds are longer than others, and fewer; 1 where it says nothing. */
  longer?: number;
  /**
   * The processors of each server. The load has as many others, with a generator on each; where too few are left, all
   * share all. @default 1
   */
  processors?: number;
  /** The servers by name, in the order of the tables. */
  contenders: Record<string, Contender>;
  /** What to do with each server before the first round. */
  before?: (name: string, server: ServerProcess) => Promise<void>;
}

/** How much longer a server is asked that has answered nothing: a busy machine may give it no time in a short round. */
const PATIENCE_SECONDS = 2;

/** What one run of a load generator says. */
interface Sample {
  count: number;
  seconds: number;
  busy: number;
}

/** A round of one server. */
interface Round extends Sample {
  /** Processor time of the server, in seconds. */
  processor: number;
}

/**
 * Runs a comparison.
 *
 * @param comparison What to compare.
 * @param plan How long.
 */
export async function compare(
  comparison: Comparison,
  plan: Plan,
): Promise<Omit<Outcome, "command">> {
  await using servers = new AsyncDisposableStack();
  const running = new Map<string, ServerProcess>();
  const skipped: Record<string, string> = {};
  const placed = placement(comparison.processors ?? 1);
  for (const [name, contender] of Object.entries(comparison.contenders)) {
    if (plan.only && !plan.only.has(name)) continue;
    const { server, load = comparison.load } = contender;
    try {
      await program(`load/${load[0]}.c`);
      const started = await startServer(
        server,
        placed.server,
        servers,
        plan.pool,
      );
      running.set(name, started);
      await comparison.before?.(name, started);
    } catch (error) {
      if (!(error instanceof Missing)) throw error;
      skipped[name] = error.message;
    }
  }
  const own = longer(plan, comparison.longer ?? 1);
  const samples = await rounds(comparison, own, running);
  const { title, unit } = comparison;
  return { title, unit, skipped, contenders: summary(samples, running) };
}

async function rounds(
  comparison: Comparison,
  plan: Plan,
  running: Map<string, ServerProcess>,
): Promise<Map<string, Round[]>> {
  const samples = new Map<string, Round[]>();
  const names = [...running.keys()];
  for (const name of names) samples.set(name, []);
  for (let round = plan.warmUp > 0 ? -1 : 0; round < plan.rounds; round++) {
    const seconds = round < 0 ? plan.warmUp : plan.seconds;
    for (const name of shuffled(names, round)) {
      progress(`round ${round + 1} of ${plan.rounds}: ${name}`);
      const server = running.get(name)!;
      const sample = await apply(comparison, name, server, plan, seconds);
      if (round >= 0) samples.get(name)!.push(sample);
      await server.quiet();
    }
  }
  return samples;
}

/** The names in another order each round, so that none always follows the same; the same orders in each run. */
function shuffled(names: string[], round: number): string[] {
  let state = round + 2;
  const random = () => (state = state * 48271 % 2147483647) / 2147483647; // Park and Miller, 1993
  for (let i = 0; i < 8; i++) random(); // the first ones tell the seed
  return names.map((name) => ({ name, key: random() }))
    .sort((a, b) => a.key - b.key).map(({ name }) => name);
}

async function apply(
  { load, contenders, processors = 1, times = 1 }: Comparison,
  name: string,
  server: ServerProcess,
  plan: Plan,
  seconds: number,
): Promise<Round> {
  const chosen = contenders[name].load ?? load;
  const { generators } = placement(processors);
  const before = server.processorSeconds;
  const run = async (seconds: number) =>
    together(
      await Promise.all(generators.map(async (own) =>
        await runLoad(await pinned(...own), chosen, server.port, plan, seconds)
      )),
    );
  let sample = await run(seconds);
  if (sample.count === 0) sample = await run(seconds + PATIENCE_SECONDS);
  if (!(sample.count > 0)) throw new Error(`${name} answered nothing`);
  const processor = server.processorSeconds - before;
  return { ...sample, count: sample.count * times, processor };
}

/** What several load generators say of the same time: their rates add up. The busiest tells whether they are the limit. */
function together(samples: Sample[]): Sample {
  const count = sum(samples.map(({ count }) => count));
  const rate = sum(samples.map(({ count, seconds }) => count / seconds));
  const busy = Math.max(...samples.map(({ busy }) => busy));
  return { count, seconds: count === 0 ? 0 : count / rate, busy };
}

async function runLoad(
  pin: string[],
  [name, connections, ...rest]: Load,
  port: number,
  plan: Plan,
  seconds: number,
): Promise<Sample> {
  const limited = connections === undefined
    ? []
    : [Math.min(connections, plan.connections)];
  const [command, ...args] = [
    ...pin,
    await program(`load/${name}.c`),
    ...[port, ...limited, ...rest, seconds].map(String),
  ];
  const { success, stdout } = await new Deno.Command(command, {
    args,
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`The load generator ${name} failed`);
  return JSON.parse(new TextDecoder().decode(stdout));
}

function summary(
  samples: Map<string, Round[]>,
  running: Map<string, ServerProcess>,
): Outcome["contenders"] {
  return Object.fromEntries(
    [...samples].map(([name, all]) => [
      name,
      measured(all.map(({ count, seconds }) => count / seconds), {
        busy: Math.max(...all.map(({ busy }) => busy)),
        cost: sum(all.map(({ processor }) => processor)) * 1e6 /
          sum(all.map(({ count }) => count)),
        memory: Number(running.get(name)!.grownMiB.toFixed(1)),
      }),
    ]),
  );
}
