/**
 * What to do when a request cannot be got.
 *
 * @module
 */

import { OSError } from "../_socket/errors.ts";

/** What a failed accept means for the loop. */
export type AcceptVerdict = "transient" | "resource" | "fatal";

/**
 * accept(2), "Error handling": on Linux the errors of a connection that is already gone come up here, and
 * are to be treated like EAGAIN. ENOTCONN is what Deno makes of a client that reset before it was
 * accepted; ECONNREFUSED is an earlier datagram's ICMP answer; the last line is what a TLS
 * handshake or another override of `getRequest` meets.
 */
const TRANSIENT = new Set([
  "ECONNABORTED",
  "EINTR",
  "EAGAIN",
  "EPERM",
  "EPROTO",
  "ENETDOWN",
  "ENOPROTOOPT",
  "EHOSTDOWN",
  "EHOSTUNREACH",
  "EOPNOTSUPP",
  "ENETUNREACH",
  "ENOTCONN",
  "ECONNREFUSED",
  "EMSGSIZE",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
]);

/** accept(2): the limits of the process and of the system. They pass when connections end. */
const RESOURCE = new Set(["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"]);

/**
 * The pause after a resource error, in ms: as long as trio and thousand_island wait, long enough for the
 * loop not to spin and short enough for a client not to notice.
 */
export const RESOURCE_PAUSE_MS = 100;

/** Says what a failure of `getRequest` means. What is no error of the system is fatal. */
export function judgeAccept(error: unknown): AcceptVerdict {
  const code = error instanceof OSError ? error.code ?? "" : "";
  if (TRANSIENT.has(code)) return "transient";
  return RESOURCE.has(code) ? "resource" : "fatal";
}
