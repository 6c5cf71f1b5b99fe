/**
 * Starting a child process.
 *
 * @module
 */

import type { ChildProcess, ForkOptions } from "node:child_process";
import { unstableNet } from "../runtime/open.ts";
import { hasPermission } from "../runtime/deno.ts";
import { nodeChildProcess } from "../runtime/builtins.ts";
import { execPath, permissionFlags } from "../handoff/permissions.ts";
import { withoutStack } from "../runtime/scarce.ts";
import type { LaunchOptions } from "./forking_options.ts";

/**
 * The largest half of V8's young generation, in MiB; the same flag in `childFlags` comes later and wins. What short
 * requests leave behind is collected when that is full, and what Deno keeps outside the heap for each, later still. A
 * child has 80 MiB of its own (RssAnon) after 55,000 connections and after 116,000; with V8's 32 it has 123 after
 * 104,000, and grows. Handlers that parse and sort JSON take as long; with 4 they take a quarter longer.
 */
const YOUNG_MIB = 8;

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
    `--v8-flags=--max-semi-space-size=${YOUNG_MIB}`,
    ...permissionFlags(permissions, modules),
  ];
  if (unstableNet) execArgv.push("--unstable-net");
  execArgv.push(...flags, `--preload=${entry(moduleUrl)}`);
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
 * Puts `child.ts` into the module graph. Never called: without this literal `deno cache` would not store that
 * module, and no child could start offline.
 */
export function childInGraph(): Promise<unknown> {
  return import("./child.ts");
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

/** What Deno looks at to find its cache, Windows to start a program at all, and all programs for how to write. */
const NEEDED = [
  "DENO_COVERAGE_DIR", // where `deno test --coverage` collects
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
 * The environment of a child where none is named: those of these variables that may be read. Where they may not, the
 * time zone, the language and the use of colours are still those of this process.
 */
function defaultEnv(): Record<string, string> {
  const env = customs();
  for (const variable of NEEDED) {
    if (!hasPermission({ name: "env", variable })) continue;
    const value = Deno.env.get(variable);
    if (value === undefined) delete env[variable];
    else env[variable] = value;
  }
  return env;
}

/** What can be seen of the environment without a permission. */
function customs(): Record<string, string> {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  const env: Record<string, string> = {
    TZ: timeZone,
    LANG: `${navigator.language.replace("-", "_")}.UTF-8`,
  };
  if (Deno.noColor) env.NO_COLOR = "1";
  return env;
}
