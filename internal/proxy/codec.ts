/**
 * Reads and writes headers of the PROXY protocol, both versions. Does no I/O.
 *
 * @module
 */

import {
  type Address,
  type AddressLike,
  checkPort,
  type InetAddress,
} from "../base/address.ts";
import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  AF_UNSPEC,
  SOCK_DGRAM,
  SOCK_STREAM,
} from "../base/constants.ts";
import { bytesOfIPv6, formatIPv6, isIPv4, isIPv6 } from "../base/ip_text.ts";
import {
  badHeader,
  type ProxyHeader,
  type ProxySsl,
  type ProxyTlv,
  SIGNATURE,
} from "./header.ts";
import { lineLength, readLine, writeLine } from "./version_1.ts";
import { binaryLength, readBinary, writeBinary } from "./version_2.ts";

const WRITING = "Cannot write a PROXY header";

/**
 * Returns the length of the header at the start of the bytes; undefined if more must come first.
 *
 * @throws {OSError} EPROTO as soon as the bytes cannot become a header.
 */
export function headerLength(bytes: Uint8Array): number | undefined {
  if (bytes.length === 0) return undefined;
  if (bytes[0] !== SIGNATURE[0]) return lineLength(bytes);
  const count = Math.min(bytes.length, SIGNATURE.length);
  for (let at = 1; at < count; at++) {
    if (bytes[at] !== SIGNATURE[at]) throw badHeader("no signature");
  }
  return binaryLength(bytes);
}

/**
 * Reads a header of the PROXY protocol, version 1 or 2, from the start of `bytes`. A server does this by itself with
 * {@linkcode ProxyProtocolMixIn}; this function is for programs that accept connections on their own.
 *
 * A checksum (CRC32c) is verified. Types of fields that this module does not know are in `tlvs`. `source` and
 * `destination` are null if the specification tells the receiver to ignore the addresses: for UNKNOWN, LOCAL, and a
 * family or protocol that is not specified.
 *
 * @param bytes The bytes that have come so far.
 * @returns The header, and its length in bytes; null if more bytes must come first.
 * @throws {OSError} EPROTO if the bytes are no header, as soon as they cannot become one. A line of version 1 has at most
 *   107 bytes, and a header of version 2 at most 16,384.
 * @category PROXY protocol
 * @example
 * ```ts
 * import { deepStrictEqual, strictEqual } from "node:assert/strict";
 * import { decodeProxyHeader } from "@socketserver/socketserver";
 *
 * const text = "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\nGET / HTTP/1.1\r\n";
 * const bytes = new TextEncoder().encode(text);
 * strictEqual(decodeProxyHeader(bytes.subarray(0, 20)), null);
 *
 * const { header, length } = decodeProxyHeader(bytes)!;
 * deepStrictEqual(header.source, ["192.0.2.1", 56324]);
 * strictEqual(text.slice(length), "GET / HTTP/1.1\r\n");
 * ```
 */
export function decodeProxyHeader(
  bytes: Uint8Array,
): { header: ProxyHeader; length: number } | null {
  const length = headerLength(bytes);
  if (length === undefined || bytes.length < length) return null;
  return { header: readHeader(bytes.subarray(0, length)), length };
}

/** Reads the header that fills all of the bytes. */
export function readHeader(bytes: Uint8Array): ProxyHeader {
  return bytes[0] === SIGNATURE[0] ? readBinary(bytes) : readLine(bytes);
}

/**
 * The header to write: the addresses of the client, or none for a connection of the program's own.
 *
 * @category PROXY protocol
 */
export interface ProxyHeaderOptions {
  /**
   * The version of the protocol. Version 1 has TCP addresses and nothing else.
   *
   * @default {2}
   */
  version?: 1 | 2;
  /**
   * `"LOCAL"` for a connection of the program's own, such as a health check.
   *
   * @default {"PROXY"}
   */
  command?: "PROXY" | "LOCAL";
  /**
   * `SOCK_STREAM` or `SOCK_DGRAM`.
   *
   * @default {SOCK_STREAM}
   */
  type?: number;
  /**
   * The address of the client. Without both addresses, the header says that they are not known.
   *
   * @default {null}
   */
  source?: AddressLike | null;
  /**
   * The address that the client connected to.
   *
   * @default {null}
   */
  destination?: AddressLike | null;
  /** The protocol above, as ALPN names it, such as `"h2"`. */
  alpn?: string;
  /** The name of the host that the client asked for. */
  authority?: string;
  /** At most 128 bytes that identify the connection. */
  uniqueId?: Uint8Array;
  /** The name of the network namespace. */
  netns?: string;
  /** The facts about the client's TLS connection. */
  ssl?: Partial<ProxySsl>;
  /**
   * Whether to add a checksum (CRC32c).
   *
   * @default {false}
   */
  checksum?: boolean;
  /** Other fields. */
  tlvs?: readonly ProxyTlv[];
}

/**
 * Writes a header of the PROXY protocol, for a program that passes the connections of its clients on: send the header
 * first, with one call, and then the bytes of the client. A {@linkcode ProxyHeader} that was read may be passed on as
 * it is.
 *
 * An IPv4 address beside an IPv6 address becomes one of IPv6, such as `::ffff:192.0.2.1`. Version 1 has no word for
 * Unix sockets and datagrams: such a header says that the addresses are not known.
 *
 * @param options The addresses, and more facts about the client.
 * @returns The bytes to send.
 * @throws {TypeError} if the addresses do not belong together, are names of hosts, or version 1 has no field for an
 *   option.
 * @throws {RangeError} if a number is out of range, or a field is too long.
 * @category PROXY protocol
 * @example
 * ```ts
 * import { strictEqual } from "node:assert/strict";
 * import { encodeProxyHeader } from "@socketserver/socketserver";
 *
 * const header = encodeProxyHeader({
 *   version: 1,
 *   source: ["192.0.2.1", 56324],
 *   destination: ["198.51.100.1", 443],
 * });
 * strictEqual(
 *   new TextDecoder().decode(header),
 *   "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n",
 * );
 * ```
 */
export function encodeProxyHeader(
  options: ProxyHeaderOptions = {},
): Uint8Array<ArrayBuffer> {
  const { version = 2, command = "PROXY", type = SOCK_STREAM } = options;
  if (version !== 1 && version !== 2) {
    throw new RangeError(`${WRITING}: version must be 1 or 2, got ${version}`);
  }
  if (command !== "PROXY" && command !== "LOCAL") {
    throw new TypeError(
      `${WRITING}: command must be "PROXY" or "LOCAL", got ${command}`,
    );
  }
  const local = command === "LOCAL";
  const [family, addresses] = local ? [AF_UNSPEC] : pair(options);
  if (version === 1) return line(options, family, addresses);
  if (addresses !== undefined && type !== SOCK_STREAM && type !== SOCK_DGRAM) {
    throw new RangeError(
      `${WRITING}: type must be SOCK_STREAM or SOCK_DGRAM, got ${type}`,
    );
  }
  const { checksum = false } = options;
  return writeBinary({ ...options, local, family, type, addresses, checksum });
}

/** Writes version 1. Throws if the options ask for a command or a field that only version 2 has. */
function line(
  options: ProxyHeaderOptions,
  family: number,
  addresses: Addresses | undefined,
): Uint8Array<ArrayBuffer> {
  const { alpn, authority, uniqueId, netns, ssl, tlvs = [] } = options;
  const fields = [alpn, authority, uniqueId, netns, ssl, ...tlvs];
  const local = options.command === "LOCAL";
  if (
    local || options.checksum || fields.some((field) => field !== undefined)
  ) {
    throw new TypeError(
      `${WRITING}: version 1 has no ${
        local ? "command LOCAL" : "fields"
      }; write version: 2`,
    );
  }
  const told = family !== AF_UNIX && options.type !== SOCK_DGRAM;
  const text = writeLine(
    told ? addresses as [InetAddress, InetAddress] | undefined : undefined,
  );
  return new TextEncoder().encode(text);
}

type Addresses = readonly [source: Address, destination: Address];

/** Returns the two addresses in one family. */
function pair(
  { source = null, destination = null }: ProxyHeaderOptions,
): [family: number, addresses?: Addresses] {
  if (source === null || destination === null) return [AF_UNSPEC];
  if (typeof source === "string" && typeof destination === "string") {
    return [AF_UNIX, [source, destination]];
  }
  const [from, to] = [source, destination].map(checkInet);
  const six = [from, to].some(([host]) => host.includes(":"));
  return six ? [AF_INET6, [mapped(from), mapped(to)]] : [AF_INET, [from, to]];
}

function checkInet(address: AddressLike): InetAddress {
  const [host, port] = Array.isArray(address) ? address : [];
  const literal = typeof host === "string" ? host.replace(/%.*/, "") : "";
  if (!isIPv4(literal) && !isIPv6(literal)) {
    throw new TypeError(
      `${WRITING}: source and destination must be both paths, or both [host, port] with IP addresses, got ${
        JSON.stringify(address)
      }`,
    );
  }
  checkPort(port, WRITING);
  return [literal, port];
}

/** Returns an address as an IPv6 address, in its canonical form. */
function mapped([host, port]: InetAddress): InetAddress {
  const six = host.includes(":") ? host : `::ffff:${host}`;
  return [formatIPv6(bytesOfIPv6(six)!), port];
}
