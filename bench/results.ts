/**
 * What a run finds, and the file that keeps it.
 *
 * @module
 */

import { median } from "./statistics.ts";

/** What was found for one contender. */
export interface Measured {
  /** A value for each round. */
  values: number[];
  /** Their median. */
  median: number;
  /** How busy the load generator was: at 1 it is the bottleneck. */
  busy?: number;
  /** Microseconds of processor time that the server took for each unit of what is counted. */
  cost?: number;
  /** By how much the server's memory grew at its peak, in MiB. */
  memory?: number;
}

/** What was found by one benchmark. */
export interface Outcome {
  /** What is measured. */
  title: string;
  /** Of what the values are. */
  unit: string;
  /** The command that measures it. */
  command: string;
  /** By the contender's name. */
  contenders: Record<string, Measured>;
  /** Contenders that were not there, with the reason. */
  skipped: Record<string, string>;
}

/** Outcomes by the benchmark's name. */
export type Results = Record<string, Outcome>;

const file = new URL("results.json", import.meta.url);

/** What was recorded; empty where nothing was. */
export function readResults(): Results {
  try {
    return JSON.parse(Deno.readTextFileSync(file));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return {};
    throw error;
  }
}

/** Records outcomes, in place of earlier ones of the same name. */
export function record(outcomes: Results): void {
  const all = { ...readResults(), ...outcomes };
  const sorted = Object.fromEntries(Object.entries(all).sort());
  Deno.writeTextFileSync(file, JSON.stringify(sorted, null, 2) + "\n");
}

/** Values as they are kept: rounded, with their median. */
export function measured(
  values: readonly number[],
  rest: Omit<Measured, "values" | "median"> = {},
): Measured {
  return {
    values: values.map(short),
    median: short(median(values)),
    ...rest,
    ...rest.cost === undefined ? {} : { cost: short(rest.cost) },
  };
}

/** Four significant digits: more is noise. */
function short(value: number): number {
  return Number(value.toPrecision(4));
}
