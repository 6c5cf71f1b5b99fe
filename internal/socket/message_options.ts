/**
 * The flags and options of calls that send or receive.
 *
 * @module
 */

import { checkInteger } from "../base/arguments.ts";
import { MSG_DONTWAIT, MSG_PEEK, MSG_WAITALL } from "../base/constants.ts";
import { type AbortOptions, checkSignal } from "../waiting/abort.ts";

/**
 * The options of a call that sends or receives. They take the place of its flags.
 *
 * @category Options
 */
export interface MessageOptions extends AbortOptions {
  /**
   * The flags of the call, such as `MSG_PEEK`.
   *
   * @default {0}
   */
  flags?: number;
}

const FLAG_NAMES: Record<number, string> = {
  0x1: "MSG_OOB",
  [MSG_PEEK]: "MSG_PEEK",
  0x4: "MSG_DONTROUTE",
  0x20: "MSG_TRUNC",
  [MSG_DONTWAIT]: "MSG_DONTWAIT",
  0x80: "MSG_EOR",
  [MSG_WAITALL]: "MSG_WAITALL",
  0x2000: "MSG_ERRQUEUE",
  0x4000: "MSG_NOSIGNAL",
  0x8000: "MSG_MORE",
};

/** Flags without effect: in Deno a write to a closed connection raises no signal anyway. */
const NO_EFFECT = 0x4000;

/** Throws for a flag outside `allowed`, and names it. */
function checkFlags(
  flags: unknown,
  allowed: number,
  doing: string,
): void {
  checkInteger(flags, doing, "flags");
  const unknown = flags & ~(allowed | NO_EFFECT);
  if (unknown === 0) return;
  const bit = unknown & -unknown;
  const name = FLAG_NAMES[bit] ?? `0x${bit.toString(16)}`;
  throw new RangeError(
    `Cannot ${doing}: the flag ${name} does not work in Deno`,
  );
}

/**
 * Checks the flags, or the options, of a call.
 *
 * @param flags The flags or the options.
 * @param allowed The flags that the call knows.
 * @param doing The call, for the message.
 */
export function checkMessageOptions(
  flags: number | MessageOptions,
  allowed: number,
  doing: string,
): { bits: number; signal: AbortSignal | undefined } {
  if (typeof flags !== "object" || flags === null) {
    checkFlags(flags, allowed, doing);
    return { bits: flags, signal: undefined };
  }
  const { flags: bits = 0, signal } = flags;
  checkFlags(bits, allowed, doing);
  checkSignal(signal, doing);
  return { bits, signal };
}
