/**
 * The line of version 1 of the PROXY protocol.
 *
 * @module
 */

import type { InetAddress } from "../base/address.ts";
import {
  AF_INET,
  AF_INET6,
  AF_UNSPEC,
  SOCK_STREAM,
} from "../base/constants.ts";
import { bytesOfIPv6, formatIPv6, isIPv4 } from "../base/ip_text.ts";
import { badHeader, type ProxyHeader } from "./header.ts";

const latin1 = new TextDecoder("latin1");

/** The longest line in bytes, with CR and LF. */
const LINE_MAX = 107;

/** The beginnings of a line. */
const BEGINNINGS = ["PROXY TCP4 ", "PROXY TCP6 ", "PROXY UNKNOWN"];

const LINE =
  /^PROXY (TCP[46]) ([\da-fA-F:.]+) ([\da-fA-F:.]+) (\d{1,5}) (\d{1,5})\r\n$/;

/**
 * Returns the length of the line at the start of the bytes; undefined if its end has not come yet.
 *
 * @throws {OSError} EPROTO as soon as the bytes cannot become a line.
 */
export function lineLength(bytes: Uint8Array): number | undefined {
  const text = textOf(bytes.subarray(0, LINE_MAX));
  if (
    !BEGINNINGS.some((begin) => begin.startsWith(text.slice(0, begin.length)))
  ) {
    throw badHeader(`unknown protocol in ${JSON.stringify(text.slice(0, 20))}`);
  }
  const end = text.indexOf("\r\n");
  if (end >= 0) return end + 2;
  if (bytes.length >= LINE_MAX) {
    throw badHeader(`no CRLF within ${LINE_MAX} bytes`);
  }
  if (!text.startsWith(BEGINNINGS[2]) && /\n|\r./.test(text)) {
    throw badHeader("a CR or LF without the other");
  }
}

/** Reads a whole line. */
export function readLine(bytes: Uint8Array): ProxyHeader {
  const text = textOf(bytes);
  const header = { version: 1, command: "PROXY", checksum: false } as const;
  if (/^PROXY UNKNOWN[ \r]/.test(text)) {
    const unknown = { family: AF_UNSPEC, type: 0, source: null };
    return { ...header, ...unknown, destination: null, tlvs: [] };
  }
  const match = LINE.exec(text);
  if (match === null) throw badHeader(`malformed line ${JSON.stringify(text)}`);
  const [, protocol, from, to, fromPort, toPort] = match;
  const family = protocol === "TCP4" ? AF_INET : AF_INET6;
  return {
    ...header,
    family,
    type: SOCK_STREAM,
    source: [readHost(family, from), readPort(fromPort)],
    destination: [readHost(family, to), readPort(toPort)],
    tlvs: [],
  };
}

/** Returns an address in its canonical form, so that one client has one address. */
function readHost(family: number, text: string): string {
  if (family === AF_INET && isIPv4(text)) return text;
  const bytes = family === AF_INET6 ? bytesOfIPv6(text) : undefined;
  if (bytes !== undefined) return formatIPv6(bytes);
  const version = family === AF_INET ? 4 : 6;
  throw badHeader(`no IPv${version} address: ${JSON.stringify(text)}`);
}

function readPort(text: string): number {
  const port = Number(text);
  if (String(port) === text && port <= 65_535) return port;
  throw badHeader(`no port: ${JSON.stringify(text)}`);
}

/** Returns bytes as text, one character for each. */
function textOf(bytes: Uint8Array): string {
  return latin1.decode(bytes);
}

/** Writes the line for two addresses of one family; without addresses, that they are not known. */
export function writeLine(
  addresses?: readonly [source: InetAddress, destination: InetAddress],
): string {
  if (addresses === undefined) return "PROXY UNKNOWN\r\n";
  const [[from, fromPort], [to, toPort]] = addresses;
  const protocol = from.includes(":") ? "TCP6" : "TCP4";
  return `PROXY ${protocol} ${from} ${to} ${fromPort} ${toPort}\r\n`;
}
