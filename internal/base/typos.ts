/**
 * Finds the name that a misspelt one stands for.
 *
 * @module
 */

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
