/**
 * The permissions of this run, and the abilities of this machine; never prompts. A test that needs more is ignored.
 *
 * @module
 */

import { delimiter } from "node:path";
import { hasDualstackIPv6 } from "../../socket.ts";

/** Reports whether all of these permissions are granted. */
export function granted(
  ...wanted: (Deno.PermissionName | Deno.PermissionDescriptor)[]
): boolean {
  return wanted.every((each) => {
    const descriptor = typeof each === "string" ? { name: each } : each;
    return Deno.permissions.querySync(descriptor).state === "granted";
  });
}

/** Defines a test that runs without permissions. */
export function withoutPermissions(
  name: string,
  fn: () => Promise<void> | void,
): void {
  Deno.test({ name, permissions: "none", fn });
}

/** Whether Unix sockets can be used. */
export const haveUnix: boolean = Deno.build.os !== "windows" &&
  granted("read", "write", "net");

/** Whether there is an IPv6 loopback. */
export const haveIPv6: boolean = hasDualstackIPv6();

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

/** Reports whether a program can be run: it is in a folder of PATH. Starting it to find out would take up to half a second. */
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

/** Reports whether Python can be run, on Linux: the tests compare results of its C library. */
export function havePython(): boolean {
  return Deno.build.os === "linux" && have("python3");
}
