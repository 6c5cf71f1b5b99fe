/**
 * RESP, the protocol of Redis.
 *
 * @module
 */

import {
  type BufferedReader,
  IncompleteReadError,
  LimitOverrunError,
} from "@socketserver/socketserver";

import { type Bytes, fromLatin1 } from "./bytes.ts";
import { splitInline } from "./inline.ts";

const EMPTY: Bytes = new Uint8Array(0);
const CR = Uint8Array.of(13);
/** The most arguments of a command. */
const ARGS_MAX = 1_048_576;
/** The most bytes of a command. */
const SIZE_MAX = 16 << 20;
/** The bytes that each argument takes besides its own: a command of many empty arguments is large too. */
const ARG_OVERHEAD = 400;

/** A client sent bytes that are not RESP. */
export class ProtocolError extends Error {}

/** Reads a command, and returns its arguments in memory of their own; undefined at the end of the stream. */
export async function readCommand(
  rfile: BufferedReader,
): Promise<Bytes[] | undefined> {
  let tooLong = "too big inline request";
  try {
    const line = await rfile.readline();
    if (line[0] !== 42 /* * */) return inline(line);
    const wrong = "invalid multibulk length";
    const head = withoutEnd(line);
    if (head === undefined) throw await badEnd(rfile, line, wrong);
    const count = parseLength(head, wrong);
    if (count > ARGS_MAX) throw new ProtocolError(wrong);
    tooLong = "too big bulk count string";
    const args: Bytes[] = [];
    let left = SIZE_MAX;
    for (let i = 0; i < count; i++) {
      const line = await rfile.readline();
      const head = withoutEnd(line);
      if (head === undefined) throw await badEnd(rfile, line);
      const size = bulkLength(head);
      left -= size + ARG_OVERHEAD;
      if (left < 0) throw new ProtocolError("invalid bulk length");
      const bulk = await rfile.readexactly(size + 2); // what is behind it Redis does not look at either
      args.push(bulk.slice(0, size)); // it may be a part of a large buffer
    }
    return args;
  } catch (error) {
    if (error instanceof LimitOverrunError) throw new ProtocolError(tooLong);
    if (error instanceof IncompleteReadError) return undefined;
    throw error;
  }
}

/** Returns the words of a line that ends with LF; undefined at the end of the stream, even after half a line. */
function inline(line: Bytes): Bytes[] | undefined {
  if (line.at(-1) !== 10) return undefined;
  const words = splitInline(line);
  if (words !== undefined) return words;
  throw new ProtocolError("unbalanced quotes in request");
}

/** Returns a line without its end, CR LF; undefined if it has none. */
function withoutEnd(line: Bytes): Bytes | undefined {
  const end = line.length - 2;
  return line[end] === 13 && line[end + 1] === 10
    ? line.subarray(0, end)
    : undefined;
}

/** Returns the error for a line that does not end with CR LF. Only CR ends a line: a bare LF is a part of it. */
async function badEnd(
  rfile: BufferedReader,
  line: Bytes,
  wrong = "invalid bulk length",
): Promise<Error> {
  if (line.at(-1) !== 10) return new IncompleteReadError("no line", EMPTY);
  if (line.indexOf(13) < 0) await rfile.readuntil(CR);
  return new ProtocolError(wrong);
}

function bulkLength(line: Bytes): number {
  if (line[0] !== 36 /* $ */) {
    const got = String.fromCharCode(line[0] ?? 13);
    throw new ProtocolError(`expected '$', got '${got}'`);
  }
  const size = parseLength(line, "invalid bulk length");
  if (size < 0) throw new ProtocolError("invalid bulk length");
  return size;
}

/** Returns the number after the first byte. It has no leading zeros and no plus. */
function parseLength(line: Bytes, wrong: string): number {
  const negative = line[1] === 45; // -
  const start = negative ? 2 : 1;
  const { length } = line;
  const zero = line[start] === 48 && (length > start + 1 || negative);
  let value = length > start && length < 12 && !zero ? 0 : NaN;
  for (let i = start; i < length; i++) {
    const digit = line[i] - 48;
    value = digit >= 0 && digit <= 9 ? value * 10 + digit : NaN;
  }
  if (Number.isNaN(value)) throw new ProtocolError(wrong);
  return negative ? -value : value;
}

/** The reply of a command: an array, pairs, a bulk string, an integer, null, or a {@linkcode simple} string. */
export type Reply =
  | Reply[]
  | ReadonlyMap<string, Reply>
  | Bytes
  | number
  | bigint
  | null
  | Simple;

/** A line. */
export interface Simple {
  readonly line: Bytes;
}

/** Returns a simple string, or an error if it begins with `-`. */
export function simple(text: string): Simple {
  const line = text.startsWith("-") ? text : `+${text}`;
  return { line: fromLatin1(`${line.replaceAll(/[\r\n]/g, " ")}\r\n`) };
}

/** The null of an array. */
export const NULL_ARRAY: Simple = { line: fromLatin1("*-1\r\n") };

/** The version of the protocol. Version 3 has one null, and pairs; other differences do not matter here. */
export type Version = 2 | 3;

const NULL = { 2: fromLatin1("$-1\r\n"), 3: fromLatin1("_\r\n") };

/** Encodes a reply, and returns its parts. */
export function encode(
  reply: Reply,
  version: Version = 2,
  to: Bytes[] = [],
): Bytes[] {
  if (reply === null || version === 3 && reply === NULL_ARRAY) {
    to.push(NULL[version]);
  } else if (typeof reply === "number" || typeof reply === "bigint") {
    to.push(fromLatin1(`:${reply}\r\n`));
  } else if (reply instanceof Uint8Array) to.push(bulk(reply));
  else if (Array.isArray(reply)) {
    to.push(fromLatin1(`*${reply.length}\r\n`));
    for (const each of reply) encode(each, version, to);
  } else if (reply instanceof Map) {
    const head = version === 2 ? `*${2 * reply.size}` : `%${reply.size}`;
    to.push(fromLatin1(`${head}\r\n`));
    for (const [key, value] of reply) {
      to.push(bulk(fromLatin1(key)));
      encode(value, version, to);
    }
  } else to.push((reply as Simple).line);
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
