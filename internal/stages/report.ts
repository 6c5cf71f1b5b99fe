/**
 * Formats and prints the reports of `handleError`.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { OSError } from "../base/errors.ts";
import { inspect } from "../runtime/system/deno_api.ts";
import { Socket, stateOf } from "../socket/socket_object.ts";
import { IncompleteReadError } from "../files/read_errors.ts";
import { begun } from "../waiting/promises.ts";

const RULE = "-".repeat(40);

/** Returns a string as Python's `repr` writes it. */
function reprString(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text.replaceAll("\\", "\\\\").replaceAll(quote, `\\${quote}`)
    .replace(
      /\p{Cc}/gu,
      (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`,
    );
  return `${quote}${escaped}${quote}`;
}

/** Returns an address as Python's `repr` writes it: `('127.0.0.1', 80)`. */
export function reprAddress(address: Address): string {
  if (typeof address === "string") return reprString(address);
  return `(${reprString(address[0])}, ${address[1]})`;
}

/** The line that Python prints between an error and another one that was thrown while handling it. */
const MEANWHILE =
  "During handling of the above exception, another exception occurred:";

/**
 * Returns an error with its stack and the errors behind it.
 *
 * @param error The thrown value.
 * @param shown The errors that the text has already: a `SuppressedError` may contain itself.
 */
function describe(error: unknown, shown: Set<unknown> = new Set()): string {
  if (shown.has(error)) return "(shown above)";
  shown.add(error);
  try {
    return describeUnguarded(error, shown);
  } catch (thrown) { // a getter, a custom inspect, a revoked proxy
    return `Uncaught value that cannot be shown: to show it throws ${
      asText(thrown)
    }`;
  }
}

function describeUnguarded(error: unknown, shown: Set<unknown>): string {
  if (error instanceof SuppressedError) {
    const { suppressed, error: second } = error;
    return [describe(suppressed, shown), MEANWHILE, describe(second, shown)]
      .join("\n\n");
  }
  if (!(error instanceof Error)) {
    return `Uncaught value: ${inspect(error)}`;
  }
  return inspect(error, { colors: false });
}

/** Returns a short text for any thrown value. */
function asText(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return "something that cannot be shown either";
  }
}

/**
 * The errors of a connection whose client has reset, is gone, or is silent for too long, or that was aborted. EPROTO
 * comes from a TLS handshake.
 */
const LOST = new Set([
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "EPROTO",
  "EBADF",
]);

/** The errors of an answer to a Unix datagram client that is gone or does not read. */
const LOST_DATAGRAM = new Set(["ENOENT", "ECONNREFUSED", "EAGAIN"]);

/**
 * Reports whether an error only means that the client is lost.
 *
 * @param error The error.
 * @param client The client's address.
 */
export function isLostClient(error: unknown, client: Address): boolean {
  try {
    return isLost(error, client, new Set());
  } catch {
    return false; // an odd value is no error of the network
  }
}

function isLost(
  error: unknown,
  client: Address,
  seen: Set<unknown>,
): boolean {
  if (error instanceof SuppressedError) {
    if (seen.has(error)) return false; // better one report too many
    seen.add(error);
    return isLost(error.error, client, seen) &&
      isLost(error.suppressed, client, seen);
  }
  if (error instanceof IncompleteReadError) return true;
  if (!(error instanceof OSError)) return false;
  const { code = "", syscall, address } = error;
  return LOST.has(code) ||
    syscall === "sendto" && address === client && LOST_DATAGRAM.has(code);
}

/**
 * Returns what Python's `handle_error` prints, with a JavaScript stack for the traceback. Never throws.
 *
 * @param clientAddress The client's address.
 * @param error The thrown value.
 * @param where The activity that failed.
 */
export function errorReport(
  clientAddress: Address,
  error: unknown,
  where = "processing of",
): string {
  return [
    RULE,
    `Exception occurred during ${where} request from ${reprAny(clientAddress)}`,
    describe(error),
    RULE,
  ].join("\n");
}

/** Returns an address as Python's `repr` writes it. An override of `getRequest` may return any value as address. */
function reprAny(address: Address): string {
  try {
    return reprAddress(address);
  } catch {
    return describe(address);
  }
}

/** Prints a text to stderr. Never throws: a full disk under stderr must not end a server. */
export function say(text: string): void {
  try {
    console.error(text);
  } catch {
    // stderr is all there is to report on
  }
}

/** Prints the first error of a subscriber of a channel of `node:diagnostics_channel`. */
export function saySubscriberFailed(name: string, error: unknown): void {
  say(
    `A subscriber of ${name} has thrown; later errors of it are not printed\n${
      describe(error)
    }`,
  );
}

/** Prints an error of a hook that must not end the server, as Python's threads do. */
export function sayHookFailed(clientAddress: Address, error: unknown): void {
  say(errorReport(clientAddress, error, "the end of the"));
}

/**
 * Calls a hook that the server does not wait for. Never throws: an error of the hook is printed. A hook of a program in
 * JavaScript may return anything.
 */
export function callHook(
  clientAddress: Address,
  hook: () => void | Promise<void>,
): void {
  const running = begun(hook);
  if (running === undefined) return;
  Promise.resolve(running).catch((error) =>
    sayHookFailed(clientAddress, error)
  );
}

/** Prints the error of a hook that ends a request, and closes the connection in its place. */
export function sayHookFailedAndClose(
  request: unknown,
  clientAddress: Address,
  error: unknown,
): void {
  sayHookFailed(clientAddress, error);
  if (request instanceof Socket) stateOf(request).close(false);
}
