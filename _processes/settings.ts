/**
 * The options of a forking server.
 *
 * @module
 */

import {
  checkMayFork,
  type ChildPermissions,
  permissionFlags,
} from "./permissions.ts";
import type { PoolOptions } from "./pool.ts";

/** Options of a server with `ForkingMixIn`, besides those that all mix-ins have. */
export interface ForkingOptions {
  /**
   * The most child processes at a time, at least 1. When all are busy, each takes further requests, as
   * tasks; with `requestsPerChild`, requests wait for one to end. @default {40}
   */
  maxChildren?: number;
  /** How many requests a child takes before another replaces it; 1 is a fresh process for each request. @default {Infinity} */
  requestsPerChild?: number;
  /**
   * Seconds that a request may take; null is no limit. After that its child is killed, and the other
   * requests that it has end with it. @default {null}
   */
  childTimeout?: number | null;
  /** What children may do; never more than this process may itself. @default {{}}, which is nothing */
  childPermissions?: ChildPermissions;
  /**
   * The environment of the children. Null is what Deno needs to find its cache, as far as this process
   * may read it. @default {null}
   */
  childEnv?: Record<string, string> | null;
  /**
   * More flags for the children's `deno run`, such as `--v8-flags=--max-old-space-size=64` or
   * `--config=/etc/deno.json`; without that one, Deno looks for a configuration from the directory of the
   * handler's module upwards. @default {[]}
   */
  childFlags?: readonly string[];
}

/** The static fields that `ForkingMixIn` adds. */
export type ForkingStatics = Required<ForkingOptions>;

/** What a child is started with. */
export interface LaunchOptions {
  /** The module of the handler. */
  moduleUrl: string;
  /** What it may do. */
  permissions: ChildPermissions;
  /** Its environment; null is what Deno needs. */
  env: Record<string, string> | null;
  /** More flags for `deno run`. */
  flags: readonly string[];
}

/** What to start children with, as the options say, or else the static fields of the class. */
export function launchOptions(
  moduleUrl: string,
  options: ForkingOptions,
  statics: ForkingStatics,
): LaunchOptions {
  const { childEnv: env } = options;
  return {
    moduleUrl,
    permissions: options.childPermissions ?? statics.childPermissions,
    env: env === undefined ? statics.childEnv : env,
    flags: options.childFlags ?? statics.childFlags,
  };
}

/** How to run the pool, likewise. */
export function poolOptions(
  options: ForkingOptions,
  statics: ForkingStatics,
): PoolOptions {
  const { childTimeout: timeout } = options;
  return {
    maxChildren: options.maxChildren ?? statics.maxChildren,
    requestsPerChild: options.requestsPerChild ?? statics.requestsPerChild,
    childTimeout: timeout === undefined ? statics.childTimeout : timeout,
  };
}

/** The options, if they are right. */
export function checkPool(options: PoolOptions): PoolOptions {
  checkCount(options.maxChildren, "maxChildren");
  checkCount(options.requestsPerChild, "requestsPerChild");
  const { childTimeout } = options;
  if (childTimeout !== null && !(childTimeout > 0)) {
    throw new RangeError(
      `Cannot set childTimeout: it must be a positive number of seconds, or null, got ${childTimeout}`,
    );
  }
  return options;
}

function checkCount(count: number, name: string): void {
  if (count === Infinity || Number.isInteger(count) && count >= 1) return;
  throw new RangeError(
    `Cannot set ${name}: it must be an integer from 1, or Infinity, got ${count}`,
  );
}

/**
 * Gives the options back if a child could be started with them: better to know now than at the first request.
 *
 * @throws {PermissionError} when this process lacks a permission.
 * @throws {TypeError} when an option has not the right shape.
 */
export function checkLaunch(options: LaunchOptions): LaunchOptions {
  checkEnv(options.env);
  checkMayFork();
  checkFlags(options.flags);
  permissionFlags(options.permissions);
  return options;
}

/** Throws unless `env` holds strings only. */
function checkEnv(env: Record<string, string> | null): void {
  if (env === null) return;
  for (const [name, value] of Object.entries(env)) {
    if (typeof value === "string") continue;
    throw new TypeError(
      `Cannot set childEnv: ${name} must be a string, got ${
        Deno.inspect(value)
      }`,
    );
  }
}

/**
 * Throws unless `flags` are flags for `deno run` that leave the permissions alone.
 *
 * @throws {TypeError} with the one that is not.
 */
function checkFlags(flags: readonly string[]): void {
  for (const flag of flags) {
    if (
      typeof flag !== "string" ||
      !/^--[a-z]/.test(flag) || /^--(allow-|permission-set)/.test(flag)
    ) {
      throw new TypeError(
        `Cannot set childFlags: each must begin with -- and leave the permissions to childPermissions, got ${
          Deno.inspect(flag)
        }`,
      );
    }
  }
}

/** Options that are for the server's own process: a child has no business with keys and environments. */
const PRIVATE = new Set([
  "childEnv",
  "childFlags",
  "childPermissions",
  "cert",
  "key",
  "tls",
]);

/** Those of the options that a child gets to see. */
export function copyable(options: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(options).filter(([name, value]) =>
      !PRIVATE.has(name) && isCopyable(value)
    ),
  );
}

/** Whether a value arrives as it is: plain data. */
function isCopyable(value: unknown): boolean {
  if (typeof value !== "object" || value === null) {
    return typeof value !== "function" && typeof value !== "symbol";
  }
  if (value instanceof Uint8Array) return true;
  if (Array.isArray(value)) return value.every(isCopyable);
  return Object.getPrototypeOf(value) === Object.prototype &&
    Object.values(value).every(isCopyable);
}
