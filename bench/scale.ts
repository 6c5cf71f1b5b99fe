/**
 * Runs servers on 1 to all processors, with the load generators on the others, for each way to run.
 *
 *     deno run -A bench/scale.ts           # measures, in some minutes, and writes scale.json, the curves and the page
 *     deno run -A bench/scale.ts connect   # only one of the loads: echo, work, connect
 *     deno run -A bench/scale.ts --page    # draws the curves and writes the page again
 *     deno run -A bench/scale.ts --smoke   # runs each once, to see that it works
 *
 * @module
 */

import { readFigures } from "./capacity.ts";
import { compare, type Comparison, type Load } from "./measure.ts";
import { ours } from "./peers.ts";
import { placement, steps } from "./placement.ts";
import { FULL, type Plan, SMOKE } from "./plan.ts";
import { say } from "./progress.ts";
import { type Point, readScale, writeScale } from "./scale_figures.ts";
import { scaleTable, writeScalePage } from "./scale_page.ts";
import { outcomeTable } from "./tables.ts";
import { removeFolder } from "./tools.ts";

/** The ways to run: the class, and its options for so many processors. */
export const WAYS: Record<
  string,
  { server: string; options: (processors: number) => Record<string, unknown> }
> = {
  "AsyncTCPServer": { server: "AsyncTCPServer", options: () => ({}) },
  "ThreadingTCPServer": {
    server: "ThreadingTCPServer",
    options: (processors) => ({ maxWorkers: processors }),
  },
  "ThreadingTCPServer, acceptIn workers": {
    server: "ThreadingTCPServer",
    options: (processors) => ({ acceptIn: "workers", maxWorkers: processors }),
  },
  "ForkingTCPServer": {
    server: "ForkingTCPServer",
    options: (processors) => ({ maxChildren: processors }),
  },
  "ForkingTCPServer, acceptIn children": {
    server: "ForkingTCPServer",
    options: (processors) => ({
      acceptIn: "children",
      maxChildren: processors + 1,
    }),
  },
};

/** A load: its name in tables, the handler, what is counted, and the load of each generator. */
interface LoadKind {
  name: string;
  handler: string;
  unit: string;
  load: Load;
}

/** The loads, by their names on the command line. */
const LOADS: Record<string, LoadKind> = {
  echo: {
    name: "echo",
    handler: "Echo",
    unit: "requests/s",
    load: ["echo", 64, 64, 1],
  },
  work: {
    name: "echo, 100 µs of work",
    handler: "Work",
    unit: "requests/s",
    load: ["echo", 64, 64, 1],
  },
  connect: {
    name: "connect, echo, close",
    handler: "Echo",
    unit: "connections/s",
    load: ["connect", 16, 64],
  },
};

/** By how many times a round is longer than those of other benchmarks: workers and children need to find their pace. */
const LONGER = 2;

/** All ways under a load, on so many processors. */
function comparison(kind: LoadKind, processors: number): Comparison {
  const { name: title, handler, unit, load } = kind;
  const contenders = Object.entries(WAYS).map(([name, { server, options }]) => [
    name,
    ours(server, handler, JSON.stringify(options(processors))),
  ]);
  const { shared } = placement(processors);
  const with_ = shared ? "shared with the load" : "beside those of the load";
  return {
    title: `${title}, on ${processors} processors ${with_}`,
    unit,
    load,
    longer: LONGER,
    processors,
    contenders: Object.fromEntries(contenders),
  };
}

/** Measures loads on each of some counts of processors. */
async function measure(
  loads: string[],
  counts: number[],
  plan: Plan,
): Promise<Point[]> {
  const points: Point[] = [];
  for (const kind of loads.map((load) => LOADS[load])) {
    for (const processors of counts) {
      const found = await compare(comparison(kind, processors), plan);
      say(outcomeTable({ ...found, command: "" }));
      const { shared } = placement(processors);
      for (const [way, measured] of Object.entries(found.contenders)) {
        const { median, busy, cost } = measured;
        const load = kind.name;
        points.push({ load, way, processors, shared, median, busy, cost });
      }
    }
  }
  return points;
}

/** Runs each way once, on all processors, under the load that the other benchmarks do not have for all of them. */
export async function smoke(plan: Plan = SMOKE): Promise<void> {
  await measure(["connect"], [navigator.hardwareConcurrency], plan);
}

async function record(loads: string[]): Promise<void> {
  writeScale(await measure(loads, steps(), { ...FULL, warmUp: 2 }));
}

async function main(): Promise<void> {
  if (Deno.args.includes("--smoke")) return await smoke();
  const named = Deno.args.filter((arg) => arg in LOADS);
  const loads = named.length > 0 ? named : Object.keys(LOADS);
  if (!Deno.args.includes("--page")) await record(loads);
  const scale = readScale();
  const { drawScale } = await import("./scale_plot.ts"); // with its libraries from npm
  await drawScale(scale, readFigures());
  await writeScalePage(scale);
  say(scaleTable(scale));
}

if (import.meta.main) {
  try {
    await main();
  } finally {
    removeFolder();
  }
}
