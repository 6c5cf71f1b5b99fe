/**
 * Bytes and text for tests: from text, at random with a seed, cut and joined.
 *
 * @module
 */

import { createHash } from "node:crypto";

export type Bytes = Uint8Array<ArrayBuffer>;

/** Returns the UTF-8 bytes of a string. */
export function bytes(text: string): Bytes {
  return new TextEncoder().encode(text);
}

/** Returns the string that UTF-8 bytes encode. */
export function text(data: Uint8Array): string {
  return new TextDecoder().decode(data);
}

/** Returns a string with one character for each byte. */
export function latin1(data: Uint8Array): string {
  return Array.from(data, (byte) => String.fromCharCode(byte)).join("");
}

/** Returns the bytes of a string from {@linkcode latin1}. */
export function fromLatin1(data: string): Bytes {
  return Uint8Array.from(data, (character) => character.charCodeAt(0));
}

/** Joins pieces into one array. */
export function concat(pieces: readonly Uint8Array[]): Bytes {
  const whole = new Uint8Array(
    pieces.reduce((sum, { length }) => sum + length, 0),
  );
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** Returns the SHA-256 digest in hexadecimal. */
export function digest(data: Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

/** Returns a generator of random numbers, the same in each run (mulberry32). `random(n)` returns 0 to n - 1. */
export function seeded(seed: number): (below: number) => number {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (((mixed ^ (mixed >>> 14)) >>> 0) % below);
  };
}

/** Returns bytes from a generator of {@linkcode seeded}. */
export function randomBytes(
  length: number,
  random: (below: number) => number,
): Bytes {
  return Uint8Array.from({ length }, () => random(256));
}

/** Returns bytes that count up from `first`. */
export function countingBytes(length: number, first: number): Bytes {
  return new Uint8Array(length).map((_, i) => first + i);
}

/** Cuts `data` into chunks of 1 to `most` bytes. */
export function cut(
  data: Bytes,
  random: (below: number) => number,
  most: number,
): Bytes[] {
  const chunks: Bytes[] = [];
  for (let at = 0; at < data.length;) {
    const end = at + 1 + random(most);
    chunks.push(data.slice(at, end));
    at = end;
  }
  return chunks;
}
