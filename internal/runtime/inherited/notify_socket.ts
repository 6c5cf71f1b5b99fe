/**
 * The socket of a service manager, which it names in NOTIFY_SOCKET, and the variables of its watchdog.
 *
 * @module
 */

import { osError, translate } from "../../base/translate_error.ts";
import { resolvesWithin } from "../../waiting/promises.ts";
import { hasPermission } from "../system/deno_api.ts";
import { listenDatagram } from "../deno/deno_datagram.ts";

/** The variables of sd_notify(3) and sd_watchdog_enabled(3). */
const VARIABLES = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] as const;

/**
 * The time in ms for a message. A manager reads at once, and Deno (2.9.6) can neither wait for a full queue nor give up
 * a send: it tries for ever. Arbitrary.
 */
const SEND_MS = 2000;

/** The name of the operation in errors. */
const syscall = "notify the service manager";

/** Reports whether NOTIFY_SOCKET may be read. */
export function mayReadNotifySocket(): boolean {
  return hasPermission({ name: "env", variable: VARIABLES[0] });
}

/** Returns the value of a variable; undefined if it is not set. */
function read(variable: string): string | undefined {
  if (!hasPermission({ name: "env", variable })) {
    const reason = `run again with --allow-env=${VARIABLES.join(",")}`;
    throw osError("EACCES", { syscall, reason });
  }
  return Deno.env.get(variable) || undefined;
}

/**
 * Returns the path of the socket; undefined without a service manager.
 *
 * @throws {OSError} if it may not be read, or is none that Deno can reach.
 */
export function notifyPath(): string | undefined {
  const path = read("NOTIFY_SOCKET");
  if (path === undefined || /^[/@]./.test(path)) return path;
  const reason =
    `NOTIFY_SOCKET must be a path or an abstract name, got "${path}"`;
  throw osError("EINVAL", { syscall, reason });
}

/**
 * Returns the seconds within which the manager waits for a message; undefined without a watchdog for this process.
 *
 * @throws {OSError} if the variables may not be read, or make no sense.
 */
export function watchdogSeconds(): number | undefined {
  const [usec, pid] = [read("WATCHDOG_USEC"), read("WATCHDOG_PID")];
  if (usec === undefined) return undefined;
  if (pid !== undefined && pid !== String(Deno.pid)) return undefined;
  if (/^[1-9]\d{0,14}$/.test(usec)) return Number(usec) / 1e6;
  const reason =
    `WATCHDOG_USEC must be a number of microseconds, got "${usec}"`;
  throw osError("EINVAL", { syscall, reason });
}

/**
 * Sends a message to the socket.
 *
 * @param path The path, or the abstract name with an `@`.
 * @param message The assignments, one a line.
 * @throws {OSError} the error of the system; EPROTONOSUPPORT without `--unstable-net`; ETIMEDOUT if nobody reads.
 */
export async function sendMessage(
  path: string,
  message: string,
): Promise<void> {
  if (listenDatagram === undefined) {
    const reason = "run again with --unstable-net";
    throw osError("EPROTONOSUPPORT", { syscall, reason });
  }
  const socket = listenDatagram({ transport: "unixpacket" }); // without a path it needs no permission of its own
  const address = { transport: "unixpacket", path: path.replace(/^@/, "\0") };
  try {
    const data = new TextEncoder().encode(message);
    const sending = socket.send(data, address);
    if (await resolvesWithin(sending, SEND_MS)) return;
    const reason = "nobody reads its socket";
    throw osError("ETIMEDOUT", { syscall, reason });
  } catch (error) {
    throw translate(error, { syscall, address: path });
  } finally {
    socket.close();
  }
}
