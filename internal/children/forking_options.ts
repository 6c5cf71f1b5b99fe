/**
 * The options of a forking server.
 *
 * @module
 */

import type { ChildPermissions } from "../handoff/permissions.ts";

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
   * The environment of the children. Null is what Deno needs to find its cache, as far as this process may read it,
   * and the time zone, language and use of colours of this process. @default {null}
   */
  childEnv?: Record<string, string> | null;
  /**
   * More flags for the children's `deno run`, such as `--v8-flags=--max-old-space-size=64` or
   * `--config=/etc/deno.json`; without that one, Deno looks for a configuration from the directory of the
   * handler's module upwards. Children have `--v8-flags=--max-semi-space-size=8` before these, which wins over a variable
   * `DENO_V8_FLAGS`. @default {[]}
   */
  childFlags?: readonly string[];
  /**
   * The names of the options that handlers see, as `this.server.options`; they must be plain data. All others stay in
   * this process. @default {[]}
   */
  childOptions?: readonly string[];
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

/** Options of `collectChildren`. */
export interface CollectOptions {
  /** Whether to wait until all children have ended. @default {false} */
  blocking?: boolean;
}
