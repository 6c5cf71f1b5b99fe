/**
 * The options of calls that send or receive.
 *
 * @module
 */

import { checkFlags } from "../base/arguments.ts";
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
