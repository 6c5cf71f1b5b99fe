/**
 * The tables in the pages: written from the results, between two comments.
 *
 * @module
 */

import type { Outcome, Results } from "./results.ts";
import { parts } from "./tables.ts";
import { choosingTable } from "./choosing_table.ts";
import { markdownTable } from "./markdown.ts";
import { peerTable } from "./peer_table.ts";
import { changeTable, targetTables } from "./target_tables.ts";

/** What is put between `<!-- name -->` and `<!-- end of name -->` of a page. */
export function filled(page: string, name: string, text: string): string {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- end of ${name} -->`];
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) {
    throw new RangeError(`Cannot fill in "${name}": the page has no such part`);
  }
  return `${page.slice(0, from + begin.length)}\n\n${text}\n${page.slice(to)}`;
}

/** All contenders of all benchmarks. */
export function outcomeTables(results: Results): string {
  return Object.values(results).map((outcome) =>
    [
      `### ${outcome.title}`,
      "",
      `\`${outcome.command}\``,
      "",
      contenderTable(outcome),
    ].join("\n")
  ).join("\n");
}

function contenderTable({ unit, contenders, skipped }: Outcome): string {
  const [first] = Object.entries(contenders);
  if (first === undefined) {
    return `Not measured: ${Object.values(skipped)[0]}.\n`;
  }
  return markdownTable(
    ["", unit, `${first[0]} / this`, "µs each", "load busy"],
    Object.entries(contenders).map(([name, found]) => [
      name,
      found.median.toLocaleString("en"),
      parts(first[1], found),
      found.cost?.toLocaleString("en") ?? "",
      found.busy === undefined ? "" : `${Math.round(found.busy * 100)} %`,
    ]),
  );
}

/** Writes the tables of the benchmarks' page and of docs/choosing.md, and formats these. */
export async function writePage(results: Results): Promise<void> {
  fillIn("README.md", {
    targets: targetTables(results),
    peers: peerTable(results),
    changes: changeTable(),
    contenders: outcomeTables(results),
  });
  fillIn("../docs/choosing.md", { cost: choosingTable(results) });
  const written = ["README.md", "results.json", "../docs/choosing.md"];
  await new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--quiet", ...written],
    cwd: import.meta.dirname,
  }).output();
}

/** Fills in parts of a page. */
export function fillIn(page: string, parts: Record<string, string>): void {
  const url = new URL(page, import.meta.url);
  let text = Deno.readTextFileSync(url);
  for (const [name, part] of Object.entries(parts)) {
    text = filled(text, name, part);
  }
  Deno.writeTextFileSync(url, text);
}
