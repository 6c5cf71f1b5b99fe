/**
 * The settings of a TLS context, and the files that they are loaded from.
 *
 * @module
 */

import { checkTimeout } from "../base/arguments.ts";
import {
  CERT_NONE,
  CERT_OPTIONAL,
  CERT_REQUIRED,
  TLSVersion,
} from "../base/ssl_constants.ts";
import { SSLError } from "../base/ssl_errors.ts";
import { osError } from "../base/translate_error.ts";
import {
  type CertChain,
  loadChain,
  loadRoots,
} from "../runtime/tls/tls_material.ts";
import {
  makeProfile,
  type NodeVersion,
  type TlsProfile,
  type TlsSettings,
} from "../runtime/tls/tls_profile.ts";

/** A loaded file, and a function to load it again. */
interface Loaded<T> {
  readonly load: () => T;
  readonly value: T;
}

function loaded<T>(load: () => T): Loaded<T> {
  return { load, value: load() };
}

/** The settings of a context. Makes a profile of them when a handshake needs one, and another one after a change. */
export class ContextSettings {
  readonly serverSide: boolean;
  #chain: Loaded<CertChain> | undefined;
  #roots: Loaded<TlsSettings["roots"]>[] = [];
  #defaultRoots = false;
  #verifyMode: number;
  #checkHostname: boolean;
  #versions = {
    minimumVersion: TLSVersion.TLSv1_2 as TLSVersion,
    maximumVersion: TLSVersion.MAXIMUM_SUPPORTED as TLSVersion,
  };
  #alpnProtocols: readonly string[] = [];
  #handshakeTimeout: number | null = 10;
  #profile: TlsProfile | undefined;
  /** The profile before the last change. The next one keeps the clients that this one has verified. */
  #before: TlsProfile | undefined;

  /** @param serverSide Whether the context is for servers. */
  constructor(serverSide: boolean) {
    this.serverSide = serverSide;
    this.#checkHostname = !serverSide;
    this.#verifyMode = serverSide ? CERT_NONE : CERT_REQUIRED;
  }

  #changed(): void {
    this.#before = this.#profile ?? this.#before;
    this.#profile = undefined;
  }

  /** Loads the certificate of this side and its key. */
  loadChain(
    cert: string | URL,
    key: string | URL | undefined,
    password: string | undefined,
  ): void {
    this.#chain = loaded(() => loadChain(cert, key, password));
    this.#changed();
  }

  /** Loads authorities. */
  loadRoots(source: string | URL): void {
    this.#roots.push(loaded(() => loadRoots(source)));
    this.#changed();
  }

  /** Adds the authorities of Deno. */
  loadDefaultRoots(): void {
    if (this.serverSide) {
      throw unsupported(
        "loadDefaultCerts",
        "Deno verifies clients only with loadVerifyLocations",
      );
    }
    this.#defaultRoots = true;
    this.#changed();
  }

  /** Loads all files again. Returns the function that puts them to use. */
  reload(): () => void {
    const again = <T>({ load }: Loaded<T>) => loaded(load);
    const chain = this.#chain && again(this.#chain);
    const roots = this.#roots.map(again);
    return () => {
      this.#chain = chain;
      this.#roots = roots;
      this.#changed();
    };
  }

  get verifyMode(): number {
    return this.#verifyMode;
  }

  set verifyMode(mode: number) {
    const modes = [CERT_NONE, CERT_OPTIONAL, CERT_REQUIRED];
    if (!modes.includes(mode)) {
      throw new RangeError(
        `Cannot set verifyMode: expected CERT_NONE, CERT_OPTIONAL or CERT_REQUIRED, got ${mode}`,
      );
    }
    if (mode === CERT_NONE && this.#checkHostname) {
      throw new TypeError(
        "Cannot set verifyMode: CERT_NONE needs checkHostname to be false first",
      );
    }
    this.#verifyMode = mode;
    this.#changed();
  }

  get checkHostname(): boolean {
    return this.#checkHostname;
  }

  set checkHostname(check: boolean) {
    this.#checkHostname = check;
    if (check && this.#verifyMode === CERT_NONE) {
      this.#verifyMode = CERT_REQUIRED;
    }
    this.#changed();
  }

  /** Returns the oldest or the newest version. */
  version(name: "minimumVersion" | "maximumVersion"): TLSVersion {
    return this.#versions[name];
  }

  /** Sets the oldest or the newest version. */
  setVersion(
    name: "minimumVersion" | "maximumVersion",
    version: TLSVersion,
  ): void {
    nodeVersion(version, name);
    this.#versions[name] = version;
    this.#changed();
  }

  /** The seconds that a handshake may take; null is no limit. */
  get handshakeTimeout(): number | null {
    return this.#handshakeTimeout;
  }

  set handshakeTimeout(seconds: number | null) {
    checkTimeout(seconds);
    if (seconds === 0) {
      throw new RangeError(
        "Cannot set handshakeTimeout: a handshake takes more than 0 seconds",
      );
    }
    this.#handshakeTimeout = seconds;
  }

  /** Sets the protocols of ALPN. */
  setAlpnProtocols(protocols: readonly string[]): void {
    checkAlpn(protocols);
    this.#alpnProtocols = [...protocols];
    this.#changed();
  }

  /**
   * Returns the profile for a handshake.
   *
   * @param choosesOther Whether another context, chosen by the client's name, may have the certificate.
   * @throws {SSLError} if no handshake could succeed.
   */
  profile(choosesOther: boolean): TlsProfile {
    if (this.#profile !== undefined) return this.#profile;
    const { minimumVersion, maximumVersion } = this.#versions;
    const minVersion = nodeVersion(minimumVersion, "minimumVersion");
    const maxVersion = nodeVersion(maximumVersion, "maximumVersion");
    this.#checkComplete(choosesOther, minVersion, maxVersion);
    return this.#profile = makeProfile({
      serverSide: this.serverSide,
      chain: this.#chain?.value,
      roots: this.#roots.flatMap(({ value }) => value),
      defaultRoots: this.#defaultRoots,
      verifyMode: this.#verifyMode,
      minVersion,
      maxVersion,
      alpnProtocols: this.#alpnProtocols,
    }, this.#before);
  }

  #checkComplete(
    choosesOther: boolean,
    min: NodeVersion,
    max: NodeVersion,
  ): void {
    if (min > max) {
      const text = `minimumVersion is ${min}, maximumVersion is ${max}`;
      throw incomplete("NO_PROTOCOLS_AVAILABLE", text);
    }
    if (this.serverSide && this.#chain === undefined && !choosesOther) {
      const text = "the server has no certificate: call loadCertChain";
      throw incomplete("NO_CERTIFICATE_ASSIGNED", text);
    }
    const verifies = this.#verifyMode !== CERT_NONE;
    if (verifies && this.#roots.length === 0 && !this.#defaultRoots) {
      const load = this.serverSide
        ? "loadVerifyLocations"
        : "loadVerifyLocations or loadDefaultCerts";
      const text = `no authority is loaded to verify the peer: call ${load}`;
      throw incomplete("NO_CERTIFICATE_AUTHORITY", text);
    }
  }
}

/** Returns the error of a setting that Deno does not support. */
export function unsupported(syscall: string, reason: string): Error {
  return osError("EOPNOTSUPP", { syscall, reason });
}

function incomplete(reason: string, text: string): SSLError {
  const message = `Cannot wrapSocket: ${reason}: ${text} (EPROTO)`;
  return new SSLError(message, { reason, syscall: "wrapSocket" });
}

/** Returns a version as Node names it, or throws if Deno does not speak it. */
function nodeVersion(version: unknown, name: string): NodeVersion {
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

/** Throws for a protocol that is no name of ALPN. Source: RFC 7301, 3.1. */
function checkAlpn(protocols: readonly string[]): void {
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
}
