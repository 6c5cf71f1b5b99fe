/**
 * The settings of TLS: certificate, authorities, versions and protocols.
 *
 * @module
 */

import { osError } from "../base/errors.ts";
import { SSLError } from "../base/ssl_errors.ts";
import * as C from "../base/ssl_constants.ts";
import {
  type CertChain,
  loadChain,
  loadRoots,
} from "../runtime/tls_material.ts";
import {
  makeProfile,
  type NodeVersion,
  type TlsProfile,
  type TlsSettings,
} from "../runtime/tls_profile.ts";
import { checkAlpn, checkSeconds, nodeVersion } from "./ssl_arguments.ts";
import { ServerNames } from "./server_names.ts";
import type { SSLSocket } from "./ssl_socket.ts";
import { wrapSocket, type WrapSocketOptions } from "./wrap_socket.ts";
import type { Socket } from "../socket/socket_object.ts";

/**
 * Chooses the context for the name that a client asks for.
 *
 * @param socket The socket whose handshake is under way.
 * @param serverName The name; null if the client named none.
 * @param context The context of the server.
 * @returns The context to go on with; nothing to go on with the one that {@linkcode SSLContext.addContext} has for the
 *   name, or else with `context`.
 *
 * @category SSL
 */
export type SniCallback = (
  socket: SSLSocket,
  serverName: string | null,
  context: SSLContext,
) => SSLContext | void | Promise<SSLContext | void>;

/** What a certificate or an authority was loaded from, to load it again. */
interface Source<T> {
  readonly load: () => T;
  readonly loaded: T;
}

/** Returns the profile of a context. */
export let profileOf: (context: SSLContext) => TlsProfile;

/** Chooses the context for a name, and tells the socket. */
export let chooseContext: (
  context: SSLContext,
  socket: SSLSocket,
  name: string,
) => Promise<SSLContext>;

/**
 * The settings of TLS for many sockets: Python's `ssl.SSLContext`. A change holds for the handshakes that begin after it;
 * connections keep what they have.
 *
 * What Deno cannot do is refused by name: ciphers, curves, lists of revoked certificates, TLS 1.1 and older.
 *
 * @category SSL
 * @example
 * ```ts
 * import { PROTOCOL_TLS_SERVER, SSLContext } from "@socketserver/socketserver/ssl";
 * import { throws } from "node:assert/strict";
 *
 * const context = new SSLContext(PROTOCOL_TLS_SERVER);
 * context.setAlpnProtocols(["http/1.1"]);
 * throws(() => context.loadCertChain("no-such.crt", "no-such.key"), { code: "ENOENT" });
 * ```
 */
export class SSLContext {
  /** `PROTOCOL_TLS_CLIENT` or `PROTOCOL_TLS_SERVER`. */
  readonly protocol: number;
  /**
   * Chooses another context by the name that the client asks for; see {@linkcode SniCallback}. An error that it throws
   * fails the handshake.
   *
   * @default {null}
   */
  sniCallback: SniCallback | null = null;
  readonly #names = new ServerNames<SSLContext>();
  #chain: Source<CertChain> | undefined;
  #roots: Source<TlsSettings["roots"]>[] = [];
  #defaultRoots = false;
  #verifyMode: number;
  #checkHostname: boolean;
  #minimumVersion: C.TLSVersion = C.TLSVersion.TLSv1_2;
  #maximumVersion: C.TLSVersion = C.TLSVersion.MAXIMUM_SUPPORTED;
  #alpnProtocols: readonly string[] = [];
  #handshakeTimeout = 10;
  /** Made when it is first needed after a change. */
  #profile: TlsProfile | undefined;
  /** The last one that was made, for what it remembers. */
  #lastProfile: TlsProfile | undefined;

  /**
   * Creates a context. One for clients verifies the server and its name, as in Python, and has no authorities before
   * `loadDefaultCerts` or `loadVerifyLocations`.
   *
   * @param protocol `PROTOCOL_TLS_CLIENT` or `PROTOCOL_TLS_SERVER`.
   * @throws {RangeError} for another number.
   */
  constructor(protocol: number) {
    if (protocol !== C.PROTOCOL_TLS_CLIENT && protocol !== C.PROTOCOL_TLS_SERVER) {
      throw new RangeError(
        `Cannot make an SSLContext: expected PROTOCOL_TLS_CLIENT or PROTOCOL_TLS_SERVER, got ${protocol}`,
      );
    }
    this.protocol = protocol;
    this.#checkHostname = protocol === C.PROTOCOL_TLS_CLIENT;
    this.#verifyMode = this.#checkHostname ? C.CERT_REQUIRED : C.CERT_NONE;
  }

  static {
    profileOf = (context) => context.#ready();
    chooseContext = (context, socket, name) => context.#choose(socket, name);
  }

  /**
   * Loads the own certificate and its key. They are checked against each other.
   *
   * @param cert The certificate, and those of the authorities between it and the root: PEM text or a path.
   * @param key The key: PEM text or a path; by default it is beside the certificate.
   * @param password The password of an encrypted key.
   * @throws {SSLError} if a text is no PEM, the password is missing or wrong, or the key is not that of the certificate.
   * @throws {OSError} if a file cannot be read.
   */
  loadCertChain(
    cert: string | URL,
    key?: string | URL | null,
    password?: string | null,
  ): void {
    const load = () => loadChain(cert, key ?? undefined, password ?? undefined);
    this.#chain = { load, loaded: load() };
    this.#changed();
  }

  /**
   * Loads authorities, whose certificates the peer's may come from.
   *
   * @param ca Their certificates: PEM text or a path. A server sends them to its clients, so keep them few.
   * @throws {SSLError} if there is no certificate, or one that cannot be decoded.
   * @throws {OSError} if the file cannot be read; EOPNOTSUPP for a list of revoked certificates, which Deno ignores.
   */
  loadVerifyLocations(ca: string | URL): void {
    const load = () => loadRoots(ca);
    this.#roots.push({ load, loaded: load() });
    this.#changed();
  }

  /**
   * Loads the authorities of Deno: those of Mozilla, or what `DENO_TLS_CA_STORE` and `--cert` say.
   *
   * @throws {OSError} EOPNOTSUPP on a context for servers: Deno has them for servers only.
   */
  loadDefaultCerts(): void {
    if (this.protocol === C.PROTOCOL_TLS_SERVER) {
      throw unsupported(
        "loadDefaultCerts",
        "Deno verifies clients only with loadVerifyLocations",
      );
    }
    this.#defaultRoots = true;
    this.#changed();
  }

  /**
   * Whether the certificate of the peer is verified: `CERT_NONE`, `CERT_OPTIONAL` or `CERT_REQUIRED`.
   *
   * @default {CERT_REQUIRED} for clients, {CERT_NONE} for servers.
   */
  get verifyMode(): number {
    return this.#verifyMode;
  }

  set verifyMode(mode: number) {
    if (mode !== C.CERT_NONE && mode !== C.CERT_OPTIONAL && mode !== C.CERT_REQUIRED) {
      throw new RangeError(
        `Cannot set verifyMode: expected CERT_NONE, CERT_OPTIONAL or CERT_REQUIRED, got ${mode}`,
      );
    }
    if (mode === C.CERT_NONE && this.#checkHostname) {
      throw new TypeError(
        "Cannot set verifyMode: CERT_NONE needs checkHostname to be false first",
      );
    }
    this.#verifyMode = mode;
    this.#changed();
  }

  /**
   * Whether the certificate of a server must have its name. Setting it to true sets `verifyMode` to `CERT_REQUIRED` if that is
   * `CERT_NONE`, as in Python.
   *
   * @default {true} for clients, {false} for servers.
   */
  get checkHostname(): boolean {
    return this.#checkHostname;
  }

  set checkHostname(check: boolean) {
    this.#checkHostname = Boolean(check);
    if (check && this.#verifyMode === C.CERT_NONE) {
      this.#verifyMode = C.CERT_REQUIRED;
    }
    this.#changed();
  }

  /**
   * The oldest version of TLS to speak.
   *
   * @default {TLSVersion.TLSv1_2}
   */
  get minimumVersion(): C.TLSVersion {
    return this.#minimumVersion;
  }

  set minimumVersion(version: C.TLSVersion) {
    nodeVersion(version, "minimumVersion");
    this.#minimumVersion = version;
    this.#changed();
  }

  /**
   * The newest version of TLS to speak.
   *
   * @default {TLSVersion.MAXIMUM_SUPPORTED}
   */
  get maximumVersion(): C.TLSVersion {
    return this.#maximumVersion;
  }

  set maximumVersion(version: C.TLSVersion) {
    nodeVersion(version, "maximumVersion");
    this.#maximumVersion = version;
    this.#changed();
  }

  /**
   * How many seconds a handshake may take; null is no limit. The timeout of the socket counts too.
   *
   * @default {10}
   */
  get handshakeTimeout(): number | null {
    return this.#handshakeTimeout === Infinity ? null : this.#handshakeTimeout;
  }

  set handshakeTimeout(seconds: number | null) {
    this.#handshakeTimeout = checkSeconds(seconds);
  }

  /**
   * Sets the protocols for ALPN. A server refuses a client that offers protocols, but none of these.
   *
   * @param protocols The names, the preferred one first, such as `["h2", "http/1.1"]`; an empty list is no ALPN.
   * @throws {RangeError} if a name is empty or longer than 255 bytes.
   */
  setAlpnProtocols(protocols: readonly string[]): void {
    this.#alpnProtocols = checkAlpn(protocols);
    this.#changed();
  }

  /**
   * Adds a context for clients that ask for a name, with another certificate.
   *
   * @param serverName The name: `"www.example.com"`, or `"*.example.com"` for each name with one label more.
   * @param context A context for servers. Of its settings, those of the certificate and of the authorities count.
   * @throws {TypeError} if the name is none, or the context not for servers.
   */
  addContext(serverName: string, context: SSLContext): void {
    this.#checkServer("addContext");
    if (!(context instanceof SSLContext) || context.protocol !== this.protocol) {
      throw new TypeError(
        "Cannot add a context: expected an SSLContext with PROTOCOL_TLS_SERVER",
      );
    }
    this.#names.set(serverName, context);
  }

  /**
   * Loads all files again, also those of the added contexts, for the handshakes that begin from then on: a certificate that
   * was renewed. If one cannot be loaded, nothing changes.
   *
   * @throws {SSLError} as `loadCertChain` and `loadVerifyLocations`.
   * @throws {OSError} as these.
   */
  reload(): void {
    const commits = [...this.#withAdded(new Set())].map((each) => each.#load());
    for (const commit of commits) commit();
  }

  *#withAdded(seen: Set<SSLContext>): Iterable<SSLContext> {
    if (seen.has(this)) return;
    seen.add(this);
    yield this;
    for (const added of this.#names.values()) yield* added.#withAdded(seen);
  }

  /** Loads all files again. Returns the function that puts them to use. */
  #load(): () => void {
    const again = <T>({ load }: Source<T>) => ({ load, loaded: load() });
    const chain = this.#chain && again(this.#chain);
    const roots = this.#roots.map(again);
    return () => {
      this.#chain = chain;
      this.#roots = roots;
      this.#changed();
    };
  }

  /**
   * Wraps a connected socket. The old socket counts as closed, also if this fails: use the new one.
   *
   * @param socket The socket: connected, accepted, or peeked at. It may be one with TLS, for TLS inside of TLS.
   * @param options The side, the name of the server, and when to make the handshake.
   * @returns The socket with TLS, after the handshake unless `doHandshakeOnConnect` is false.
   * @throws {SSLError} if the handshake fails; `reason` tells why. UNEXPECTED_PLAINTEXT if plain bytes came before it.
   * @throws {SSLCertVerificationError} if the certificate of the peer is not accepted.
   * @throws {OSError} ENOTCONN, EINVAL, EBADF or EOPNOTSUPP for a socket that cannot be wrapped.
   * @throws {TimeoutError} after the timeout of the socket, or the `handshakeTimeout`.
   * @throws {TypeError} if a client needs `serverHostname`, or a server has one.
   */
  wrapSocket(
    socket: Socket,
    options: WrapSocketOptions = {},
  ): Promise<SSLSocket> {
    return wrapSocket(this, socket, options);
  }

  /**
   * Throws: Deno chooses the ciphers, all of which have forward secrecy and authenticate what they encrypt.
   *
   * @param _ciphers A list of OpenSSL.
   * @throws {OSError} EOPNOTSUPP.
   */
  setCiphers(_ciphers: string): never {
    throw unsupported("setCiphers", "Deno chooses the ciphers");
  }

  /**
   * Throws: Deno chooses the curves.
   *
   * @param _name The name of a curve.
   * @throws {OSError} EOPNOTSUPP.
   */
  setEcdhCurve(_name: string): never {
    throw unsupported("setEcdhCurve", "Deno chooses the curves");
  }

  /** The flags of the verification: none. Any other value throws, since Deno checks no lists of revoked certificates. */
  get verifyFlags(): number {
    return 0;
  }

  set verifyFlags(flags: number) {
    if (flags === 0) return;
    throw unsupported(
      "set verifyFlags",
      "Deno checks no lists of revoked certificates",
    );
  }

  #checkServer(method: string): void {
    if (this.protocol === C.PROTOCOL_TLS_SERVER) return;
    throw new TypeError(
      `Cannot call ${method}: the context is for clients, expected PROTOCOL_TLS_SERVER`,
    );
  }

  #changed(): void {
    this.#lastProfile = this.#profile ?? this.#lastProfile;
    this.#profile = undefined;
  }

  #ready(): TlsProfile {
    if (this.#profile !== undefined) return this.#profile;
    const serverSide = this.protocol === C.PROTOCOL_TLS_SERVER;
    const minVersion = nodeVersion(this.#minimumVersion, "minimumVersion");
    const maxVersion = nodeVersion(this.#maximumVersion, "maximumVersion");
    this.#checkComplete(serverSide, minVersion, maxVersion);
    return this.#profile = makeProfile({
      serverSide,
      chain: this.#chain?.loaded,
      roots: this.#roots.flatMap(({ loaded }) => loaded),
      defaultRoots: this.#defaultRoots,
      verifyMode: this.#verifyMode,
      minVersion,
      maxVersion,
      alpnProtocols: this.#alpnProtocols,
    }, this.#lastProfile);
  }

  /** Throws if no handshake could succeed. */
  #checkComplete(
    serverSide: boolean,
    min: NodeVersion,
    max: NodeVersion,
  ): void {
    if (min > max) {
      throw incomplete(
        "NO_PROTOCOLS_AVAILABLE",
        `minimumVersion is ${min}, maximumVersion is ${max}`,
      );
    }
    const none = this.#chain === undefined && this.#names.size === 0 &&
      this.sniCallback === null;
    if (serverSide && none) {
      throw incomplete(
        "NO_CERTIFICATE_ASSIGNED",
        "the server has no certificate: call loadCertChain",
      );
    }
    if (
      this.#verifyMode !== C.CERT_NONE && this.#roots.length === 0 &&
      !this.#defaultRoots
    ) {
      const load = serverSide
        ? "loadVerifyLocations"
        : "loadVerifyLocations or loadDefaultCerts";
      throw incomplete(
        "NO_CERTIFICATE_AUTHORITY",
        `no authority is loaded to verify the peer with: call ${load}`,
      );
    }
  }

  async #choose(socket: SSLSocket, name: string): Promise<SSLContext> {
    const added = name === "" ? undefined : this.#names.get(name);
    socket.context = added ?? this;
    const { sniCallback } = this;
    if (sniCallback === null) return socket.context;
    const chosen = await sniCallback(socket, name || null, this);
    if (chosen !== undefined) socket.context = chosen;
    return socket.context;
  }
}

function unsupported(syscall: string, reason: string) {
  return osError("EOPNOTSUPP", { syscall, reason });
}

function incomplete(reason: string, text: string): SSLError {
  return new SSLError(`Cannot wrapSocket: ${reason}: ${text} (EPROTO)`, {
    reason,
    syscall: "wrapSocket",
  });
}
