/**
 * The tables of docs/porting.md.
 *
 * @module
 */

import { granted } from "../helpers/allowed.ts";

/** A name of Python, and what stands for it here: nothing where the table says "none". */
export interface Row {
  section: string;
  python: string;
  here: string | undefined;
}

const doc = new URL("../../docs/porting.md", import.meta.url);
/** Whether the tables can be read. */
export const readable: boolean = granted({ name: "read", path: doc });

/** The rows of the tables. */
export async function readTable(): Promise<Row[]> {
  const rows: Row[] = [];
  let section = "";
  for (const line of (await Deno.readTextFile(doc)).split("\n")) {
    if (line.startsWith("## ")) section = line.slice(3);
    const [, python, here] =
      /^\| `([\w.]+)` *\| (?:`([\w.]+)`|none) *\|/.exec(line) ?? [];
    if (python !== undefined) rows.push({ section, python, here });
  }
  return rows;
}
