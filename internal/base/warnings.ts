/**
 * Warnings, and the hook that shows them.
 *
 * @module
 */

/**
 * The hook of {@linkcode warnings}.
 *
 * @category Sockets
 */
export interface Warnings {
  /**
   * Shows a warning. Prints one line to stderr unless you replace this function.
   *
   * @param message The warning.
   */
  showwarning(message: string): void;
}

/**
 * Shows the warnings of this module, as Python's `warnings` does. There is one warning, which is shown once: a timeout
 * such as 5000 is probably meant in milliseconds, and all timeouts are in seconds. To show warnings elsewhere, or
 * nowhere, replace `showwarning`. Each worker and child process has a `warnings` of its own.
 *
 * @category Sockets
 * @example
 * ```ts
 * import { Socket, warnings } from "@socketserver/socketserver";
 * import { strictEqual } from "node:assert/strict";
 *
 * const log: string[] = [];
 * warnings.showwarning = (message) => void log.push(message);
 * using socket = new Socket();
 * socket.settimeout(5000);
 * strictEqual(log.length, 1);
 * ```
 */
export const warnings: Warnings = {
  showwarning(message) {
    try {
      console.warn(message);
    } catch {
      // a full disk under stderr must not fail the call
    }
  },
};

const DAY = 86_400;

let warned = false;

/**
 * Warns once of a time that is probably meant in milliseconds: more than a day, or a multiple of 1,000 seconds, such as
 * 5000. Nothing fails: the call just waits too long.
 */
export function warnOfMilliseconds(seconds: number): void {
  const suspicious = seconds >= 1000 &&
    (seconds > DAY || seconds % 1000 === 0);
  if (!suspicious || warned || seconds === Infinity) return;
  warned = true;
  warnings.showwarning(
    `A timeout of ${seconds} is ${
      duration(seconds)
    }: timeouts are in seconds. For ${seconds} milliseconds write ${
      seconds / 1000
    }, for no limit null.`,
  );
}

function duration(seconds: number): string {
  const [size, unit] = seconds > DAY ? [DAY, "days"] : [3600, "hours"];
  return `${Number((seconds / size).toPrecision(2))} ${unit}`;
}
