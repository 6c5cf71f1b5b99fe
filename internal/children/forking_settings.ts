/**
 * Reads and checks the options of the forking mix-in.
 *
 * @module
 */

import {
  handlerReference,
  selectOptions,
} from "../handoff/handler_reference.ts";
import {
  type BaseServerOptions,
  effectiveOptions,
  setting,
} from "../stages/server_options.ts";
import { warnOfMilliseconds } from "../base/warnings.ts";
import { nodeV8 } from "../runtime/system/node_builtins.ts";
import { checkMax } from "../base/arguments.ts";
import { checkMayFork, permissionFlags } from "../handoff/permissions.ts";
import type { ChildPoolOptions } from "./running_children.ts";
import type {
  ForkingOptions,
  ForkingStatics,
  LaunchOptions,
} from "./forking_options.ts";

/** The checked options of a forking server. */
export interface ForkingSettings {
  /** The limits of the pool. */
  readonly limits: ChildPoolOptions;
  /** The options of each start of a child. */
  readonly launch: LaunchOptions;
  /** The name under which the module exports the handler. */
  readonly exportName: string;
  /** The options of the server that handlers see. */
  readonly childOptions: Record<string, unknown>;
}

/**
 * Reads and checks the options of a server, which win over the static fields of its class.
 *
 * @param Class The class of the server.
 * @param args The arguments of its constructor.
 */
export function forkingSettings(
  Class: object,
  args: readonly unknown[],
): ForkingSettings {
  const options = (args[2] ?? {}) as BaseServerOptions & ForkingOptions;
  const statics = Class as ForkingStatics;
  const handler = handlerReference(args[1], "in another process");
  const { childTimeout: timeout, childEnv: env } = options;
  const limits = checkLimits({
    maxChildren: options.maxChildren ?? statics.maxChildren,
    requestsPerChild: options.requestsPerChild ?? statics.requestsPerChild,
    childTimeout: timeout === undefined ? statics.childTimeout : timeout,
  });
  const launch = checkLaunch({
    moduleUrl: handler.moduleUrl,
    permissions: options.childPermissions ?? statics.childPermissions,
    env: env === undefined ? statics.childEnv : env,
    flags: options.childFlags ?? statics.childFlags,
  });
  const names = checkNames(options.childOptions ?? statics.childOptions);
  const childOptions = selectOptions(effectiveOptions(Class, options), names);
  checkShared(setting({ constructor: Class }, options, "shared"));
  return { limits, launch, exportName: handler.exportName, childOptions };
}

/** Returns the names of options if they are a list of names. */
function checkNames(names: readonly string[]): readonly string[] {
  if (
    Array.isArray(names) && names.every((name) => typeof name === "string")
  ) return names;
  throw new TypeError(
    `Cannot set childOptions: it must be a list of names, got ${
      Deno.inspect(names)
    }`,
  );
}

/** Throws a TypeError unless `shared` can be copied into another process. */
function checkShared(shared: unknown): void {
  try {
    nodeV8().serialize(shared);
  } catch (cause) {
    throw new TypeError(
      `Cannot pass shared to a child process, which gets a copy and shares no memory: ${
        (cause as Error).message
      }`,
      { cause },
    );
  }
}

/** Returns the limits of the pool. Throws a RangeError if one is out of range. */
export function checkLimits(options: ChildPoolOptions): ChildPoolOptions {
  checkMax(options.maxChildren, "maxChildren");
  checkMax(options.requestsPerChild, "requestsPerChild");
  const { childTimeout } = options;
  if (childTimeout !== null && !(childTimeout > 0)) {
    throw new RangeError(
      `Cannot set childTimeout: it must be a positive number of seconds, or null, got ${childTimeout}`,
    );
  }
  if (childTimeout !== null) warnOfMilliseconds(childTimeout);
  return options;
}

/** Throws a TypeError if each request should have a process of its own: it would start when the connection is accepted. */
export function checkFresh(requestsPerChild: number): void {
  if (requestsPerChild > 1) return;
  throw new TypeError(
    'Cannot make a server with acceptIn "children": it cannot have requestsPerChild 1, because a child waits for its connections before it knows them; use acceptIn "parent"',
  );
}

/**
 * Returns the launch options if a child can start with them, so that a mistake fails in the constructor and not at the
 * first request.
 *
 * @throws {PermissionError} if this process lacks a permission.
 * @throws {TypeError} if an option does not have the right shape.
 */
function checkLaunch(options: LaunchOptions): LaunchOptions {
  checkEnv(options.env);
  checkMayFork();
  checkFlags(options.flags);
  permissionFlags(options.permissions);
  return options;
}

/** Throws a TypeError unless `env` holds only strings. */
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
 * Checks that `flags` are flags for `deno run` that do not change the permissions.
 *
 * @throws {TypeError} if one is not; the message shows it.
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
