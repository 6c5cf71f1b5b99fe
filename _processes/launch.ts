/**
 * Starting a child process.
 *
 * @module
 */

import type { ChildProcess } from "node:child_process";
import { unstableNet } from "../_socket/open.ts";
import { nodeChildProcess } from "../_socket/node.ts";
import {
  checkFlags,
  checkMayFork,
  type ChildPermissions,
  defaultEnv,
  permissionFlags,
} from "./permissions.ts";

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

/**
 * Throws where a child could not be started: better now than at the first request.
 *
 * @throws {PermissionError} when this process lacks a permission.
 * @throws {TypeError} when an option has not the right shape.
 */
export function checkLaunch(options: LaunchOptions): void {
  checkMayFork(execPath());
  checkFlags(options.flags);
  permissionFlags(options.permissions);
}

function execPath(): string {
  return globalThis.process.execPath;
}

/**
 * Starts a child with a channel for messages. The permissions are looked at each time: what this
 * process has given up meanwhile (`Deno.permissions.revoke`) the child does not get.
 */
export function launch(options: LaunchOptions): ChildProcess {
  const { moduleUrl, permissions, env, flags } = options;
  const modules = [moduleUrl, import.meta.url];
  const execArgv = [
    "run",
    "--quiet",
    ...permissionFlags(permissions, modules),
  ];
  if (unstableNet) execArgv.push("--unstable-net");
  execArgv.push(...flags, `--preload=${entry(moduleUrl)}`);
  return nodeChildProcess().fork(mainModule(moduleUrl), [], {
    execPath: execPath(),
    execArgv,
    env: env ?? defaultEnv(),
    serialization: "advanced",
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
}

/**
 * What the child runs, as a URL of its own. Both imports are literals in it, so that Deno finds them
 * before it runs anything: code found that way needs no permission to be read. The import
 * of the handler is a call for its failure to be caught and told. It never ends.
 */
function entry(moduleUrl: string): string {
  const child = JSON.stringify(new URL("./child.ts", import.meta.url).href);
  const handler = JSON.stringify(moduleUrl);
  const code = `import { serve } from ${child};` +
    `await serve(${Deno.pid}, () => import(${handler}));`;
  return `data:text/javascript,${encodeURIComponent(code)}`;
}

/**
 * A main module that is never loaded, because what is preloaded never ends. It is there for its
 * place: Deno looks for a configuration, with the import map, around the main module. The handler's
 * module itself would not do: it must not be the main one.
 */
function mainModule(moduleUrl: string): string {
  return moduleUrl.startsWith("file:")
    ? new URL("./never_loaded.js", moduleUrl).href
    : "data:text/javascript,";
}
