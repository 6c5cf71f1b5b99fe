/**
 * The ends of messages that say how to mend a mistake, and the name that a misspelt one stands for.
 *
 * @module
 */

/** Returns the hint for a promise in place of its value; "" for any other value. */
export function awaitHint(value: unknown): string {
  return value instanceof Promise
    ? "; await the call that returned the promise"
    : "";
}

/** Returns the hint for a value that is no `[host, port]`; "" if it looks like none of the usual mistakes. */
export function addressHint(value: unknown): string {
  if (typeof value === "string") return textHint(value);
  if (Array.isArray(value)) return arrayHint(value);
  if (Number.isInteger(value)) return `; write ["localhost", ${value}]`;
  const { hostname, host = hostname, port } = Object(value);
  if (typeof host === "string") return `; write ${literal(host, port)}`;
  return awaitHint(value);
}

function textHint(text: string): string {
  if (/^\0|\//.test(text)) {
    return "; a path needs AF_UNIX: use a UnixStreamServer or UnixDatagramServer, or new Socket(AF_UNIX)";
  }
  const [, host = text, port] = /^(.*):(\d+)$/.exec(text) ?? [];
  return `; write ${literal(host, port)}`;
}

function arrayHint([first, second]: unknown[]): string {
  if (Number.isInteger(first) && typeof second === "string") {
    return `; write ${literal(second, first)}`;
  }
  return typeof first === "string" && second === undefined
    ? `; write ${literal(first, second)}`
    : "";
}

function literal(host: string, port: unknown): string {
  return `[${JSON.stringify(host)}, ${port ?? "port"}]`;
}

/** Returns the hint for a value that should be a number. */
export function numberHint(value: unknown): string {
  if (typeof value !== "string") return awaitHint(value);
  const cure = "convert it with Number()";
  const quoted = JSON.stringify(value);
  return /^\d+$/.test(value)
    ? ` ${quoted}; write ${Number(value)}, or ${cure}`
    : ` ${quoted}; ${cure}`;
}

/** The length from which one wrong letter counts as a typo: shorter names are too often similar by chance. */
const LETTERS_MIN = 6;

/**
 * Returns the name that another one is a typo of: it differs in case and underscores only (`max_connections`), or in one
 * letter that is missing, added, wrong, or exchanged with the next one (`handel`). Returns undefined for a name that is
 * right, or like none of them.
 *
 * @param name The name as the program wrote it.
 * @param names The right names.
 */
export function typoOf(
  name: string,
  names: readonly string[],
): string | undefined {
  if (names.includes(name)) return undefined;
  const folded = fold(name);
  return names.find((right) => fold(right) === folded) ??
    names.find((right) =>
      right.length >= LETTERS_MIN && isOneApart(folded, fold(right))
    );
}

function fold(name: string): string {
  return name.replaceAll("_", "").toLowerCase();
}

function isOneApart(one: string, other: string): boolean {
  const shorter = Math.min(one.length, other.length);
  let start = 0;
  while (start < shorter && one[start] === other[start]) start++;
  let end = 0;
  while (
    end < shorter - start &&
    one[one.length - 1 - end] === other[other.length - 1 - end]
  ) end++;
  const [left, right] = [one, other].map((text) =>
    text.slice(start, text.length - end)
  );
  return left.length <= 1 && right.length <= 1 ||
    left.length === 2 && left === [...right].reverse().join("");
}
