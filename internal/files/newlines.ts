/**
 * Python's `newline` argument: which line ends a text file recognizes and writes.
 *
 * @module
 */

import type { LineEndFinder } from "./unread_queues.ts";

/**
 * The line ends of a text file, as for Python's `open`.
 *
 * When reading, null and "" recognize "\n", "\r" and "\r\n"; null returns each as "\n", and "" returns them as they
 * came. Any other value is the only line end.
 *
 * When writing, null, "" and "\n" change nothing (Python's `os.linesep` is taken to be "\n" on every system); "\r" and
 * "\r\n" are written in place of each "\n".
 *
 * @category Files
 */
export type Newline = null | "" | "\n" | "\r" | "\r\n";

const NEWLINES: readonly unknown[] = [null, "", "\n", "\r", "\r\n"];

/** Translates decoded text and finds its line ends. */
export interface NewlineDecoder {
  /** Finds line ends in the text that `translate` returned. */
  readonly find: LineEndFinder;
  /** Translates a chunk; keeps back a "\r" at its end if a following "\n" would belong to it. */
  translate(chunk: string, last: boolean): string;
}

/** Throws unless `newline` is one of the five values. */
export function checkNewline(newline: unknown): Newline {
  if (!NEWLINES.includes(newline)) {
    throw new TypeError(
      `Cannot open a text file: newline must be null, "", "\\n", "\\r" or "\\r\\n", got ${
        JSON.stringify(newline)
      }`,
    );
  }
  return newline as Newline;
}

/** Returns the decoder of a value of `newline`. */
export function newlineDecoder(newline: Newline): NewlineDecoder {
  if (newline === null) return { find: finder("\n"), translate: universal() };
  if (newline === "") return { find: findAny, translate: undivided() };
  const translate = newline === "\r\n" ? undivided() : (chunk: string) => chunk;
  return { find: finder(newline), translate };
}

function finder(lineEnd: string): LineEndFinder {
  return (text, start) => {
    const at = text.indexOf(lineEnd, start);
    return at < 0 ? -1 : at + lineEnd.length;
  };
}

function findAny(text: string, start: number): number {
  const lineEnd = /\r\n?|\n/g;
  lineEnd.lastIndex = start;
  return lineEnd.test(text) ? lineEnd.lastIndex : -1;
}

/** Translates each line end to "\n" at once: drops a "\n" that comes after a "\r". */
function universal(): (chunk: string) => string {
  let afterReturn = false;
  return (chunk) => {
    if (chunk === "") return chunk;
    const text = afterReturn && chunk.startsWith("\n") ? chunk.slice(1) : chunk;
    afterReturn = chunk.endsWith("\r");
    return text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text;
  };
}

/** Keeps "\r\n" in one chunk. */
function undivided(): (chunk: string, last: boolean) => string {
  let held = "";
  return (chunk, last) => {
    const text = held + chunk;
    held = !last && text.endsWith("\r") ? "\r" : "";
    return held === "" ? text : text.slice(0, -1);
  };
}
