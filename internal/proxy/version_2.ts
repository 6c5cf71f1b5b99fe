/**
 * The binary form of version 2 of the PROXY protocol.
 *
 * @module
 */

import type { Address, InetAddress } from "../base/address.ts";
import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  AF_UNSPEC,
  SOCK_DGRAM,
  SOCK_STREAM,
} from "../base/constants.ts";
import {
  bytesOfIPv6,
  formatIPv4,
  formatIPv6,
  readIPv4,
} from "../base/ip_text.ts";
import { joinBytes, memory } from "../base/memory.ts";
import {
  badHeader,
  FIXED_LENGTH,
  HEADER_MAX,
  type ProxyHeader,
  type ProxyTlv,
  SIGNATURE,
} from "./header.ts";
import {
  readTlvs,
  splitTlvs,
  TYPE,
  writeTlv,
  writeTlvs,
  type WrittenTlvs,
} from "./tlvs.ts";

const LOCAL = 0;
const PROXY = 1;

/** The families, by their number in a header, and the lengths of their two addresses with ports. */
const FAMILIES = [AF_UNSPEC, AF_INET, AF_INET6, AF_UNIX];
const LENGTHS = [0, 12, 36, 216];

/** The types of sockets, by their number in a header. */
const TYPES = [0, SOCK_STREAM, SOCK_DGRAM];

/** The bytes of the path of a Unix socket: `sun_path` of unix(7). */
const PATH_LENGTH = 108;

const decoder = new TextDecoder();

/**
 * Returns the length of the header whose signature is at the start of the bytes; undefined if not enough has come.
 *
 * @throws {OSError} EPROTO as soon as the bytes cannot become a header.
 */
export function binaryLength(bytes: Uint8Array): number | undefined {
  if (bytes.length > 12) checkCommand(bytes[12]);
  if (bytes.length > 13) checkProtocol(bytes[13]);
  if (bytes.length < FIXED_LENGTH) return undefined;
  const length = FIXED_LENGTH + (bytes[14] << 8 | bytes[15]);
  if (length > HEADER_MAX) {
    throw badHeader(`${length} bytes are more than ${HEADER_MAX}`);
  }
  const [command, family] = [bytes[12] & 15, bytes[13] >> 4];
  if (command === PROXY && length < FIXED_LENGTH + addressLength(bytes[13])) {
    throw badHeader(
      `${
        length - FIXED_LENGTH
      } bytes are too few for addresses of family ${family}`,
    );
  }
  return length;
}

function checkCommand(byte: number): void {
  if (byte >> 4 !== 2) throw badHeader(`unknown version ${byte >> 4}`);
  if ((byte & 15) > PROXY) throw badHeader(`unknown command ${byte & 15}`);
}

function checkProtocol(byte: number): void {
  const [family, type] = [byte >> 4, byte & 15];
  if (family < FAMILIES.length && type < TYPES.length) return;
  throw badHeader(`unknown family or protocol 0x${byte.toString(16)}`);
}

/** Returns the length of the addresses. Without a family or a protocol, there are none to read. */
function addressLength(protocol: number): number {
  return (protocol & 15) === 0 ? 0 : LENGTHS[protocol >> 4];
}

/** Reads a whole header. */
export function readBinary(bytes: Uint8Array): ProxyHeader {
  const local = (bytes[12] & 15) === LOCAL;
  const length = addressLength(bytes[13]);
  const known = !local && length > 0;
  const at = FIXED_LENGTH + length;
  const fields = known
    ? splitTlvs(bytes.subarray(at))
    : looseTlvs(bytes.subarray(Math.min(at, bytes.length)));
  checkChecksum(bytes, fields);
  const [source, destination] = known
    ? readAddresses(bytes[13] >> 4, bytes)
    : [null, null];
  return {
    version: 2,
    command: local ? "LOCAL" : "PROXY",
    family: known ? FAMILIES[bytes[13] >> 4] : AF_UNSPEC,
    type: known ? TYPES[bytes[13] & 15] : 0,
    source,
    destination,
    ...readTlvs(fields),
  };
}

/**
 * Returns the fields of a header whose addresses are not read. The receiver must accept any bytes there, so bytes that are
 * no fields are ignored.
 */
function looseTlvs(bytes: Uint8Array): ProxyTlv[] {
  try {
    const fields = splitTlvs(bytes);
    readTlvs(fields);
    return fields;
  } catch {
    return [];
  }
}

/** Throws if a header has a checksum that is wrong, or more than one. */
function checkChecksum(bytes: Uint8Array, fields: readonly ProxyTlv[]): void {
  const sums = fields.filter(({ type }) => type === TYPE.checksum);
  if (sums.length === 0) return;
  const [{ value }] = sums;
  if (sums.length > 1 || value.length !== 4) {
    throw badHeader("a checksum must be one field of 4 bytes");
  }
  let at = bytes.length;
  for (const field of fields.toReversed()) {
    at -= field.value.length;
    if (field === sums[0]) break;
    at -= 3;
  }
  const found = new DataView(value.buffer, value.byteOffset).getUint32(0);
  const right = crc32c(bytes, at);
  if (found === right) return;
  const [got, expected] = [found, right].map((sum) => sum.toString(16));
  throw badHeader(`the checksum is ${got}, and should be ${expected}`);
}

function readAddresses(
  family: number,
  bytes: Uint8Array,
): [source: Address, destination: Address] {
  const size = [0, 4, 16, PATH_LENGTH][family];
  const hosts = [0, size].map((from) =>
    bytes.subarray(FIXED_LENGTH + from, FIXED_LENGTH + from + size)
  );
  if (size === PATH_LENGTH) return [readPath(hosts[0]), readPath(hosts[1])];
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const ports = FIXED_LENGTH + 2 * size;
  const [source, destination] = hosts.map((host, i): Address => [
    size === 4
      ? formatIPv4(new DataView(host.buffer, host.byteOffset).getUint32(0))
      : formatIPv6(host),
    view.getUint16(ports + 2 * i),
  ]);
  return [source, destination];
}

/** Reads a path up to its NUL, or an abstract name, which begins with one. */
function readPath(bytes: Uint8Array): string {
  const abstract = bytes[0] === 0;
  let end = abstract ? bytes.length : bytes.indexOf(0);
  if (end < 0) end = bytes.length;
  while (abstract && end > 0 && bytes[end - 1] === 0) end--;
  return decoder.decode(bytes.subarray(0, end));
}

/** The header to write. */
export interface BinaryHeader extends WrittenTlvs {
  readonly local: boolean;
  readonly family: number;
  readonly type: number;
  readonly addresses?: readonly [source: Address, destination: Address];
  readonly checksum: boolean;
}

/** Writes a header. */
export function writeBinary(header: BinaryHeader): Uint8Array<ArrayBuffer> {
  const { local, family, type, addresses, checksum } = header;
  const block = joinBytes([
    addresses === undefined ? memory(0) : writeAddresses(family, addresses),
    writeTlvs(header),
    checksum ? writeTlv(TYPE.checksum, new Uint8Array(4)) : memory(0),
  ]);
  const protocol = addresses === undefined
    ? 0
    : FAMILIES.indexOf(family) << 4 | TYPES.indexOf(type);
  const fixed = writeFixed(local ? LOCAL : PROXY, protocol, block.length);
  const bytes = joinBytes([SIGNATURE, fixed, block]);
  if (checksum) {
    new DataView(bytes.buffer, bytes.byteOffset)
      .setUint32(bytes.length - 4, crc32c(bytes));
  }
  return bytes;
}

/** Writes the four bytes after the signature: version and command, protocol, and the length of the rest. */
function writeFixed(
  command: number,
  protocol: number,
  length: number,
): Uint8Array {
  if (length > 65_535) {
    throw new RangeError(
      `Cannot write a PROXY header: it must have at most 65551 bytes, got ${
        FIXED_LENGTH + length
      }`,
    );
  }
  return Uint8Array.of(0x20 | command, protocol, length >>> 8, length & 255);
}

function writeAddresses(
  family: number,
  addresses: readonly [source: Address, destination: Address],
): Uint8Array {
  if (family === AF_UNIX) return joinBytes(addresses.map(writePath));
  const inet = addresses as readonly InetAddress[];
  const hosts = inet.map(([host]) =>
    family === AF_INET ? bytesOfIPv4(host) : bytesOfIPv6(host)!
  );
  const ports = memory(4);
  const view = new DataView(ports.buffer, ports.byteOffset);
  inet.forEach(([, port], i) => view.setUint16(2 * i, port));
  return joinBytes([...hosts, ports]);
}

function bytesOfIPv4(host: string): Uint8Array {
  const value = readIPv4(host);
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

function writePath(path: Address): Uint8Array {
  const bytes = new Uint8Array(PATH_LENGTH);
  const text = new TextEncoder().encode(path as string);
  if (text.length > PATH_LENGTH) {
    throw new RangeError(
      `Cannot write a PROXY header: a path must have at most ${PATH_LENGTH} bytes, got ${text.length}`,
    );
  }
  bytes.set(text);
  return bytes;
}

/** The polynomial 0x1EDC6F41, with its bits reversed. */
const POLYNOMIAL = 0x82f63b78;

/** The checksums of the single bytes, computed at the first use. */
let table: Uint32Array | undefined;

function makeTable(): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) {
      value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
    }
    return value;
  });
}

/**
 * Returns the checksum of some bytes, as a number from 0 to 2^32 - 1.
 *
 * @param bytes The bytes.
 * @param zeroedAt The place of four bytes that count as zeros: those of the checksum itself.
 */
export function crc32c(bytes: Uint8Array, zeroedAt = Infinity): number {
  const sums = table ??= makeTable();
  let crc = 0xffffffff;
  for (let at = 0; at < bytes.length; at++) {
    const zeroed = at >= zeroedAt && at < zeroedAt + 4;
    crc = sums[(crc ^ (zeroed ? 0 : bytes[at])) & 255] ^ (crc >>> 8);
  }
  return ~crc >>> 0;
}
