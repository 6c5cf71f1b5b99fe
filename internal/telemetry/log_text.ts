/**
 * Texts for lines of a log. Nothing that a client sends can end a line or act on a terminal.
 *
 * @module
 */

import { type Address, formatAddress } from "../base/address.ts";

/** The characters of an error that a line shows. Arbitrary. */
const TEXT_MAX = 1000;

/** Control characters, those without a width or that change the direction, ends of lines and halves of pairs. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\\]/gu;

/** Returns a text with all characters escaped that a log should not contain, and at most a thousand of the others. */
function escapeText(text: string): string {
  const shown = text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}...` : text;
  return shown.replace(UNSAFE, escapeCharacter);
}

/** Returns a text as one field of a line: also without spaces and quotes. */
export function escapeField(text: string): string {
  return escapeText(text).replace(/[\s"]/gu, escapeCharacter);
}

function escapeCharacter(character: string): string {
  if (character === "\\") return "\\\\";
  const code = character.codePointAt(0)!.toString(16);
  return code.length > 2 ? `\\u{${code}}` : `\\x${code.padStart(2, "0")}`;
}

/** Returns an address as a field; `-` for a client on an unnamed Unix socket. */
export function addressField(address: Address | null): string {
  try {
    return escapeField(formatAddress(address ?? "")) || "-";
  } catch { // an override of getRequest may return any value as address
    return "?";
  }
}

/** Returns a short text for any thrown value. */
export function errorText(error: unknown): string {
  try {
    const { code } = Object(error);
    const text = String(error);
    return escapeText(
      typeof code === "string" && !text.includes(code)
        ? `${text} (${code})`
        : text,
    );
  } catch {
    return "a value that cannot be shown";
  }
}

/** Returns seconds with the precision of a log. */
export function secondsText(seconds: number): string {
  return seconds.toFixed(6);
}

const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** Returns a time as the Common Log Format writes it, in UTC: `29/Nov/2026:22:10:00 +0000`. */
export function logTime(time: Date): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const date = [
    two(time.getUTCDate()),
    MONTHS[time.getUTCMonth()],
    time.getUTCFullYear(),
  ].join("/");
  const clock = [time.getUTCHours(), time.getUTCMinutes(), time.getUTCSeconds()]
    .map(two).join(":");
  return `${date}:${clock} +0000`;
}
