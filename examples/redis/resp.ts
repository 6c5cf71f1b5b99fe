/**
 * RESP, the protocol of Redis, in its second version.
 *
 * @module
 */

import {
  type BufferedReader,
  IncompleteReadError,
  LimitOverrunError,
} from "@socketserver/socketserver";

/** Bytes. */
export type Bytes = Uint8Array<ArrayBuffer>;

const EMPTY: Bytes = new Uint8Array(0);
/** The most arguments of a command. */
const ARGS_MAX = 1_048_576;
/** The most bytes of a command. */
const SIZE_MAX = 16 << 20;

/** What a client sent is no RESP. */
export class ProtocolError extends Error {}

/** Reads a command: the arguments, in memory of their own. Undefined at the end of the stream. */
export async function readCommand(
  rfile: BufferedReader,
): Promise<Bytes[] | undefined> {
  let tooLong = "too big inline request";
  try {
    const line = withoutEnd(await rfile.readline());
    if (line === undefined) return undefined;
    if (line[0] !== 42 /* * */) return splitInline(line);
    tooLong = "too big bulk count string";
    const count = parseLength(line, ARGS_MAX, "invalid multibulk length");
    const args: Bytes[] = [];
    let left = SIZE_MAX;
    for (let i = 0; i < count; i++) {
      const size = bulkLength(withoutEnd(await rfile.readline()), left);
      left -= size;
      const bulk = await rfile.readexactly(size + 2);
      args.push(bulk.slice(0, size)); // it may be a part of a large buffer
    }
    return args;
  } catch (error) {
    if (error instanceof LimitOverrunError) throw new ProtocolError(tooLong);
    throw error;
  }
}

function bulkLength(line: Bytes | undefined, most: number): number {
  if (line === undefined) throw new IncompleteReadError("no length", EMPTY);
  if (line[0] !== 36 /* $ */) {
    const got = line.length > 0 ? String.fromCharCode(line[0]) : "\\x00";
    throw new ProtocolError(`expected '$', got '${got}'`);
  }
  const size = parseLength(line, most, "invalid bulk length");
  if (size < 0) throw new ProtocolError("invalid bulk length");
  return size;
}

/** The line; undefined at the end, with or without half a line. */
function withoutEnd(line: Bytes): Bytes | undefined {
  const { length } = line;
  if (line[length - 1] !== 10) return undefined;
  return line.subarray(0, line[length - 2] === 13 ? length - 2 : length - 1);
}

function parseLength(line: Bytes, most: number, wrong: string): number {
  const negative = line[1] === 45; // -
  let length = line.length < 12 && line.length > (negative ? 2 : 1) ? 0 : NaN;
  for (let i = negative ? 2 : 1; i < line.length; i++) {
    const digit = line[i] - 48;
    length = digit >= 0 && digit <= 9 ? length * 10 + digit : NaN;
  }
  if (!(length <= most)) throw new ProtocolError(wrong);
  return negative ? -length : length;
}

/** The words of a line that somebody types; quotes keep spaces. */
function splitInline(line: Bytes): Bytes[] {
  const text = latin1(line);
  const words = text.match(/"(?:\\.|[^"\\])*"(?!\S)|'[^']*'(?!\S)|[^\s"']+/g);
  const rest = words === null ? text : words.reduce(
    (left, word) => left.replace(word, ""),
    text,
  );
  if (/\S/.test(rest)) throw new ProtocolError("unbalanced quotes in request");
  return (words ?? []).map((word) => fromLatin1(unquote(word)));
}

function unquote(word: string): string {
  if (word[0] === "'") return word.slice(1, -1);
  if (word[0] !== '"') return word;
  const escapes: Record<string, string> = { n: "\n", r: "\r", t: "\t" };
  return word.slice(1, -1)
    .replaceAll(/\\(.)/g, (_, char) => escapes[char] ?? char);
}

/** Bytes as a string of as many characters, which a `Map` can have as a key. */
export function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i++) text += String.fromCharCode(bytes[i]);
  return text;
}

/** The bytes of such a string. */
export function fromLatin1(text: string): Bytes {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** What a command answers: an array, a bulk string, an integer, or one of {@linkcode simple}. */
export type Reply = Reply[] | Bytes | number | bigint | null | Simple;

/** A line. */
export interface Simple {
  readonly line: Bytes;
}

/** A simple string, or with `-` in front an error. */
export function simple(text: string): Simple {
  const line = text.startsWith("-") ? text : `+${text}`;
  return { line: fromLatin1(`${line.replaceAll(/[\r\n]/g, " ")}\r\n`) };
}

const NULL = fromLatin1("$-1\r\n");

/** The pieces of a reply on the wire. */
export function encode(reply: Reply, to: Bytes[] = []): Bytes[] {
  if (reply === null) to.push(NULL);
  else if (typeof reply === "number" || typeof reply === "bigint") {
    to.push(fromLatin1(`:${reply}\r\n`));
  } else if (reply instanceof Uint8Array) to.push(bulk(reply));
  else if (Array.isArray(reply)) {
    to.push(fromLatin1(`*${reply.length}\r\n`));
    for (const each of reply) encode(each, to);
  } else to.push(reply.line);
  return to;
}

function bulk(data: Bytes): Bytes {
  const head = `$${data.length}\r\n`;
  const whole = new Uint8Array(head.length + data.length + 2);
  for (let i = 0; i < head.length; i++) whole[i] = head.charCodeAt(i);
  whole.set(data, head.length);
  whole[whole.length - 2] = 13;
  whole[whole.length - 1] = 10;
  return whole;
}
