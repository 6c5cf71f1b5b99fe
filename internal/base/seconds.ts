/**
 * Warns of times in milliseconds: all times of this module are in seconds, as in Python.
 *
 * @module
 */

const DAY = 86_400;

let warned = false;

/**
 * Warns once of a time that is probably meant in milliseconds: more than a day, or a multiple of 1,000 seconds, such as
 * 5000. The warning goes to the console, because a socket has no hook, and nothing fails: the call just waits too long.
 */
export function warnOfMilliseconds(seconds: number): void {
  const suspicious = seconds >= 1000 &&
    (seconds > DAY || seconds % 1000 === 0);
  if (!suspicious || warned || seconds === Infinity) return;
  warned = true;
  console.warn(
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
