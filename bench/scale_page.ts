/**
 * The table of docs/scaling.md with what was measured on more and more processors.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { digits, markdownTable } from "./markdown.ts";
import { filled } from "./pages.ts";
import type { Point, Scale } from "./scale_figures.ts";

/** How busy a load generator is at most, while the server is what limits a rate. */
const LIMIT = 0.97;

/** The rates by the count of processors, each with the multiple of that on one, and the processor time on one. */
export function scaleTable({ points }: Scale): string {
  const counts = [...new Set(points.map(({ processors }) => processors))];
  const rows = Map.groupBy(points, ({ load, way }) => `${way}|${load}`);
  const shared = new Set(
    points.filter(({ shared }) => shared).map(({ processors }) => processors),
  );
  const head = counts.map((count) =>
    shared.has(count) ? `${count}*` : `${count}`
  );
  return markdownTable(
    ["", "load", "µs each, on 1", ...head],
    [...rows.values()].map((row) => [
      `\`${row[0].way}\``,
      row[0].load,
      digits(row[0].cost!),
      ...counts.map((count) => cell(row, count)),
    ]),
  );
}

function cell(row: Point[], count: number): string {
  const [one] = row;
  const found = row.find(({ processors }) => processors === count);
  if (found === undefined) return "-";
  const { median, busy = 0 } = found;
  const rate = Number(median.toPrecision(3)).toLocaleString("en");
  const least = busy >= LIMIT ? "≥ " : "";
  const times = found === one ? "" : ` (${(median / one.median).toFixed(2)})`;
  return `${least}${rate}${times}`;
}

/** The machine in words. */
export function machineText({ machine }: Scale): string {
  const { processors, model } = machine;
  return `Measured on ${processors} processors (${model}).\n`;
}

/** Writes the measured part of docs/scaling.md, and formats it. */
export async function writeScalePage(scale: Scale): Promise<void> {
  const page = new URL("../docs/scaling.md", import.meta.url);
  const text = `${machineText(scale)}\n${scaleTable(scale)}`;
  Deno.writeTextFileSync(
    page,
    filled(Deno.readTextFileSync(page), "measured", text),
  );
  const args = ["fmt", "--quiet", fileURLToPath(page)];
  await new Deno.Command(Deno.execPath(), { args }).output();
}
