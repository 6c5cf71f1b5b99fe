/**
 * Numbers between the byte order of this machine and that of the network.
 *
 * @module
 */

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
 * @throws {TypeError} where `value` is no integer.
 * @throws {RangeError} where it does not fit in 16 bits.
 *
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
 * @throws {TypeError} where `value` is no integer.
 * @throws {RangeError} where it does not fit in 32 bits.
 *
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
 * @throws {TypeError} where `value` is no integer.
 * @throws {RangeError} where it does not fit in 16 bits.
 *
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
 * @throws {TypeError} where `value` is no integer.
 * @throws {RangeError} where it does not fit in 32 bits.
 *
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
