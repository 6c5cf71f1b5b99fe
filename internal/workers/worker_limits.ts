/**
 * The limits of a worker, and of a pool of workers.
 *
 * @module
 */

import { warnOfMilliseconds } from "../base/warnings.ts";

/**
 * The memory limits of one worker, as in `node:worker_threads`. A worker that exceeds them is terminated.
 *
 * @category Options
 */
export interface ResourceLimits {
  /**
   * The heap for objects that have survived, in MiB. The memory of an `ArrayBuffer` does not count.
   *
   * @default {1024}
   */
  maxOldGenerationSizeMb?: number;
  /** The heap for new objects, in MiB. */
  maxYoungGenerationSizeMb?: number;
  /** The memory for compiled code, in MiB. */
  codeRangeSizeMb?: number;
  /**
   * The stack, in MiB.
   *
   * @default {4}
   */
  stackSizeMb?: number;
}

/** The limits of one worker. */
export interface WorkerLimits {
  /** The seconds without a heartbeat after which a worker is terminated; null is never. */
  readonly workerTimeout: number | null;
  /** The limits of its memory. */
  readonly resourceLimits: ResourceLimits;
}

/** The settings of a pool that may change while the server runs. */
export interface PoolLimits extends WorkerLimits {
  /** The most workers. */
  readonly maxWorkers: number;
}

/**
 * The limits of a worker without `resourceLimits`. With no limit at all, a worker that runs out of memory ends the
 * process (Deno 2.9.6). A quarter of V8's own limit on a large machine: arbitrary, but only a leak or an attack needs
 * more.
 */
export const DEFAULT_LIMITS: ResourceLimits = { maxOldGenerationSizeMb: 1024 };

const NAMES: (keyof ResourceLimits)[] = [
  "maxOldGenerationSizeMb",
  "maxYoungGenerationSizeMb",
  "codeRangeSizeMb",
  "stackSizeMb",
];

/**
 * Returns limits with the defaults filled in.
 *
 * @throws {TypeError} if a name is unknown.
 * @throws {RangeError} if a limit is not a positive number.
 */
function checkResourceLimits(limits: ResourceLimits): ResourceLimits {
  const checked = { ...DEFAULT_LIMITS };
  for (const [name, value] of Object.entries(limits)) {
    if (!NAMES.includes(name as keyof ResourceLimits)) {
      throw new TypeError(
        `Cannot set resourceLimits: ${JSON.stringify(name)} is not one of ${
          NAMES.join(", ")
        }`,
      );
    }
    if (value === undefined) continue;
    if (!(typeof value === "number" && value > 0 && value < Infinity)) {
      throw new RangeError(
        `Cannot set resourceLimits.${name}: it must be a positive number of MiB, got ${value}`,
      );
    }
    checked[name as keyof ResourceLimits] = value;
  }
  return checked;
}

/**
 * Returns the settings of a pool.
 *
 * @param options The settings to change.
 * @param statics The settings that stay unless `options` has them.
 * @throws {TypeError} if a name of `resourceLimits` is unknown.
 * @throws {RangeError} if a value is out of range.
 */
export function checkPoolLimits(
  options: Partial<PoolLimits>,
  statics: PoolLimits,
): PoolLimits {
  const maxWorkers = options.maxWorkers ?? statics.maxWorkers;
  if (!(Number.isInteger(maxWorkers) && maxWorkers >= 1)) {
    throw new RangeError(
      `Cannot set maxWorkers: it must be an integer from 1, got ${maxWorkers}`,
    );
  }
  const workerTimeout = options.workerTimeout === undefined
    ? statics.workerTimeout
    : options.workerTimeout;
  checkWorkerTimeout(workerTimeout);
  const resourceLimits = checkResourceLimits(
    options.resourceLimits ?? statics.resourceLimits,
  );
  return { maxWorkers, workerTimeout, resourceLimits };
}

function checkWorkerTimeout(seconds: number | null): void {
  if (seconds === null) return;
  if (!(seconds > 0 && seconds < Infinity)) {
    throw new RangeError(
      `Cannot set workerTimeout: it must be positive seconds or null, got ${seconds}`,
    );
  }
  warnOfMilliseconds(seconds);
}
