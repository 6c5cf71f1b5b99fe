/**
 * Bytes to text and back, with Python's names and error handlers.
 *
 * @module
 */

import { noMistake } from "../waiting/promises.ts";
import { typeName } from "./file_arguments.ts";

/**
 * What to do with data that cannot be decoded or encoded: throw an error, replace it, or drop it.
 *
 * @category Files
 */
export type TextErrors = "strict" | "replace" | "ignore";

/** Decodes chunks in order; `last` ends the text, and the next call begins a new one. */
export type Decode = (bytes: Uint8Array, last: boolean) => string;

/** Encodes a string. */
export type Encode = (text: string) => Uint8Array;

const ERRORS: readonly unknown[] = ["strict", "replace", "ignore"];

/** The highest character of each one-byte encoding that `TextDecoder` lacks. */
const ONE_BYTE: Record<string, number> = {
  "ascii": 0x7f,
  "us-ascii": 0x7f,
  "latin-1": 0xff,
  "latin1": 0xff,
  "iso-8859-1": 0xff,
  "iso8859-1": 0xff,
};

const UTF_8: readonly string[] = ["utf-8", "utf8"];

const REPLACEMENT = "\ufffd";
const REPLACEMENT_BYTES = [0xef, 0xbf, 0xbd];

/** `String.fromCharCode` takes so many arguments on all systems; above, the stack may end. */
const ARGUMENTS_MAX = 8192;

function normalize(encoding: unknown, errors: unknown): string {
  if (typeof encoding !== "string") {
    throw new TypeError(
      `Cannot open a text file: encoding must be a string, got ${
        typeName(encoding)
      }`,
    );
  }
  if (!ERRORS.includes(errors)) {
    throw new TypeError(
      `Cannot open a text file: errors must be "strict", "replace" or "ignore", got "${errors}"`,
    );
  }
  return encoding.trim().toLowerCase().replaceAll("_", "-");
}

function unknownEncoding(encoding: string, cause?: unknown): RangeError {
  return new RangeError(
    `Cannot open a text file: unknown encoding ${JSON.stringify(encoding)}`,
    { cause },
  );
}

/**
 * Returns the decoder of an encoding.
 *
 * @param encoding `"ascii"`, `"latin-1"`, or a label of `TextDecoder`.
 * @param errors What to do with bytes that cannot be decoded.
 */
export function decoderFor(encoding: string, errors: TextErrors): Decode {
  const name = normalize(encoding, errors);
  if (Object.hasOwn(ONE_BYTE, name)) return oneByteDecoder(name, errors);
  let decoder: TextDecoder;
  try {
    const fatal = errors === "strict";
    decoder = new TextDecoder(name, { fatal, ignoreBOM: true });
  } catch (error) {
    throw unknownEncoding(encoding, error);
  }
  const decode: Decode = (bytes, last) => decodeWith(decoder, bytes, last);
  if (errors !== "ignore") return decode;
  return UTF_8.includes(name)
    ? ignoringUtf8(decode)
    : (bytes, last) => decode(bytes, last).replaceAll(REPLACEMENT, "");
}

function decodeWith(
  decoder: TextDecoder,
  bytes: Uint8Array,
  last: boolean,
): string {
  try {
    return decoder.decode(bytes, { stream: !last });
  } catch (error) {
    throw undecodable(decoder.encoding, error);
  }
}

function undecodable(encoding: string, cause?: unknown): TypeError {
  return noMistake( // the peer sent it
    new TypeError(`Cannot decode text: the data is not valid ${encoding}`, {
      cause,
    }),
  );
}

function oneByteDecoder(name: string, errors: TextErrors): Decode {
  const max = ONE_BYTE[name];
  const beyond = errors === "ignore" ? "" : REPLACEMENT;
  return (bytes) => {
    const parts: string[] = [];
    for (let at = 0; at < bytes.length; at += ARGUMENTS_MAX) {
      parts.push(
        String.fromCharCode(...bytes.subarray(at, at + ARGUMENTS_MAX)),
      );
    }
    const text = parts.join("");
    if (max === 0xff || !bytes.some((byte) => byte > max)) return text;
    if (errors === "strict") throw undecodable(name);
    return text.replace(/[\x80-\xff]/g, beyond);
  };
}

/**
 * Drops bytes that cannot be decoded and keeps the U+FFFD that the peer sent. No other sequence contains the bytes of
 * U+FFFD, so wherever they stand the peer has sent one.
 */
function ignoringUtf8(decode: Decode): Decode {
  const keep = (bytes: Uint8Array, last: boolean) =>
    decode(bytes, last).replaceAll(REPLACEMENT, "");
  let held = new Uint8Array(0);
  return (chunk, last) => {
    const bytes = new Uint8Array(held.length + chunk.length);
    bytes.set(held);
    bytes.set(chunk, held.length);
    const end = last ? bytes.length : bytes.length - replacementBegun(bytes);
    held = bytes.slice(end);
    let text = "";
    let start = 0;
    for (
      let at = findReplacement(bytes, 0);
      at >= 0;
      at = findReplacement(bytes, start)
    ) {
      text += keep(bytes.subarray(start, at + 3), false) + REPLACEMENT;
      start = at + 3;
    }
    return text + keep(bytes.subarray(start, end), last);
  };
}

/** Returns the position of the bytes of U+FFFD at or after `start`, or -1. */
function findReplacement(bytes: Uint8Array, start: number): number {
  let at = bytes.indexOf(0xef, start);
  while (at >= 0 && !(bytes[at + 1] === 0xbf && bytes[at + 2] === 0xbd)) {
    at = bytes.indexOf(0xef, at + 1);
  }
  return at;
}

/** Returns how many bytes of an unfinished U+FFFD are at the end of `bytes`: 0, 1 or 2. */
function replacementBegun(bytes: Uint8Array): number {
  const { length } = bytes;
  if (bytes[length - 1] === REPLACEMENT_BYTES[0]) return 1;
  const both = bytes[length - 2] === REPLACEMENT_BYTES[0] &&
    bytes[length - 1] === REPLACEMENT_BYTES[1];
  return both ? 2 : 0;
}

/**
 * Returns the encoder of an encoding.
 *
 * @param encoding `"utf-8"`, `"ascii"` or `"latin-1"`.
 * @param errors What to do with characters that the encoding lacks.
 */
export function encoderFor(encoding: string, errors: TextErrors): Encode {
  const name = normalize(encoding, errors);
  if (UTF_8.includes(name)) return utf8Encoder(errors);
  if (!Object.hasOwn(ONE_BYTE, name)) {
    throw new RangeError(
      `Cannot write text as ${
        JSON.stringify(encoding)
      }: only utf-8, ascii and latin-1 can be written`,
    );
  }
  const max = ONE_BYTE[name];
  return (text) => {
    const fitting = Array.from(text, (character) => {
      return character.codePointAt(0)! <= max
        ? character
        : substitute(character, name, errors);
    }).join("");
    return Uint8Array.from(fitting, (character) => character.charCodeAt(0));
  };
}

function utf8Encoder(errors: TextErrors): Encode {
  const encoder = new TextEncoder();
  return (text) => {
    if (text.isWellFormed()) return encoder.encode(text);
    return encoder.encode(
      text.replace(
        /\p{Surrogate}/gu,
        (lone) => substitute(lone, "utf-8", errors),
      ),
    );
  };
}

/** Returns what to write for a character that the encoding lacks. */
function substitute(
  character: string,
  encoding: string,
  errors: TextErrors,
): string {
  if (errors === "strict") {
    throw new TypeError(
      `Cannot encode text: ${encoding} has no ${JSON.stringify(character)}`,
    );
  }
  return errors === "replace" ? "?" : "";
}
