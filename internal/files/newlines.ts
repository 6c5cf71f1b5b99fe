/**
 * Python's `newline` argument: which line ends a text has, and what becomes of them.
 *
 * @module
 */

import type { LineEndFinder } from "./queues.ts";

/**
 * Which line ends a text file has, as for Python's `open`.
 *
 * Reading: with null "\n", "\r" and "\r\n" end a line, and "\n" is what is returned; with ""
 * they end a line and are returned as they came; any other value alone ends a line.
 *
 * Writing: with null, "" and "\n" nothing is changed (Python's `os.linesep` is taken to be "\n"
 * on every system); with "\r" and "\r\n" each "\n" is written as that.
 */
export type Newline = null | "" | "\n" | "\r" | "\r\n";

const NEWLINES: readonly unknown[] = [null, "", "\n", "\r", "\r\n"];

/** What is done with decoded text before lines are looked for. */
export interface NewlineDecoder {
  /** Finds line ends in what `translate` returned. */
  readonly find: LineEndFinder;
  /** Translates a chunk, and keeps back a "\r" at its end where a "\n" would belong to it. */
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

/** The decoder for a value of `newline`. */
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

/** Turns every line end into "\n", at once: a "\n" after a "\r" is dropped when it comes. */
function universal(): (chunk: string) => string {
  let afterReturn = false;
  return (chunk) => {
    if (chunk === "") return chunk;
    const text = afterReturn && chunk.startsWith("\n") ? chunk.slice(1) : chunk;
    afterReturn = chunk.endsWith("\r");
    return text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text;
  };
}

/** Keeps "\r\n" in one piece. */
function undivided(): (chunk: string, last: boolean) => string {
  let held = "";
  return (chunk, last) => {
    const text = held + chunk;
    held = !last && text.endsWith("\r") ? "\r" : "";
    return held === "" ? text : text.slice(0, -1);
  };
}
