/**
 * Python's functions for IP addresses, as text and as bytes, and for the byte order of numbers. Does no I/O.
 *
 * @module
 */

import { AF_INET, AF_INET6 } from "./constants.ts";
import type { OSError } from "./errors.ts";
import { osError } from "./translate_error.ts";
import { bytesOfIPv6, formatIPv6, readAton, readIPv4 } from "./ip_text.ts";

export { isIPv4, isIPv6 } from "./ip_text.ts";

/**
 * Turns the text of an IPv4 address into 4 bytes, in network byte order. Reads all that
 * inet_aton(3) reads: `a.b.c.d`, `a.b.c`, `a.b` and `a`, parts in octal (`010`) and hexadecimal
 * (`0x10`), and ignores text after white space. {@linkcode inetPton} is strict.
 *
 * @param text The address.
 * @returns The 4 bytes.
 * @throws {OSError} EINVAL if the text is not an address.
 * @category Addresses
 * @example
 * ```ts
 * import { inetAton } from "@socketserver/socketserver";
 * import { deepStrictEqual } from "node:assert/strict";
 *
 * deepStrictEqual([...inetAton("127.1")], [127, 0, 0, 1]);
 * ```
 */
export function inetAton(text: string): Uint8Array<ArrayBuffer> {
  checkText(text, "inetAton");
  const packed = bytesOf(readAton(text.replace(/[\t-\r ][^]*/, "")));
  if (packed === undefined) throw illegal(text, "inetAton");
  return packed;
}

/**
 * Turns 4 bytes into the text of an IPv4 address.
 *
 * @param packed The 4 bytes, in network byte order.
 * @returns The address.
 * @throws {TypeError} if `packed` is not a `Uint8Array`.
 * @throws {RangeError} if it does not have 4 bytes.
 * @category Addresses
 * @example
 * ```ts
 * import { inetNtoa } from "@socketserver/socketserver";
 * import { strictEqual } from "node:assert/strict";
 *
 * strictEqual(inetNtoa(new Uint8Array([192, 0, 2, 1])), "192.0.2.1");
 * ```
 */
export function inetNtoa(packed: Uint8Array): string {
  checkPacked(packed, 4, "inetNtoa");
  return packed.join(".");
}

/**
 * Turns the text of an address into bytes, in network byte order. Takes the strict form of
 * IPv4, and IPv6 without a scope id.
 *
 * @param family `AF_INET` or `AF_INET6`.
 * @param text The address.
 * @returns 4 bytes for IPv4, 16 for IPv6.
 * @throws {OSError} EINVAL if the text is not an address of the family, EAFNOSUPPORT if the
 *   family is another.
 * @category Addresses
 * @example
 * ```ts
 * import { AF_INET6, inetPton } from "@socketserver/socketserver";
 * import { strictEqual } from "node:assert/strict";
 *
 * strictEqual(inetPton(AF_INET6, "::1")[15], 1);
 * ```
 */
export function inetPton(
  family: number,
  text: string,
): Uint8Array<ArrayBuffer> {
  checkFamily(family, "inetPton");
  checkText(text, "inetPton");
  const packed = family === AF_INET
    ? bytesOf(readIPv4(text))
    : bytesOfIPv6(text);
  if (packed === undefined) throw illegal(text, "inetPton");
  return packed;
}

/**
 * Turns bytes into the text of an address. Writes IPv6 as RFC 5952 and glibc
 * do: `::1.2.3.4` and `::ffff:1.2.3.4` show the IPv4 address inside.
 *
 * @param family `AF_INET` or `AF_INET6`.
 * @param packed 4 bytes for IPv4, 16 for IPv6.
 * @returns The address.
 * @throws {TypeError} if `packed` is not a `Uint8Array`.
 * @throws {RangeError} if it has another length.
 * @throws {OSError} EAFNOSUPPORT for another family.
 * @category Addresses
 * @example
 * ```ts
 * import { AF_INET6, inetNtop } from "@socketserver/socketserver";
 * import { strictEqual } from "node:assert/strict";
 *
 * strictEqual(inetNtop(AF_INET6, new Uint8Array(16)), "::");
 * ```
 */
export function inetNtop(family: number, packed: Uint8Array): string {
  checkFamily(family, "inetNtop");
  checkPacked(packed, family === AF_INET ? 4 : 16, "inetNtop");
  return family === AF_INET ? packed.join(".") : formatIPv6(packed);
}

/** Returns the bytes of a 32-bit value; undefined for the -1 of a reader. */
function bytesOf(value: number): Uint8Array<ArrayBuffer> | undefined {
  if (value < 0) return undefined;
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

function illegal(text: string, syscall: string): OSError {
  const reason = "illegal IP address string";
  return osError("EINVAL", { syscall, address: text, reason });
}

function checkText(text: string, syscall: string): void {
  if (typeof text !== "string") {
    throw new TypeError(
      `Cannot ${syscall}: the address must be a string, got ${typeof text}`,
    );
  }
}

function checkPacked(
  packed: Uint8Array,
  length: number,
  syscall: string,
): void {
  if (!(packed instanceof Uint8Array)) {
    throw new TypeError(
      `Cannot ${syscall}: packed must be a Uint8Array, got ${typeof packed}`,
    );
  }
  if (packed.length !== length) {
    throw new RangeError(
      `Cannot ${syscall}: packed must have ${length} bytes, got ${packed.length}`,
    );
  }
}

function checkFamily(family: number, syscall: string): void {
  if (family === AF_INET || family === AF_INET6) return;
  const reason = `the family must be AF_INET or AF_INET6, got ${family}`;
  throw osError("EAFNOSUPPORT", { syscall, reason });
}

const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

function swap16(value: number): number {
  return ((value & 0xff) << 8) | (value >>> 8);
}

function swap32(value: number): number {
  return ((swap16(value & 0xffff) << 16) | swap16(value >>> 16)) >>> 0;
}

function check(value: number, bits: number, name: string): void {
  if (!Number.isInteger(value)) {
    throw new TypeError(
      `Cannot ${name}: the value must be an integer, got ${String(value)}`,
    );
  }
  if (value < 0 || value >= 2 ** bits) {
    throw new RangeError(
      `Cannot ${name}: the value must be 0 to ${2 ** bits - 1}, got ${value}`,
    );
  }
}

/**
 * Turns a 16-bit number from host to network byte order.
 *
 * @param value The number, 0 to 65535.
 * @returns The number whose bytes, in memory, are in network order.
 * @throws {TypeError} if `value` is not an integer.
 * @throws {RangeError} if it does not fit in 16 bits.
 * @category Addresses
 * @example
 * ```ts
 * import { htons, ntohs } from "@socketserver/socketserver";
 * import { strictEqual } from "node:assert/strict";
 *
 * strictEqual(ntohs(htons(8080)), 8080);
 * ```
 */
export function htons(value: number): number {
  check(value, 16, "htons");
  return LITTLE_ENDIAN ? swap16(value) : value;
}

/**
 * Turns a 32-bit number from host to network byte order.
 *
 * @param value The number, 0 to 4294967295.
 * @returns The number whose bytes, in memory, are in network order.
 * @throws {TypeError} if `value` is not an integer.
 * @throws {RangeError} if it does not fit in 32 bits.
 * @category Addresses
 * @example
 * ```ts
 * import { htonl } from "@socketserver/socketserver";
 * import { strictEqual } from "node:assert/strict";
 *
 * const [first] = new Uint8Array(Uint32Array.of(htonl(0x7f000001)).buffer);
 * strictEqual(first, 0x7f);
 * ```
 */
export function htonl(value: number): number {
  check(value, 32, "htonl");
  return LITTLE_ENDIAN ? swap32(value) : value;
}

/**
 * Turns a 16-bit number from network to host byte order.
 *
 * @param value The number, 0 to 65535.
 * @returns The number.
 * @throws {TypeError} if `value` is not an integer.
 * @throws {RangeError} if it does not fit in 16 bits.
 * @category Addresses
 * @example
 * ```ts
 * import { ntohs } from "@socketserver/socketserver";
 * import { strictEqual } from "node:assert/strict";
 *
 * const [port] = new Uint16Array(Uint8Array.of(0x1f, 0x90).buffer);
 * strictEqual(ntohs(port), 8080);
 * ```
 */
export function ntohs(value: number): number {
  check(value, 16, "ntohs");
  return LITTLE_ENDIAN ? swap16(value) : value;
}

/**
 * Turns a 32-bit number from network to host byte order.
 *
 * @param value The number, 0 to 4294967295.
 * @returns The number.
 * @throws {TypeError} if `value` is not an integer.
 * @throws {RangeError} if it does not fit in 32 bits.
 * @category Addresses
 * @example
 * ```ts
 * import { ntohl } from "@socketserver/socketserver";
 * import { strictEqual } from "node:assert/strict";
 *
 * const [address] = new Uint32Array(Uint8Array.of(127, 0, 0, 1).buffer);
 * strictEqual(ntohl(address), 0x7f000001);
 * ```
 */
export function ntohl(value: number): number {
  check(value, 32, "ntohl");
  return LITTLE_ENDIAN ? swap32(value) : value;
}
