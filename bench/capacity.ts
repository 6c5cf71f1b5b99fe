/**
 * The capacity of each way to run: from measured figures on paper, and by a simulation of threads and processors.
 *
 *     deno run -A bench/capacity.ts             # writes the tables of docs/operating.md and docs/scaling.md
 *     deno run -A bench/capacity.ts --measure   # measures the figures again, and writes them to capacity.json; of all
 *                                               # ways, or of those that are named
 *     deno run -A bench/capacity.ts --check     # compares the simulation with servers that run
 *
 * @module
 */

import {
  costs,
  type Figures,
  measureFigures,
  underLoad,
} from "./capacity_figures.ts";
import { fillIn } from "./pages.ts";
import { ours } from "./peers.ts";
import { type Command, ServerProcess } from "./server_process.ts";
import { type Outcome, readResults, type Results } from "./results.ts";
import { type Costs, simulate } from "./simulation.ts";
import { removeFolder } from "./tools.ts";

const file = new URL("capacity.json", import.meta.url);
const operating = "../docs/operating.md";
const scaling = "../docs/scaling.md";

/** The measured figures by way to run. */
export function readFigures(): Record<string, Figures> {
  return JSON.parse(Deno.readTextFileSync(file));
}

/** The servers whose handlers run on other threads or processes. */
const SPREADS = /^(Threading|Forking)/;

/** What each way costs, and what follows from that for a GiB and for a processor. */
export function costTable(figures: Record<string, Figures>): string {
  const rows = Object.entries(figures).map(([name, way]) => {
    const { baseMiB, connectionKiB, echo, connect } = way;
    const us = ({ mainUs, otherUs }: Costs) => mainUs + otherUs;
    return [
      `\`${name}\``,
      round(baseMiB),
      connectionKiB === null ? "-" : round(connectionKiB),
      connectionKiB === null
        ? "1"
        : round((1024 - baseMiB) * 1024 / connectionKiB),
      costText(echo),
      round(1e6 / us(echo)),
      costText(connect),
      round(1e6 / us(connect)),
    ];
  });
  return table([
    "",
    "MiB at rest",
    "KiB per connection",
    "connections per GiB",
    "µs per echo",
    "echoes/s per processor",
    "µs per connection",
    "connections/s per processor",
  ], rows);
}

/** The processors of the simulated machines. */
export const CORES = [1, 2, 4, 8, 16, 32];

/** The work of a handler, in microseconds. */
const WORK = [0, 100, 1000];

/** Requests per second by the number of processors, and the number at which more of them add little. */
export function scalingTable(figures: Record<string, Figures>): string {
  const rows: string[][] = [];
  const add = (name: string, load: string, costs: Costs, workUs: number) => {
    const rates = CORES.map((cores) => rateOf(name, costs, cores, workUs));
    rows.push([`\`${name}\``, load, ...rates.map(round), stopText(rates)]);
  };
  for (const [name, { echo, connect }] of Object.entries(figures)) {
    for (const work of WORK) {
      add(name, work === 0 ? "echo" : `echo, ${work} µs of work`, echo, work);
    }
    add(name, "connect, echo, close", connect, 0);
  }
  return table(["", "load", ...CORES.map(String), "stops at"], rows);
}

/** Simulates a way to run under as many clients as it needs. */
export function rateOf(
  name: string,
  costs: Costs,
  cores: number,
  workUs: number,
): number {
  const spreads = SPREADS.test(name);
  const all = { mainUs: costs.mainUs + costs.otherUs, otherUs: 0 }; // helpers of the engine take from the same processor
  const { rate } = simulate({
    ...spreads ? costs : all,
    cores,
    workers: spreads ? cores : 0,
    workUs,
    clients: name === "TCPServer" ? 1 : 16 * cores,
    requests: 5000,
  });
  return rate;
}

/** Returns the processors from which on twice as many make less than a third more. */
function stopText(rates: number[]): string {
  const at = rates.findIndex((rate, i) => rates[i + 1] < rate * 4 / 3);
  return at < 0 ? "-" : String(CORES[at]);
}

function costText({ mainUs, otherUs }: Costs): string {
  return otherUs < 1 ? round(mainUs) : `${round(mainUs)} + ${round(otherUs)}`;
}

/** Three significant digits. */
function round(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString("en");
}

function table(head: string[], rows: string[][]): string {
  return [head, head.map((_, i) => i === 0 ? "---" : "--:"), ...rows]
    .map((cells) => `| ${cells.join(" | ")} |\n`).join("");
}

/** A prediction, and what a server did. */
export interface Check {
  name: string;
  predicted: number;
  measured: number;
}

/**
 * Predicts the rates of `deno task bench threads-work`, in which two processors serve 64 clients and run them too. The
 * costs are those of the same run without work, and the work is what the costs of AsyncTCPServer grow by.
 */
export function predictions(
  figures: Record<string, Figures>,
  results: Results,
): Check[] {
  const [idle, working] = [results["threads"], results["threads-work"]];
  const cost = (outcome: Outcome, name: string) =>
    outcome.contenders[name].cost!;
  const workUs = cost(working, "AsyncTCPServer") - cost(idle, "AsyncTCPServer");
  const known = Object.entries(working.contenders)
    .filter(([name]) => name in figures);
  return known.map(([name, found]) => {
    const { mainUs, otherUs } = figures[name].echo;
    const part = mainUs / (mainUs + otherUs);
    const spreads = SPREADS.test(name);
    const { rate } = simulate({
      mainUs: cost(idle, name) * (spreads ? part : 1),
      otherUs: cost(idle, name) * (spreads ? 1 - part : 0),
      cores: 2,
      workers: spreads ? 2 : 0,
      workUs,
      clients: CLIENTS,
      clientUs: found.busy! * 1e6 / found.median,
    });
    return { name, predicted: rate, measured: found.median };
  });
}

/** The predictions beside the measurements. */
export function checkTable(checks: Check[]): string {
  const rows = checks.map(({ name, predicted, measured }) => [
    `\`${name}\``,
    round(predicted),
    round(measured),
    (predicted / measured).toFixed(2),
  ]);
  const head = [
    "",
    "predicted, requests/s",
    "measured",
    "predicted / measured",
  ];
  return table(head, rows);
}

/** Writes the tables of docs/operating.md and docs/scaling.md, and formats these. */
export async function writeCapacity(
  figures: Record<string, Figures>,
  results: Results,
): Promise<void> {
  fillIn(operating, { costs: costTable(figures) });
  fillIn(scaling, {
    scaling: scalingTable(figures),
    checked: checkTable(predictions(figures, results)),
  });
  await new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--quiet", operating, scaling],
    cwd: import.meta.dirname,
  }).output();
}

/** The clients of the check, as many as in `deno task bench threads-work`. */
const CLIENTS = 64;
const LOAD: [load: string, args: number[]] = ["echo", [CLIENTS, 64, 1]];

/** Predicts the rate of servers with work from that of a server without, and measures it. All share this machine. */
export async function check(): Promise<Check[]> {
  const echo = await costs(server("AsyncTCPServer", "Echo"), ...LOAD);
  const working = await costs(server("AsyncTCPServer", "Work"), ...LOAD);
  const workUs = working.mainUs - echo.mainUs;
  const checks: Check[] = [];
  for (const name of ["AsyncTCPServer", "ThreadingTCPServer"]) {
    const without = await costs(server(name, "Echo"), ...LOAD);
    await using running = await ServerProcess.start(
      server(name, "Work"),
    );
    await underLoad(running, ...LOAD, 1);
    const { count, seconds, busy } = await underLoad(running, ...LOAD, 3);
    const cores = navigator.hardwareConcurrency;
    const { rate: predicted } = simulate({
      ...without,
      cores,
      workers: SPREADS.test(name) ? cores : 0,
      workUs,
      clients: CLIENTS,
      clientUs: busy * seconds / count * 1e6,
    });
    checks.push({ name, predicted, measured: count / seconds });
  }
  return checks;
}

function server(name: string, handler: string): Command {
  return ours(name, handler).server;
}

if (import.meta.main) {
  try {
    if (Deno.args.includes("--check")) console.log(checkTable(await check()));
    else {
      if (Deno.args.includes("--measure")) {
        const ways = Deno.args.filter((arg) => !arg.startsWith("--"));
        const found = { ...readFigures(), ...await measureFigures(ways) };
        Deno.writeTextFileSync(file, JSON.stringify(found, null, 2) + "\n");
      }
      await writeCapacity(readFigures(), readResults());
    }
  } finally {
    removeFolder();
  }
}
