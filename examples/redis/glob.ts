/**
 * The patterns of KEYS.
 *
 * @module
 */

/**
 * Reports whether a text matches a pattern of `*`, `?`, `[abc]`, `[a-z]`, `[^a]`, and `\` before any of them.
 * Only the last `*` is tried again, so that no pattern takes long.
 */
export function matches(pattern: string, text: string): boolean {
  const parts = parse(pattern);
  let [p, t] = [0, 0];
  let star = -1;
  let retry = 0;
  while (t < text.length) {
    const part = parts[p];
    if (part === "*") {
      star = p++;
      retry = t;
    } else if (part !== undefined && part(text.charCodeAt(t))) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++retry;
    } else return false;
  }
  while (parts[p] === "*") p++;
  return p === parts.length;
}

/** A `*`, or a function that reports whether a character matches. */
type Part = "*" | ((code: number) => boolean);

function parse(pattern: string): Part[] {
  const parts: Part[] = [];
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern[i];
    if (char === "*") parts.push("*");
    else if (char === "?") parts.push(() => true);
    else if (char === "[") {
      const end = classEnd(pattern, i + 1);
      parts.push(parseClass(pattern.slice(i + 1, end)));
      i = end;
    } else {
      if (char === "\\" && i + 1 < pattern.length) i++;
      const wanted = pattern.charCodeAt(i);
      parts.push((code) => code === wanted);
    }
  }
  return parts;
}

function classEnd(pattern: string, start: number): number {
  let i = start;
  while (i < pattern.length && pattern[i] !== "]") {
    i += pattern[i] === "\\" ? 2 : 1;
  }
  return i;
}

function parseClass(text: string): (code: number) => boolean {
  const not = text.startsWith("^");
  const ranges: [number, number][] = [];
  for (let i = not ? 1 : 0; i < text.length; i++) {
    if (text[i] === "\\" && i + 1 < text.length) i++;
    const first = text.charCodeAt(i);
    const isRange = text[i + 1] === "-" && i + 2 < text.length;
    const last = isRange ? text.charCodeAt(i += 2) : first;
    ranges.push([Math.min(first, last), Math.max(first, last)]);
  }
  return (code) =>
    not !== ranges.some(([low, high]) => low <= code && code <= high);
}
