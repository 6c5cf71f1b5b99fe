/**
 * What ARCHITECTURE.md says, for the tests of it.
 *
 * @module
 */

import { granted } from "./helpers/allowed.ts";
import { read } from "./docs_programs.ts";

/** Whether the page can be read. */
export const readable: boolean = granted("read");

/** The text of the page. */
export const architecture = (): string => read("ARCHITECTURE.md");

/** A row of the table of workarounds. */
export interface Workaround {
  name: string;
  /** What Deno does. */
  fault: string;
  /** The versions of Deno in which the fault was seen. */
  version: string;
  /** The files and functions of the workaround, as the page has them. */
  where: string;
  /** "canary", or another way to see that the fault is gone. */
  check: string;
}

/** Returns the rows of the table of workarounds. */
export function workarounds(): Workaround[] {
  const rows = architecture().matchAll(
    /^\| `([\w-]+)` *\| (.*?) \| ([\d., ]+) \| (.*?) \| (.*?) \|$/gm,
  );
  return Array.from(rows, ([, ...cells]) => {
    const [name, fault, version, where, check] = cells.map((cell) =>
      cell.trim()
    );
    return { name, fault, version, where, check };
  });
}
