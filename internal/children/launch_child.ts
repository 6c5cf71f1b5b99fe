/**
 * Starts a child process.
 *
 * @module
 */

import type { ChildProcess, ForkOptions } from "node:child_process";
import { hasPermission } from "../runtime/system/deno_api.ts";
import { nodeChildProcess } from "../runtime/system/node_builtins.ts";
import { execPath, permissionFlags } from "../handoff/permissions.ts";
import { withoutStack } from "../runtime/system/free_descriptors.ts";
import type { LaunchOptions } from "./forking_options.ts";
import { unstableNet } from "../runtime/deno/deno_datagram.ts";

/**
 * The largest semi-space of V8 in MiB; the same flag in `childFlags` comes later and wins. The garbage of short requests
 * is collected when the semi-space is full, and their memory outside of the heap later still. A child uses 80 MiB
 * (RssAnon) after 55,000 connections and after 116,000; with V8's default of 32 it uses 123 MiB after 104,000, and
 * grows. Handlers that parse and sort JSON take as long as with the default; with 4 they take a quarter longer.
 */
const YOUNG_MIB = 8;

/**
 * Starts a child with a channel for messages. Checks the permissions at each start: a child does not get one that this
 * process has revoked meanwhile (`Deno.permissions.revoke`).
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
  execArgv.push(...withYoungLimit(flags), `--preload=${entry(moduleUrl)}`);
  const { fork } = nodeChildProcess();
  const how: ForkOptions = {
    execPath: execPath(),
    execArgv,
    env: env ?? defaultEnv(),
    serialization: "advanced",
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  };
  return withoutStack(() => fork(mainModule(moduleUrl), [], how));
}

/** Adds the limit of the semi-space to the flags for V8: in one flag, because Deno 2.9.0 does not accept two. */
function withYoungLimit(flags: readonly string[]): string[] {
  const start = "--v8-flags=";
  const isForV8 = (flag: string) => flag.startsWith(start);
  const forV8 = flags.filter(isForV8).map((flag) => flag.slice(start.length));
  forV8.unshift(`--max-semi-space-size=${YOUNG_MIB}`);
  return [
    start + forV8.join(","),
    ...flags.filter((flag) => !isForV8(flag)),
  ];
}

/**
 * Returns the module that the child preloads, as a data URL. Both imports are literals, so that Deno finds them before
 * it runs any code, and reading them needs no permission. The handler's module is imported dynamically so that its
 * failure can be caught and reported. The module never finishes.
 */
function entry(moduleUrl: string): string {
  const child = JSON.stringify(new URL("./child.ts", import.meta.url).href);
  const handler = JSON.stringify(moduleUrl);
  const code = `import { runChild } from ${child};` +
    `await runChild(${Deno.pid}, () => import(${handler}));`;
  return `data:text/javascript,${encodeURIComponent(code)}`;
}

/**
 * Puts `child.ts` into the module graph. Never called: without this literal `deno cache` (Deno 2.9.6) does not store
 * that module, and no child can start offline.
 */
export function childInGraph(): Promise<unknown> {
  return import("./child.ts");
}

/**
 * Returns a main module that is never loaded, because the preloaded module never finishes. Only its directory counts:
 * Deno looks for a configuration, with the import map, from there upwards. The handler's module itself must not be the
 * main module.
 */
function mainModule(moduleUrl: string): string {
  return moduleUrl.startsWith("file:")
    ? new URL("./never_loaded.js", moduleUrl).href
    : "data:text/javascript,";
}

/** The variables that Deno needs to find its cache, Windows to start a program, and programs for language and colours. */
const NEEDED = [
  "DENO_COVERAGE_DIR", // the directory of `deno test --coverage`
  "DENO_DIR",
  "HOME",
  "XDG_CACHE_HOME",
  "LOCALAPPDATA",
  "SystemRoot",
  "USERPROFILE",
  "TZ",
  "LANG",
  "LANGUAGE",
  "LC_ALL",
  "LC_COLLATE",
  "LC_CTYPE",
  "LC_MESSAGES",
  "LC_MONETARY",
  "LC_NUMERIC",
  "LC_TIME",
  "NO_COLOR",
  "FORCE_COLOR",
];

/**
 * Returns the environment of a child if `childEnv` is null: the needed variables that this process may read. If it may
 * read none, the child still has the time zone, language and use of colours of this process.
 */
function defaultEnv(): Record<string, string> {
  const env = localeEnv();
  for (const variable of NEEDED) {
    if (!hasPermission({ name: "env", variable })) continue;
    const value = Deno.env.get(variable);
    if (value === undefined) delete env[variable];
    else env[variable] = value;
  }
  return env;
}

/** Returns the parts of the environment that this process sees without a permission. */
function localeEnv(): Record<string, string> {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  const env: Record<string, string> = {
    TZ: timeZone,
    LANG: `${navigator.language.replace("-", "_")}.UTF-8`,
  };
  if (Deno.noColor) env.NO_COLOR = "1";
  return env;
}
