/**
 * The tables of the targets: reached, missed with the reason, changed.
 *
 * @module
 */

import { digits, markdownTable } from "./markdown.ts";
import { reasonFor } from "./reasons.ts";
import type { Results } from "./results.ts";
import { type Target, TARGETS } from "./targets.ts";
import { type Figure, figureOf, judge } from "./verdicts.ts";

/** How many targets are reached, those that are not, with the reason, and those that are. */
export function targetTables(results: Results): string {
  const verdicts = TARGETS.map((target) => judge(target, results));
  const [missed, open, good] = [false, undefined, true].map((wanted) =>
    verdicts.filter(({ good }) => good === wanted).map(({ target }) => target)
  );
  const parts = [
    `**${good.length} of ${TARGETS.length} targets are reached.**` +
    ` ${missed.length} are missed, ${open.length} were not measured.\n`,
  ];
  if (missed.length > 0) {
    parts.push("### Missed\n", missedTable(missed, results));
  }
  if (good.length > 0) parts.push("### Reached\n", table(good, results));
  if (open.length > 0) parts.push("### Not measured\n", table(open, results));
  return parts.join("\n");
}

const HEAD = ["Measured", "Target", "Reached", "by processor time"];

function missedTable(targets: Target[], results: Results): string {
  const rows = targets.map((target) => [
    ...row(target, results),
    reasonFor(target) ?? "not known yet",
  ]);
  return markdownTable([...HEAD, "Why not"], rows, ["Why not"]);
}

function table(targets: Target[], results: Results): string {
  return markdownTable(HEAD, targets.map((target) => row(target, results)));
}

/** A target's name, its bound, its value or ratio of rates, and that of the processor time; that which is judged in bold. */
function row(target: Target, results: Results): string[] {
  const { figure = "value" } = target;
  const cell = (which: Figure) => {
    const found = figureOf(target, results, which);
    if (found === undefined) return "-";
    return which === figure ? `**${digits(found)}**` : digits(found);
  };
  return [
    `${nameOf(target, results[target.benchmark]?.unit ?? "")}`,
    boundOf(target),
    cell(figure === "memory" ? "memory" : "value"),
    cell("processor time"),
  ];
}

/** The targets that were raised, lowered or exchanged; those that changed together are one row. */
export function changeTable(): string {
  const groups = Map.groupBy(
    TARGETS.filter(({ changed }) => changed),
    ({ changed }) => `${changed!.from} ${changed!.why}`,
  );
  const rows = [...groups.values()].map((targets) => {
    const { from, why } = targets[0].changed!;
    const distinct = (texts: string[]) => [...new Set(texts)].join(", ");
    return [
      distinct(targets.map(({ benchmark }) => `\`${benchmark}\``)),
      distinct(targets.map(({ of }) => of)),
      from,
      distinct(targets.map(changedTo)),
      why,
    ];
  });
  const head = ["Measured", "Of", "Before", "Now", "Why"];
  return markdownTable(head, rows, head);
}

function changedTo(target: Target): string {
  const { against, figure } = target;
  const peer = against === undefined ? "" : ` of ${against}`;
  return `${boundOf(target)}${peer}${figure ? ` by ${figure}` : ""}`;
}

function nameOf(target: Target, unit: string): string {
  const { benchmark, of, against, by, figure } = target;
  return `\`${benchmark}\`, ${subject(of, against, by, figure, unit)}`;
}

function subject(
  of: string,
  against: string | undefined,
  by: Target["by"],
  figure: Target["figure"],
  unit: string,
): string {
  if (figure === "memory") return `${of}: growth of its memory, MiB`;
  if (against === undefined) return `${of}: ${unit}`;
  return by === "difference"
    ? `${of}: ms more than ${against}`
    : `${of} / ${against}`;
}

function boundOf({ atLeast, atMost }: Target): string {
  return atLeast !== undefined ? `at least ${atLeast}` : `at most ${atMost}`;
}
