/**
 * The path of a Unix socket that another process has bound. `node:net` does not tell it, but Linux does.
 *
 * @module
 */

import { hasPermission } from "./deno.ts";

/** The kinds of permissions. Deno opens the files of `/proc` only with all of them. */
const KINDS = ["read", "write", "net", "env", "sys", "run", "ffi"];

/** Returns the path of a socket; "" without `--allow-all`, or if the socket has none. */
export function unixPathOf(fd: number): string {
  if (
    Deno.build.os !== "linux" || !KINDS.every((name) => hasPermission({ name }))
  ) return "";
  const inode = /\d+/.exec(Deno.readLinkSync(`/proc/self/fd/${fd}`))?.[0];
  const sockets = Deno.readTextFileSync("/proc/net/unix"); // the inode and the path are the last columns
  const row = new RegExp(`^(?:\\S+ +){6}${inode} (.*)$`, "m").exec(sockets);
  return row?.[1].replace(/^@/, "\0") ?? "";
}
