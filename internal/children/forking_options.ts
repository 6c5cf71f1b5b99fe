/**
 * The options of the forking mix-in.
 *
 * @module
 */

import type { ChildPermissions } from "../handoff/permissions.ts";

/**
 * Options of {@linkcode ForkingMixIn}, besides those of every mix-in.
 *
 * @category Options
 */
export interface ForkingOptions {
  /**
   * The place where connections are accepted. With `"parent"` the server accepts, and gives each connection to a child.
   * With `"children"` the children accept by themselves, which is faster for short connections. For TCP servers. The
   * constructor refuses a class with hooks or limits that need the server's own accept.
   *
   * @default {"parent"}
   */
  acceptIn?: "parent" | "children";
  /**
   * The most child processes, an integer from 1. At the limit each child runs several requests as tasks; with
   * `requestsPerChild`, requests wait for a child to end.
   *
   * @default {40}
   */
  maxChildren?: number;
  /**
   * The count of requests after which a child is replaced. 1 gives each request a fresh process.
   *
   * @default {Infinity}
   */
  requestsPerChild?: number;
  /**
   * Seconds that a request may take once its child is ready; null is no limit. After that its child is killed, and the
   * other requests of that child fail with it.
   *
   * @default {null}
   */
  childTimeout?: number | null;
  /**
   * The permissions of the children, never more than those of this process.
   *
   * @default {no permission}
   */
  childPermissions?: ChildPermissions;
  /**
   * The environment of the children. Null passes the variables that Deno needs to find its cache, as far as this process
   * may read them, and the time zone, language and use of colours of this process.
   *
   * @default {null}
   */
  childEnv?: Record<string, string> | null;
  /**
   * More flags for the `deno run` of the children, such as `--v8-flags=--max-old-space-size=64` or
   * `--config=/etc/deno.json`. Without `--config` Deno looks for a configuration from the directory of the handler's
   * module upwards. The flag `--v8-flags=--max-semi-space-size=8` comes before these, and overrides the variable
   * `DENO_V8_FLAGS`.
   *
   * @default {[]}
   */
  childFlags?: readonly string[];
  /**
   * The names of the server's options that handlers see as `this.server.options`. Their values must be plain data. All
   * other options stay in this process.
   *
   * @default {[]}
   */
  childOptions?: readonly string[];
}

/** The static fields that the mix-in adds. */
export type ForkingStatics = Required<ForkingOptions>;

/** The options of each start of a child. */
export interface LaunchOptions {
  /** The URL of the handler's module. */
  moduleUrl: string;
  /** The permissions of the child. */
  permissions: ChildPermissions;
  /** The environment of the child; null passes the variables that Deno needs. */
  env: Record<string, string> | null;
  /** More flags for `deno run`. */
  flags: readonly string[];
}

/**
 * Options of `collectChildren`.
 *
 * @category Options
 */
export interface CollectOptions {
  /**
   * Whether to wait until all children have exited.
   *
   * @default {false}
   */
  blocking?: boolean;
}
