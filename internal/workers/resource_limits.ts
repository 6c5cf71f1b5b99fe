/**
 * How much memory a worker may have.
 *
 * @module
 */

/** Limits of one worker's memory, as `node:worker_threads` takes them. A worker beyond them is ended. */
export interface ResourceLimits {
  /** MiB of the heap in which objects live that are not new. Memory of `ArrayBuffer`s is not part of it. @default {1024} */
  maxOldGenerationSizeMb?: number;
  /** MiB of the heap for new objects. */
  maxYoungGenerationSizeMb?: number;
  /** MiB for compiled code. */
  codeRangeSizeMb?: number;
  /** MiB of the stack. @default {4} */
  stackSizeMb?: number;
}

/**
 * Without a limit a worker that runs out of memory takes the process along (Deno 2.9.6). A quarter of what V8 gives a
 * large machine; arbitrary, but so large that only a leak or an attack reaches it.
 */
export const DEFAULT_LIMITS: ResourceLimits = { maxOldGenerationSizeMb: 1024 };

const NAMES: (keyof ResourceLimits)[] = [
  "maxOldGenerationSizeMb",
  "maxYoungGenerationSizeMb",
  "codeRangeSizeMb",
  "stackSizeMb",
];

/**
 * Returns limits as a worker takes them, with the default for what is left out.
 *
 * @throws {TypeError} if one has a name that does not exist.
 * @throws {RangeError} if one is no positive number.
 */
export function checkLimits(limits: ResourceLimits): ResourceLimits {
  for (const [name, value] of Object.entries(limits)) {
    if (!NAMES.includes(name as keyof ResourceLimits)) {
      throw new TypeError(
        `Cannot set resourceLimits: ${JSON.stringify(name)} is not one of ${
          NAMES.join(", ")
        }`,
      );
    }
    if (
      value === undefined ||
      typeof value === "number" && value > 0 && value < Infinity
    ) continue;
    throw new RangeError(
      `Cannot set resourceLimits.${name}: it must be a positive number of MiB, got ${value}`,
    );
  }
  const given = Object.entries(limits).filter(([, value]) =>
    value !== undefined
  );
  return { ...DEFAULT_LIMITS, ...Object.fromEntries(given) };
}
