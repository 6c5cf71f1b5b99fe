/**
 * Judges failures of `getRequest`. CPython's loop skips every `OSError`; this one ends if the server's socket is closed,
 * or after ten errors in a row of a descriptor that does not listen.
 *
 * @module
 */

import { OSError } from "../base/errors.ts";
import { translate } from "../base/translate_error.ts";
import { DENO_ERRORS } from "../runtime/system/deno_api.ts";

/**
 * The verdict on a failed `getRequest`: `transient` goes on, `resource` pauses first, `invalid` pauses and counts towards
 * the end, `fatal` ends the loop.
 */
export type AcceptVerdict = "transient" | "resource" | "invalid" | "fatal";

/** Limits of the process and of the system, see accept(2). They pass when connections end. */
const RESOURCE = new Set(["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "ENOSR"]);

/**
 * Errors of a descriptor that does not listen, see accept(2). But EBADF also comes from a connection that closes during
 * a handshake, and some systems give EINVAL for a client that has reset. So only many of them in a row count against
 * the listener.
 */
const INVALID = new Set(["EBADF", "EINVAL", "ENOTSOCK"]);

/** The number of these in a row that ends the loop: with the pauses, a second. Arbitrary. */
const INVALID_MAX = 10;

/**
 * The number of requests in a row that ends a shortage, because one may get through now and then meanwhile. Arbitrary.
 */
const RECOVERED = 10;

/**
 * The pause after a resource error, in ms, as in trio and thousand_island: long enough to save the processor, and too
 * short for a client to notice.
 */
export const PAUSE_MS = 100;

/** Translates a failure of the system, of Deno or of Node to an `OSError`. Returns undefined for any other error. */
export function systemError(error: unknown): OSError | undefined {
  if (error instanceof OSError) return error;
  if (!(error instanceof Error) || !isSystemError(error)) return undefined;
  const translated = translate(error, { syscall: "get a request" });
  return translated instanceof OSError ? translated : undefined;
}

/** Reports whether an error is of a class of Deno, has a code of Node, or is that of a timeout or an abort. */
function isSystemError(error: Error & { code?: unknown }): boolean {
  if (error instanceof DOMException) {
    return error.name === "TimeoutError" || error.name === "AbortError";
  }
  return typeof error.code === "string" ||
    DENO_ERRORS.values().some((Class) => error instanceof Class);
}

/** Judges the failures of one server, and counts those in a row. */
export class AcceptFailures {
  #invalid = 0;
  #shortage = 0;

  /** Notes a successful `getRequest`. */
  reset(): void {
    if (this.#invalid > 0) this.#invalid = 0;
    if (this.#shortage > 0) this.#shortage--;
  }

  /**
   * Judges a failure.
   *
   * @param error The error of `getRequest`.
   * @param listens Whether the server's socket is open, and takes requests.
   */
  judge(error: unknown, listens: boolean): AcceptVerdict {
    const failure = systemError(error);
    if (failure === undefined || !listens) return "fatal";
    const code = failure.code ?? "";
    if (RESOURCE.has(code)) return "resource";
    if (!INVALID.has(code)) return "transient";
    return ++this.#invalid < INVALID_MAX ? "invalid" : "fatal";
  }

  /** Notes a shortage of resources. Reports whether it is the first since the last one ended. */
  noteShortage(): boolean {
    const first = this.#shortage === 0;
    this.#shortage = RECOVERED;
    return first;
  }
}
