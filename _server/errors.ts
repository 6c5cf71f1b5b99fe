/**
 * The failures of a server: what one of `getRequest` means, and the text that `handleError` prints.
 *
 * @module
 */

import type { Address } from "../_socket/address.ts";
import { OSError } from "../_socket/errors.ts";
import { IncompleteReadError } from "../_stream/errors.ts";

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

const RULE = "-".repeat(40);

/** A string as Python's `repr` writes it. */
function reprString(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text.replaceAll("\\", "\\\\").replaceAll(quote, `\\${quote}`)
    .replace(
      /\p{Cc}/gu,
      (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`,
    );
  return `${quote}${escaped}${quote}`;
}

/** An address as Python's `repr` writes it: `('127.0.0.1', 80)`. */
export function reprAddress(address: Address): string {
  if (typeof address === "string") return reprString(address);
  return `(${reprString(address[0])}, ${address[1]})`;
}

/** What Python prints between two errors, one of which was thrown while the other was on its way. */
const MEANWHILE =
  "During handling of the above exception, another exception occurred:";

/** An error with its stack and the errors behind it. */
function describe(error: unknown): string {
  if (error instanceof SuppressedError) {
    const { suppressed, error: second } = error;
    return [describe(suppressed), MEANWHILE, describe(second)].join("\n\n");
  }
  if (!(error instanceof Error)) {
    return `Uncaught value: ${Deno.inspect(error)}`;
  }
  return Deno.inspect(error, { colors: false });
}

/**
 * What a handler meets when its client resets, is gone, or is silent for too long, and when the connection is
 * aborted under it.
 */
const LOST = new Set([
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "EBADF",
]);

/** Whether an error says no more than that the client is lost. */
export function isLostClient(error: unknown): boolean {
  if (error instanceof SuppressedError) {
    return isLostClient(error.error) && isLostClient(error.suppressed);
  }
  if (error instanceof IncompleteReadError) return true;
  return error instanceof OSError && LOST.has(error.code ?? "");
}

/** What Python's `handle_error` prints, with a JavaScript stack for the traceback. */
export function errorReport(clientAddress: Address, error: unknown): string {
  const from = reprAddress(clientAddress);
  return [
    RULE,
    `Exception occurred during processing of request from ${from}`,
    describe(error),
    RULE,
  ].join("\n");
}
