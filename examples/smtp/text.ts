/**
 * The text of a mail, as it comes after DATA (RFC 5321, sections 2.3.8 and 4.5.2).
 *
 * @module
 */

import {
  type BufferedReader,
  LimitOverrunError,
} from "@socketserver/socketserver";

/** The most bytes of a line that are read at a time. Longer lines come in parts. */
const PART_MAX = 65536;
const [LF, CR, DOT] = [10, 13, 46];

/**
 * Reads the lines of a mail up to the line with a single dot, and removes the dot that the client has put before each
 * other line with a dot. Only CRLF ends a line: whoever also took LF for an end could be made to see two mails where
 * others see one.
 */
export async function* readText(
  file: BufferedReader,
): AsyncGenerator<Uint8Array> {
  for (let begins = true;;) {
    const part = await readPart(file);
    const ends = part.at(-2) === CR && part.at(-1) === LF;
    const dotted = begins && part[0] === DOT;
    if (dotted && ends && part.length === 3) return;
    yield dotted ? part.subarray(1) : part;
    begins = ends;
  }
}

async function readPart(file: BufferedReader): Promise<Uint8Array> {
  try {
    return await file.readuntil("\r\n", { limit: PART_MAX });
  } catch (error) {
    if (!(error instanceof LimitOverrunError)) throw error;
    return await file.readexactly(error.consumed);
  }
}

/** Returns a line as files have it: with LF for CRLF. Returns undefined if it has a CR or LF elsewhere. */
export function toFileLine(part: Uint8Array): Uint8Array | undefined {
  const ends = part.at(-2) === CR && part.at(-1) === LF;
  const line = ends ? part.subarray(0, -2) : part;
  if (line.includes(CR) || line.includes(LF)) return undefined;
  if (!ends) return line;
  const whole = part.slice(0, -1);
  whole[whole.length - 1] = LF;
  return whole;
}
