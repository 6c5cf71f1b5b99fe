/**
 * The head of a request: RFC 9112, sections 2 to 5. A head that two programs could read in two ways is an
 * error, because attackers smuggle requests through proxies that way.
 *
 * @module
 */

import {
  AF_INET6,
  type BufferedReader,
  inetPton,
  LimitOverrunError,
} from "@socketserver/socketserver";
import { HttpError } from "./errors.ts";

/** A request without its body. */
export interface Head {
  command: string;
  /** The path and the query. */
  target: string;
  /** 0 or 1, of HTTP/1. */
  minor: number;
  /** The values by names in lower case. Values of a repeated header are joined by ", ". */
  headers: Map<string, string>;
}

const HEADERS_MAX = 100;
const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const REQUEST_LINE = new RegExp(`^(${TOKEN}) ([!-~]+) HTTP/(\\d)\\.(\\d)$`);
/** No space before the colon, no control character in the value but tabs. */
const HEADER = new RegExp(`^(${TOKEN}):[ \t]*([^\0-\x08\n-\x1f\x7f]*?)[ \t]*$`);
/** A host in a header: an address in brackets, or a name, and a port. */
const HOST =
  /^(?:\[([\da-f:.]+)\]|((?:[\w.~!$&'()*+,;=-]|%[\da-f]{2})*))(?::\d*)?$/i;
/** The headers that may come once only. */
const SINGLE = new Set(["host", "content-length", "transfer-encoding"]);

/**
 * Reads a head of at most `limit` bytes; undefined if the client has closed before it.
 *
 * @param started Called with the command, as soon as it is known.
 */
export async function readHead(
  rfile: BufferedReader,
  limit: number,
  started: (command: string) => void,
): Promise<Head | undefined> {
  let tooLong = 414;
  try {
    let line = withoutEnd(await rfile.readline());
    if (line === "") line = withoutEnd(await rfile.readline()); // some clients send one too many
    if (line === undefined) return undefined;
    started(line.split(" ", 1)[0]);
    const [head, authority] = parseRequestLine(line);
    tooLong = 431;
    for (;;) {
      const field = withoutEnd(await rfile.readline());
      if (field === undefined) throw new HttpError(400, "the head ends early");
      if (field === "") break;
      limit -= field.length;
      addHeader(head.headers, field, limit);
    }
    checkHost(head, authority);
    return head;
  } catch (error) {
    if (error instanceof LimitOverrunError) throw new HttpError(tooLong);
    throw error;
  }
}

/** Reads a line; undefined at the end of the stream. */
export async function readLine(
  rfile: BufferedReader,
): Promise<string | undefined> {
  try {
    return withoutEnd(await rfile.readline());
  } catch (error) {
    if (error instanceof LimitOverrunError) throw new HttpError(431);
    throw error;
  }
}

function withoutEnd(line: Uint8Array): string | undefined {
  if (line.length === 0) return undefined;
  const end = line.length - 2;
  if (end < 0 || line[end] !== 13 || line[end + 1] !== 10) {
    throw new HttpError(400, "a line does not end with CR LF");
  }
  return String.fromCharCode(...line.subarray(0, end));
}

function parseRequestLine(line: string): [Head, authority?: string] {
  const match = REQUEST_LINE.exec(line);
  if (match === null) throw new HttpError(400, "that is no request line");
  const [, command, target, major, minor] = match;
  if (major !== "1") throw new HttpError(505);
  const [path, authority] = originForm(command, target);
  const head = {
    command,
    target: path,
    minor: Math.min(Number(minor), 1),
    headers: new Map<string, string>(),
  };
  return [head, authority];
}

/** Returns the path with the query, and the host of an absolute target: RFC 9112, section 3.2. */
function originForm(
  command: string,
  target: string,
): [path: string, authority?: string] {
  if (target.includes("#")) throw new HttpError(400, "that is no target");
  if (target.startsWith("/")) return [target];
  if (target === "*" && command === "OPTIONS") return [target];
  if (command === "CONNECT") return [target];
  const absolute = /^https?:\/\/([^/?]+)([/?].*)?$/i.exec(target);
  if (absolute === null || !isHost(absolute[1], true)) {
    throw new HttpError(400, "that is no target");
  }
  const rest = absolute[2] ?? "/";
  return [rest.startsWith("?") ? `/${rest}` : rest, absolute[1]];
}

/** Checks the host. The host of an absolute target replaces it. */
function checkHost({ headers, minor }: Head, authority?: string): void {
  const host = headers.get("host");
  if (host === undefined && minor > 0) throw new HttpError(400, "no Host");
  if (!isHost(host ?? "")) throw new HttpError(400, "that is no Host");
  if (authority !== undefined) headers.set("host", authority);
}

function isHost(text: string, named = false): boolean {
  const match = HOST.exec(text);
  if (match === null) return false;
  const [, address, name] = match;
  if (address === undefined) return name !== "" || !named;
  try {
    return inetPton(AF_INET6, address).length === 16;
  } catch {
    return false;
  }
}

/** Reports whether a line is a header, or a trailer. */
export function isHeader(line: string): boolean {
  return HEADER.test(line);
}

function addHeader(
  headers: Map<string, string>,
  line: string,
  left: number,
): void {
  if (left < 0 || headers.size >= HEADERS_MAX) throw new HttpError(431);
  const match = HEADER.exec(line);
  if (match === null) throw new HttpError(400, "that is no header");
  const name = match[1].toLowerCase();
  const before = headers.get(name);
  if (before !== undefined && SINGLE.has(name)) {
    throw new HttpError(400, `more than one ${name}`);
  }
  headers.set(name, before === undefined ? match[2] : `${before}, ${match[2]}`);
}
