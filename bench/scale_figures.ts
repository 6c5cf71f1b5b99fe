/**
 * What `scale.ts` measured, and the file that keeps it.
 *
 * @module
 */

import type { Measured } from "./results.ts";

/** What was measured of a way to run under a load, on so many processors. */
export interface Point extends Pick<Measured, "median" | "busy" | "cost"> {
  /** The load. */
  load: string;
  /** The way to run. */
  way: string;
  /** The processors of the server. */
  processors: number;
  /** Whether the load generators shared them. */
  shared: boolean;
}

/** A machine, and what was measured on it. */
export interface Scale {
  /** Its processors: how many, and which. */
  machine: { processors: number; model: string };
  /** One for each load, way and count of processors. */
  points: Point[];
}

const file = new URL("scale.json", import.meta.url);

/** What was measured last. */
export function readScale(): Scale {
  return JSON.parse(Deno.readTextFileSync(file));
}

/** Keeps what was measured on this machine, in place of what was measured before under the same loads. */
export function writeScale(points: Point[]): void {
  const machine = { processors: navigator.hardwareConcurrency, model: model() };
  const loads = new Set(points.map(({ load }) => load));
  const kept = existsHere(machine.processors)
    ? readScale().points.filter(({ load }) => !loads.has(load))
    : [];
  const all = { machine, points: [...kept, ...points] };
  Deno.writeTextFileSync(file, JSON.stringify(all, null, 2) + "\n");
}

/** Whether the file is of a machine of so many processors. */
function existsHere(processors: number): boolean {
  try {
    return readScale().machine.processors === processors;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function model(): string {
  const text = Deno.readTextFileSync("/proc/cpuinfo");
  return /^model name\s*: (.*)$/m.exec(text)?.[1] ?? Deno.build.arch;
}
