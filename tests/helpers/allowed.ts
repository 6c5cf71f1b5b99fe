/**
 * What this run may do, and what this machine has; never prompts. A test that needs more is ignored.
 *
 * @module
 */

import { delimiter } from "node:path";

/** Whether these kinds of permission, or permissions, are granted. */
export function granted(
  ...wanted: (Deno.PermissionName | Deno.PermissionDescriptor)[]
): boolean {
  return wanted.every((each) => {
    const descriptor = typeof each === "string" ? { name: each } : each;
    return Deno.permissions.querySync(descriptor).state === "granted";
  });
}

/** Whether Unix sockets can be used. */
export const haveUnix: boolean = Deno.build.os !== "windows" &&
  granted("read", "write", "net");

/** Whether the unstable `net` flag is on. */
export const unstableNet: boolean = "listenDatagram" in Deno;

/** Whether the modules of this package may be read, which workers need. */
export const mayRead: boolean = granted({
  name: "read",
  path: new URL("../..", import.meta.url),
});

/** Whether child processes may be started. */
export const mayFork: boolean = granted("run", {
  name: "env",
  variable: "NODE_V8_COVERAGE",
});

/** Whether a program can be run: it is in a folder of PATH. To start it to see takes up to half a second. */
export function have(program: string): boolean {
  const path = { name: "env", variable: "PATH" } as const;
  if (!granted("read", path, { name: "run", command: program })) return false;
  const folders = (Deno.env.get("PATH") ?? "").split(delimiter);
  return folders.some((folder) => isExecutable(`${folder}/${program}`));
}

function isExecutable(path: string): boolean {
  try {
    const { isFile, mode } = Deno.statSync(path);
    return isFile && ((mode ?? 0) & 0o111) !== 0;
  } catch {
    return false; // not there, or not to be seen
  }
}

/** Whether Python can be run. On Linux, because the results that are compared are the C library's. */
export function havePython(): boolean {
  return Deno.build.os === "linux" && have("python3");
}
