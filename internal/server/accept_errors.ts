/**
 * What a failure of `getRequest` means for the server: CPython's loop passes over every `OSError`, and so does this one.
 *
 * @module
 */

import { OSError, translate } from "../base/errors.ts";

/** What a failed `getRequest` means: go on, pause first, or end. */
export type AcceptVerdict = "transient" | "resource" | "invalid" | "fatal";

/** accept(2): the limits of the process and of the system. They pass when connections end. */
const RESOURCE = new Set(["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "ENOSR"]);

/**
 * accept(2): the descriptor is none, or does not listen. But a connection that closes during a handshake ends in EBADF
 * too, and some systems give EINVAL for a client that has reset: only many of them in a row are the listener's.
 */
const INVALID = new Set(["EBADF", "EINVAL", "ENOTSOCK"]);

/** How many of them in a row end the loop: with the pauses, a second of nothing else. Arbitrary. */
const INVALID_MAX = 10;

/** How many requests in a row end an episode of a shortage. A descriptor that is free now and then does not. Arbitrary. */
const RECOVERED = 10;

/**
 * The pause after a resource error, in ms: as long as trio and thousand_island wait, long enough for the
 * loop not to spin and short enough for a client not to notice.
 */
export const PAUSE_MS = 100;

/** Returns the error of the family that a failure of the system is, of Deno or Node too; undefined for a bug. */
export function systemError(error: unknown): OSError | undefined {
  if (error instanceof OSError) return error;
  if (!(error instanceof Error) || !isSystemError(error)) return undefined;
  const translated = translate(error, { syscall: "get a request" });
  return translated instanceof OSError ? translated : undefined;
}

/** Reports whether an error is one of Deno's, one of Node's with a code, or that of a time limit. */
function isSystemError(error: Error & { code?: unknown }): boolean {
  if (error instanceof DOMException) {
    return error.name === "TimeoutError" || error.name === "AbortError";
  }
  return typeof error.code === "string" ||
    Object.values(Deno.errors).some((Class) => error instanceof Class);
}

/** Judges the failures of one server, and remembers those in a row. */
export class AcceptFailures {
  #invalid = 0;
  #shortage = 0;

  /** Notes a request that was got. */
  passed(): void {
    if (this.#invalid > 0) this.#invalid = 0;
    if (this.#shortage > 0) this.#shortage--;
  }

  /**
   * Says what a failure means.
   *
   * @param error What `getRequest` threw.
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

  /** Notes a shortage. Returns whether it is the first of an episode. */
  short(): boolean {
    const first = this.#shortage === 0;
    this.#shortage = RECOVERED;
    return first;
  }
}
