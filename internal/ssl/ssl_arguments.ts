/**
 * Checks of the settings of a context.
 *
 * @module
 */

import { checkTimeout } from "../base/arguments.ts";
import { osError } from "../base/translate_error.ts";
import { TLSVersion } from "../base/ssl_constants.ts";
import type { NodeVersion } from "../runtime/tls/tls_profile.ts";

/** Returns a version as Node names it, or throws if Deno does not speak it. */
export function nodeVersion(version: unknown, name: string): NodeVersion {
  switch (version) {
    case TLSVersion.MINIMUM_SUPPORTED:
    case TLSVersion.TLSv1_2:
      return "TLSv1.2";
    case TLSVersion.MAXIMUM_SUPPORTED:
    case TLSVersion.TLSv1_3:
      return "TLSv1.3";
    case TLSVersion.SSLv3:
    case TLSVersion.TLSv1:
    case TLSVersion.TLSv1_1:
      throw osError("EOPNOTSUPP", {
        syscall: `set ${name}`,
        reason: "Deno speaks TLS 1.2 and 1.3 only",
      });
    default:
      throw new RangeError(
        `Cannot set ${name}: expected a number of TLSVersion, got ${version}`,
      );
  }
}

/** Returns the seconds of a timeout, or throws if a handshake cannot have it. */
export function checkSeconds(seconds: number | null): number | null {
  checkTimeout(seconds);
  if (seconds === 0) {
    throw new RangeError(
      "Cannot set handshakeTimeout: a handshake takes more than 0 seconds",
    );
  }
  return seconds;
}

/** Returns a copy of the protocols, or throws for one that is no name of ALPN. Source: RFC 7301, 3.1. */
export function checkAlpn(protocols: readonly string[]): readonly string[] {
  if (!Array.isArray(protocols)) {
    throw new TypeError(
      `Cannot set ALPN protocols: expected a list of names, got ${protocols}`,
    );
  }
  for (const name of protocols) {
    const { length } = new TextEncoder().encode(name);
    if (typeof name === "string" && length > 0 && length < 256) continue;
    throw new RangeError(
      `Cannot set ALPN protocols: a name has 1 to 255 bytes, got ${
        JSON.stringify(name)
      }`,
    );
  }
  return [...protocols];
}
