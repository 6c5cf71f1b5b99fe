/**
 * Reading and writing the text of IP addresses.
 * Sources: RFC 4291, RFC 5952, inet(3) and inet_pton(3) of glibc.
 *
 * @module
 */

const DOT = 0x2e;
const ZERO = 0x30;
const COLON = 0x3a;

/** The longest of the strict form: `255.255.255.255`. */
const IPV4_LENGTH = 15;

/** The groups that {@linkcode readIPv6} read last. Shared, because `sendto` asks for every datagram. */
const groups = new Uint16Array(8);

/** Returns the value of the strict four-part form from `start` to the end of `text`, or -1. */
export function readIPv4(text: string, start = 0): number {
  if (text.length - start > IPV4_LENGTH) return -1;
  let value = 0;
  let part = -1;
  let dots = 0;
  for (let at = start; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    const digit = unit - ZERO;
    if (digit >= 0 && digit <= 9) {
      if (part === 0) return -1; // a leading zero: octal to inet_aton, decimal to others
      part = part < 0 ? digit : part * 10 + digit;
      if (part > 255) return -1;
    } else if (unit === DOT && part >= 0) {
      dots++;
      value = value * 256 + part;
      part = -1;
    } else return -1;
  }
  return dots === 3 && part >= 0 ? value * 256 + part : -1;
}

/** Returns the value of one group of one to four hexadecimal digits, or -1. */
function readGroup(text: string, start: number, end: number): number {
  if (end === start || end - start > 4) return -1;
  let value = 0;
  for (let at = start; at < end; at++) {
    const unit = text.charCodeAt(at);
    const digit = unit - ZERO;
    const letter = (unit | 0x20) - 0x61;
    if (digit >= 0 && digit <= 9) value = value * 16 + digit;
    else if (letter >= 0 && letter <= 5) value = value * 16 + letter + 10;
    else return -1;
  }
  return value;
}

/** Reads all of `text`, without a scope id, into `groups`. Reports whether it is IPv6. */
function readIPv6(text: string): boolean {
  let count = 0;
  let gap = text.startsWith("::") ? 0 : -1; // the group before which "::" stands
  let start = gap < 0 ? 0 : 2;
  while (start < text.length) {
    const colon = text.indexOf(":", start);
    const last = colon < 0;
    if (last && text.indexOf(".", start) >= 0) {
      if (!readQuad(text, start, count)) return false;
      count += 2;
      break;
    }
    const group = readGroup(text, start, last ? text.length : colon);
    if (group < 0 || count === 8) return false;
    groups[count++] = group;
    if (last) break;
    start = colon + 1;
    if (start === text.length) return false;
    if (text.charCodeAt(start) !== COLON) continue;
    if (gap >= 0) return false;
    gap = count;
    start++;
  }
  return gap < 0 ? count === 8 : spread(gap, count);
}

/** Reads an IPv4 address that stands for the last two groups. */
function readQuad(text: string, start: number, count: number): boolean {
  const value = readIPv4(text, start);
  if (value < 0 || count > 6) return false;
  groups[count] = value >>> 16;
  groups[count + 1] = value & 0xffff;
  return true;
}

/** Moves the groups after "::" to the end; "::" stands for one group at least. */
function spread(gap: number, count: number): boolean {
  const tail = 8 - (count - gap);
  groups.copyWithin(tail, gap, count);
  groups.fill(0, gap, tail);
  return tail > gap;
}

/**
 * Reports whether a text is an IPv4 address: four decimal parts without leading zeros.
 *
 * @param text The text.
 * @returns Whether it is one.
 */
export function isIPv4(text: string): boolean {
  return readIPv4(text) >= 0;
}

/**
 * Reports whether a text is an IPv6 address. A scope id such as `%eth0` may follow; no interface of that name has to
 * exist.
 *
 * @param text The text.
 * @returns Whether it is one.
 */
export function isIPv6(text: string): boolean {
  const percent = text.indexOf("%");
  if (percent < 0) return readIPv6(text);
  return /^[^\s%/]+$/.test(text.slice(percent + 1)) &&
    readIPv6(text.slice(0, percent));
}

/** Returns the value of any form that inet_aton(3) reads, or -1. */
export function readAton(text: string): number {
  const parts = text.split(".");
  let value = 0;
  for (const [index, part] of parts.entries()) {
    if (index > 3 || !/^(?:0x[\da-f]+|0[0-7]*|[1-9]\d*)$/i.test(part)) {
      return -1;
    }
    const octal = part[0] === "0" && /^\d+$/.test(part);
    const number = octal ? parseInt(part, 8) : Number(part);
    const last = index === parts.length - 1; // it fills the bytes that are left
    if (number >= (last ? 256 ** (4 - index) : 256)) return -1;
    value += last ? number : number * 256 ** (3 - index);
  }
  return value;
}

/** Returns the 16 bytes of an IPv6 address without a scope id, or undefined. */
export function bytesOfIPv6(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!readIPv6(text)) return undefined;
  const packed = new Uint8Array(16);
  for (const [i, group] of groups.entries()) {
    packed[2 * i] = group >>> 8;
    packed[2 * i + 1] = group;
  }
  return packed;
}

/** Formats a 32-bit value as dotted text. */
export function formatIPv4(value: number): string {
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${
    value & 255
  }`;
}

/** Formats 16 bytes as text, as glibc does. */
export function formatIPv6(packed: Uint8Array): string {
  const words = Array.from(
    { length: 8 },
    (_, i) => packed[2 * i] << 8 | packed[2 * i + 1],
  );
  const [start, length] = longestZeros(words);
  const text = words.map((word) => word.toString(16));
  if (start === 0 && (length === 6 || (length === 5 && words[5] === 0xffff))) {
    text.splice(6, 2, packed.subarray(12).join("."));
  }
  if (length < 2) return text.join(":");
  return `${text.slice(0, start).join(":")}::${
    text.slice(start + length).join(":")
  }`;
}

/** Returns the start and the length of the first of the longest runs of zero groups. */
function longestZeros(words: number[]): [start: number, length: number] {
  let start = 0;
  let length = 0;
  let run = 0;
  for (const [i, word] of words.entries()) {
    run = word === 0 ? run + 1 : 0;
    if (run > length) length = run, start = i + 1 - run;
  }
  return [start, length];
}
