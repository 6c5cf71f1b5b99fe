/**
 * Commands that a person types as lines: words, and quotes around spaces.
 *
 * @module
 */

import { type Bytes, fromLatin1, latin1 } from "./bytes.ts";

/** Blanks, or a part of a word, with or without quotes. A word may have several parts. */
const PART = new RegExp(
  [
    "([ \\n\\r\\t]+)",
    '"((?:\\\\[^]|[^"\\\\])*)"(?=[ \\n\\r\\t]|$)',
    "'((?:\\\\'|[^'])*)'(?=[ \\n\\r\\t]|$)",
    "([^ \\n\\r\\t\"']+)",
  ].join("|"),
  "y",
);
const ESCAPES: Record<string, string> = {
  n: "\n",
  r: "\r",
  t: "\t",
  b: "\b",
  a: "\x07",
};

/** Splits a line into words; undefined if a quote is not closed, or if text follows a closed quote. */
export function splitInline(line: Bytes): Bytes[] | undefined {
  const text = latin1(line);
  const words: Bytes[] = [];
  let word: string | undefined;
  for (let at = PART.lastIndex = 0; at < text.length; at = PART.lastIndex) {
    const match = PART.exec(text);
    if (match === null) return undefined;
    const [, blank, double, single, bare] = match;
    if (blank === undefined) {
      word = (word ?? "") + (bare ?? single?.replaceAll("\\'", "'") ??
        unescape(double));
    } else if (word !== undefined) {
      words.push(fromLatin1(word));
      word = undefined;
    }
  }
  if (word !== undefined) words.push(fromLatin1(word));
  return words;
}

/** Decodes an escape: `\x41` is the byte of that number, and a character without a meaning is itself. */
function unescape(text: string): string {
  return text.replaceAll(
    /\\(?:x([\da-f]{2})|([^]))/gi,
    (_, code: string | undefined, char: string) =>
      code === undefined
        ? ESCAPES[char] ?? char
        : String.fromCharCode(parseInt(code, 16)),
  );
}
