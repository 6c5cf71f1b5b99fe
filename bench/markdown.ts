/**
 * Tables in Markdown.
 *
 * @module
 */

/** A table; all columns but the first and those that are named text are numbers, on the right. */
export function markdownTable(
  head: string[],
  rows: string[][],
  text: string[] = [],
): string {
  const rule = head.map((name, i) =>
    i === 0 || text.includes(name) ? "---" : "--:"
  );
  return [head, rule, ...rows]
    .map((cells) => `| ${cells.join(" | ")} |\n`).join("");
}

/** A number of three digits. */
export function digits(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString("en", {
    maximumFractionDigits: 3,
  });
}
