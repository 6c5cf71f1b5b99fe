/**
 * The table of docs/choosing.md: what it costs to run handlers in workers and in children.
 *
 * @module
 */

import { digits, markdownTable } from "./markdown.ts";
import type { Results } from "./results.ts";
import { ratio } from "./statistics.ts";

/** A row: what it says, and the benchmark with the contenders whose rates are compared. */
interface Row {
  text: string;
  benchmark: string;
  /** The contender where the parent accepts. */
  parent: string;
  /** That where the workers or children accept. */
  elsewhere: string;
  against: string;
}

const THREADING = {
  parent: "ThreadingTCPServer",
  elsewhere: "ThreadingTCPServer, acceptIn workers",
  against: "AsyncTCPServer",
};

const ROWS: Row[] = [
  {
    ...THREADING,
    text: "`ThreadingTCPServer` / `AsyncTCPServer`, echo of 64 bytes",
    benchmark: "threads",
  },
  {
    ...THREADING,
    text: "the same with 100 µs of computing in each request",
    benchmark: "threads-work",
  },
  {
    ...THREADING,
    text: "the same with 64 KiB",
    benchmark: "threads-bulk",
  },
  {
    text: "`ForkingTCPServer` / that of CPython, connect, echo, close",
    benchmark: "connect-forking",
    parent: "socketserver",
    elsewhere: "socketserver, acceptIn children",
    against: "CPython forking",
  },
];

/** The ratios of the rates, where the parent accepts, and where the workers or the children do. */
export function choosingTable(results: Results): string {
  const rows = ROWS.map(({ text, benchmark, parent, elsewhere, against }) => {
    const contenders = results[benchmark]?.contenders ?? {};
    const cell = (of: string) =>
      contenders[of] && contenders[against]
        ? digits(ratio(contenders[of].values, contenders[against].values))
        : "-";
    return [
      text,
      cell(parent),
      cell(elsewhere),
      `\`deno task bench ${benchmark}\``,
    ];
  });
  const head = [
    "rates",
    "the parent accepts",
    "workers or children accept",
    "command",
  ];
  return markdownTable(head, rows, ["command"]);
}
