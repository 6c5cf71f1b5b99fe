/**
 * Tables of what was found.
 *
 * @module
 */

import type { Measured, Outcome } from "./results.ts";
import { ratio } from "./statistics.ts";
import { describe, type Verdict } from "./verdicts.ts";

/** A benchmark's contenders: value, ratio of the first to each, what each took, and how busy the load was. */
export function outcomeTable(
  { title, unit, contenders, skipped }: Outcome,
): string {
  const [first] = Object.values(contenders);
  const rows = Object.entries(contenders).map(([name, found]) => [
    name,
    `${found.median.toLocaleString("en")} ${unit}`,
    parts(first, found),
    found.cost === undefined ? "" : `${found.cost} us each`,
    found.busy === undefined ? "" : `load ${Math.round(found.busy * 100)}%`,
  ]);
  const missing = Object.entries(skipped).map(([name, reason]) =>
    `  ${name}: skipped, ${reason}`
  );
  return [title, ...aligned(rows), ...missing].join("\n");
}

/** The ratio of a contender to another; nothing where it has none. */
export function parts(first: Measured, { values }: Measured): string {
  const value = ratio(first.values, values);
  return Number.isFinite(value) ? value.toFixed(2) : "";
}

/** Targets and what was reached. */
export function verdictTable(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map(({ target, reached, good }) => [
    describe(target),
    reached === undefined ? "-" : reached.toFixed(2),
    good === undefined ? "not measured" : good ? "reached" : "MISSED",
  ]);
  return aligned(rows).join("\n");
}

function aligned(rows: string[][]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => widths[i] = Math.max(widths[i] ?? 0, cell.length));
  }
  return rows.map((row) =>
    "  " +
    row.map((cell, i) =>
      i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])
    ).join("  ")
  );
}
