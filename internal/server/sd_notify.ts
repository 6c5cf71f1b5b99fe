/**
 * Messages to the service manager.
 *
 * @module
 */

import { inspect } from "../runtime/deno.ts";
import { notifyPath, sendMessage } from "../runtime/notify_socket.ts";

/**
 * A message to the service manager: an assignment of sd_notify(3), such as `"READY=1"`.
 *
 * @category Servers
 */
export type ServiceNotification =
  | "READY=1"
  | "RELOADING=1"
  | "STOPPING=1"
  | "WATCHDOG=1"
  | "WATCHDOG=trigger"
  | `STATUS=${string}`
  | `ERRNO=${number}`
  | `MAINPID=${number}`
  | `EXTEND_TIMEOUT_USEC=${number}`
  | `MONOTONIC_USEC=${number}`
  | `${string}=${string}`;

/**
 * Tells the service manager about the state of the program, as sd_notify(3) does: systemd with `Type=notify`, or another
 * one that sets NOTIFY_SOCKET. {@linkcode serve} sends READY, STOPPING and WATCHDOG by itself.
 *
 * Needs `--unstable-net`, `--allow-env=NOTIFY_SOCKET`, and `--allow-write` and `--allow-net` for the socket, such as
 * `--allow-write=/run/systemd/notify --allow-net=unix:/run/systemd/notify`.
 *
 * @param assignments The assignments, which go into one message.
 * @returns Whether there is a service manager: false if NOTIFY_SOCKET is not set.
 * @throws {TypeError} if an assignment has not the form `NAME=value`, or has several lines.
 * @throws {OSError} if NOTIFY_SOCKET names a socket that is not there; EPROTONOSUPPORT without `--unstable-net`; and so
 *   on.
 * @throws {PermissionError} if a permission is missing.
 * @category Servers
 * @example
 * ```ts
 * import { sdNotify } from "@socketserver/socketserver";
 *
 * await sdNotify("STATUS=Loading the zones");
 * ```
 */
export async function sdNotify(
  ...assignments: ServiceNotification[]
): Promise<boolean> {
  for (const each of assignments) {
    if (/^[A-Z0-9_]+=.*$/.test(each)) continue;
    throw new TypeError(
      `Cannot notify the service manager: an assignment must be one line NAME=value, got ${
        inspect(each)
      }`,
    );
  }
  const path = notifyPath();
  if (path === undefined) return false;
  await sendMessage(path, assignments.join("\n"));
  return true;
}
