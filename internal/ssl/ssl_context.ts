/**
 * The contexts and the sockets of TLS: each has the other.
 *
 * @module
 */

import { AF_INET, SOCK_STREAM } from "../base/constants.ts";
import {
  PROTOCOL_TLS_CLIENT,
  PROTOCOL_TLS_SERVER,
  type TLSVersion,
} from "../base/ssl_constants.ts";
import { noteContext } from "../base/ssl_contexts.ts";
import { osError } from "../base/translate_error.ts";
import type { AbortOptions } from "../waiting/abort.ts";
import { unawaited } from "../waiting/promises.ts";
import {
  type PeerCertificate,
  peerCertificate,
} from "../runtime/tls/session_facts.ts";
import type { TlsProfile } from "../runtime/tls/tls_profile.ts";
import { Socket, stateOf } from "../socket/socket_object.ts";
import type { SocketState } from "../socket/state.ts";
import { ContextSettings, unsupported } from "./context_settings.ts";
import { ServerNames } from "./server_names.ts";
import { TlsSession } from "./tls_session.ts";
import { wrapSocket, type WrapSocketOptions } from "./wrap_socket.ts";

/**
 * Chooses the context for the name that a client asks for.
 *
 * @param socket The socket whose handshake is under way.
 * @param serverName The name; null if the client named none.
 * @param context The context of the server.
 * @returns The context for the handshake. If the function returns nothing, the one that {@linkcode SSLContext.addContext}
 *   has for the name is used, or else `context`.
 *
 * @category TLS
 */
export type SniCallback = (
  socket: SSLSocket,
  serverName: string | null,
  context: SSLContext,
) => SSLContext | void | Promise<SSLContext | void>;

/**
 * The settings of TLS for many sockets: Python's `ssl.SSLContext`. A change holds for the handshakes that begin after it;
 * connections keep the settings they began with.
 *
 * A setting that Deno would ignore throws an error: ciphers, curves, lists of revoked certificates, TLS 1.1 and older.
 *
 * @category TLS
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
  readonly #settings: ContextSettings;
  readonly #names = new ServerNames<SSLContext>();

  /**
   * Creates a context. A context for clients verifies the server and its name, as in Python, and has no authorities
   * before `loadDefaultCerts` or `loadVerifyLocations`.
   *
   * @param protocol `PROTOCOL_TLS_CLIENT` or `PROTOCOL_TLS_SERVER`.
   * @throws {RangeError} for another number.
   */
  constructor(protocol: number) {
    if (
      protocol !== PROTOCOL_TLS_CLIENT && protocol !== PROTOCOL_TLS_SERVER
    ) {
      throw new RangeError(
        `Cannot make an SSLContext: expected PROTOCOL_TLS_CLIENT or PROTOCOL_TLS_SERVER, got ${protocol}`,
      );
    }
    this.protocol = protocol;
    this.#settings = new ContextSettings(protocol === PROTOCOL_TLS_SERVER);
    noteContext(this, () => void this.#profile());
  }

  /**
   * Loads the certificate of this side and its key, and checks that the two belong together.
   *
   * @param cert The certificate, followed by those of the authorities between it and the root: PEM text or a path.
   * @param key The key: PEM text or a path; by default `cert` has the key too.
   * @param password The password of an encrypted key.
   * @throws {SSLError} if a text is no PEM, the password is missing or wrong, or the key is not that of the certificate.
   * @throws {OSError} if a file cannot be read.
   */
  loadCertChain(
    cert: string | URL,
    key?: string | URL | null,
    password?: string | null,
  ): void {
    this.#settings.loadChain(cert, key ?? undefined, password ?? undefined);
  }

  /**
   * Loads the certificates of authorities, to verify peers with.
   *
   * @param ca The certificates: PEM text or a path. A server sends them to its clients, so load few.
   * @throws {SSLError} if there is no certificate, or one that cannot be decoded.
   * @throws {OSError} if the file cannot be read; EOPNOTSUPP for a list of revoked certificates, which Deno ignores.
   */
  loadVerifyLocations(ca: string | URL): void {
    this.#settings.loadRoots(ca);
  }

  /**
   * Loads the authorities of Deno: those of Mozilla, unless `DENO_TLS_CA_STORE` or `--cert` name others.
   *
   * @throws {OSError} EOPNOTSUPP on a context for servers: Deno verifies no clients with them.
   */
  loadDefaultCerts(): void {
    this.#settings.loadDefaultRoots();
  }

  /**
   * Whether the certificate of the peer is verified: `CERT_NONE`, `CERT_OPTIONAL` or `CERT_REQUIRED`.
   *
   * @default {CERT_REQUIRED} for clients, {CERT_NONE} for servers.
   */
  get verifyMode(): number {
    return this.#settings.verifyMode;
  }

  set verifyMode(mode: number) {
    this.#settings.verifyMode = mode;
  }

  /**
   * Whether the certificate of a server must be for the `serverHostname`. Setting it to true sets `verifyMode` to
   * `CERT_REQUIRED` if that is `CERT_NONE`, as in Python.
   *
   * @default {true} for clients, {false} for servers.
   */
  get checkHostname(): boolean {
    return this.#settings.checkHostname;
  }

  set checkHostname(check: boolean) {
    this.#settings.checkHostname = Boolean(check);
  }

  /**
   * The oldest version of TLS to speak.
   *
   * @default {TLSVersion.TLSv1_2}
   */
  get minimumVersion(): TLSVersion {
    return this.#settings.version("minimumVersion");
  }

  set minimumVersion(version: TLSVersion) {
    this.#settings.setVersion("minimumVersion", version);
  }

  /**
   * The newest version of TLS to speak.
   *
   * @default {TLSVersion.MAXIMUM_SUPPORTED}
   */
  get maximumVersion(): TLSVersion {
    return this.#settings.version("maximumVersion");
  }

  set maximumVersion(version: TLSVersion) {
    this.#settings.setVersion("maximumVersion", version);
  }

  /**
   * The seconds that a handshake may take; null is no limit. The timeout of the socket counts too.
   *
   * @default {10}
   */
  get handshakeTimeout(): number | null {
    return this.#settings.handshakeTimeout;
  }

  set handshakeTimeout(seconds: number | null) {
    this.#settings.handshakeTimeout = seconds;
  }

  /**
   * Sets the protocols for ALPN. A server refuses a client that offers protocols, but none of these.
   *
   * @param protocols The names, the preferred one first, such as `["h2", "http/1.1"]`; an empty list is no ALPN.
   * @throws {RangeError} if a name is empty or longer than 255 bytes.
   */
  setAlpnProtocols(protocols: readonly string[]): void {
    this.#settings.setAlpnProtocols(protocols);
  }

  /**
   * Adds a context for clients that ask for a name, with another certificate.
   *
   * @param serverName The name: `"www.example.com"`, or `"*.example.com"` for each name with one label more.
   * @param context A context for servers. Only its certificate and its authorities are used.
   * @throws {TypeError} if `serverName` is not a host name, or `context` is not for servers.
   */
  addContext(serverName: string, context: SSLContext): void {
    if (
      !(context instanceof SSLContext) || context.protocol !== this.protocol
    ) {
      throw new TypeError(
        "Cannot add a context: expected an SSLContext with PROTOCOL_TLS_SERVER",
      );
    }
    this.#names.set(serverName, context);
  }

  /**
   * Loads all files again, such as a certificate that was renewed, also those of the added contexts. The handshakes that
   * begin afterwards use them. If a file cannot be loaded, nothing changes.
   *
   * @throws {SSLError} as `loadCertChain` and `loadVerifyLocations`.
   * @throws {OSError} as these.
   */
  reload(): void {
    const commits = [...this.#withAdded(new Set())].map((each) =>
      each.#settings.reload()
    );
    for (const commit of commits) commit();
  }

  *#withAdded(seen: Set<SSLContext>): Iterable<SSLContext> {
    if (seen.has(this)) return;
    seen.add(this);
    yield this;
    for (const added of this.#names.values()) yield* added.#withAdded(seen);
  }

  /**
   * Wraps a connected socket. The old socket counts as closed, also if this fails: use the new one.
   *
   * @param socket The socket: connected, accepted, or peeked at. It may be one with TLS, for TLS inside of TLS.
   * @param options The side, the name of the server, and when to make the handshake.
   * @returns The socket with TLS, after the handshake unless `doHandshakeOnConnect` is false.
   * @throws {SSLError} if the handshake fails; `reason` names the cause. UNEXPECTED_PLAINTEXT if plain bytes came
   *   before it.
   * @throws {SSLCertVerificationError} if the certificate of the peer is not accepted.
   * @throws {OSError} ENOTCONN, EINVAL, EBADF or EOPNOTSUPP for a socket that cannot be wrapped.
   * @throws {TimeoutError} after the timeout of the socket, or the `handshakeTimeout`.
   * @throws {TypeError} if a client needs `serverHostname`, or a server has one.
   */
  wrapSocket(
    socket: Socket,
    options: WrapSocketOptions = {},
  ): Promise<SSLSocket> {
    return wrapSocket(
      {
        settings: this.#settings,
        profile: () => this.#profile(),
        make: (from) => makeSSLSocket({ context: this, from, options }),
        attach: (made, ...given) => sessionOf(made).attach(...given),
        choose: this.#chooses
          ? async (made, name) => (await this.#choose(made, name)).#profile()
          : undefined,
      },
      socket,
      options,
    );
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

  #profile(): TlsProfile {
    return this.#settings.profile(this.#chooses);
  }

  /** Whether the context of a server depends on the name that the client asks for. */
  get #chooses(): boolean {
    return this.#names.size > 0 || this.sniCallback !== null;
  }

  /** Chooses the context for a name, and tells the socket. */
  async #choose(socket: SSLSocket, name: string): Promise<SSLContext> {
    socket.context = this.#names.get(name) ?? this;
    const { sniCallback } = this;
    if (sniCallback === null) return socket.context;
    const chosen = await sniCallback(socket, name || null, this);
    if (chosen !== undefined) socket.context = chosen;
    if (socket.context.#settings.serverSide) return socket.context;
    throw new TypeError(
      "Cannot choose a context: sniCallback chose one for clients",
    );
  }
}

/** The parts of a socket that {@linkcode makeSSLSocket} makes. */
interface Making {
  readonly context: SSLContext;
  /** The part of the state of the socket that is wrapped. */
  readonly from: Pick<
    SocketState,
    "family" | "timeout" | "deadline" | "options"
  >;
  readonly options: WrapSocketOptions;
}

/** Set while a socket is made, since the constructor is not public. */
let making: Making | undefined;

/** Makes a socket with TLS, without its transport. */
export function makeSSLSocket(parts: Making): SSLSocket {
  making = parts;
  try {
    return new SSLSocket(parts.from.family, SOCK_STREAM);
  } finally {
    making = undefined;
  }
}

/** Returns the session of a socket. */
export let sessionOf: (socket: SSLSocket) => TlsSession;

/**
 * A socket with TLS: a {@linkcode Socket} whose bytes are encrypted, with the facts about the peer.
 * {@linkcode SSLContext.wrapSocket} makes one; there is no public constructor, as in Python.
 *
 * `close()` sends a close_notify, and `shutdown(SHUT_WR)` sends one and leaves the socket open for reading.
 *
 * @category TLS
 * @example
 * ```ts
 * import { createConnection } from "@socketserver/socketserver";
 * import { createDefaultContext } from "@socketserver/socketserver/ssl";
 *
 * async function inspect(host: string) {
 *   const plain = await createConnection([host, 443], { timeout: 10 });
 *   const context = createDefaultContext();
 *   using socket = await context.wrapSocket(plain, { serverHostname: host });
 *   return [socket.version(), socket.cipher(), socket.getpeercert()?.notAfter];
 * }
 * ```
 */
export class SSLSocket extends Socket {
  /** Whether this is the side of the server. */
  readonly serverSide: boolean;
  /** The name of the server that this client asked for; null on a server. */
  readonly serverHostname: string | null;
  /** The context; on a server that chooses by name, the one that was chosen. */
  context: SSLContext;
  readonly #session: TlsSession = new TlsSession(this);

  /**
   * Throws: {@linkcode SSLContext.wrapSocket} makes these sockets.
   *
   * @param family The address family.
   * @param type `SOCK_STREAM`.
   * @param proto The protocol number.
   * @throws {TypeError} always.
   */
  constructor(
    family: number = AF_INET,
    type: number = SOCK_STREAM,
    proto: number = 0,
  ) {
    super(family, type, proto);
    if (making === undefined) {
      throw new TypeError(
        "Cannot make an SSLSocket: use the wrapSocket() of an SSLContext",
      );
    }
    const { context, from, options } = making;
    this.context = context;
    this.serverSide = options.serverSide ?? false;
    this.serverHostname = options.serverHostname ?? null;
    const state = stateOf(this);
    state.timeout = from.timeout;
    state.deadline = from.deadline;
    state.options = from.options && new Map(from.options);
  }

  static {
    sessionOf = (socket) => socket.#session;
  }

  /**
   * Makes the handshake. `wrapSocket` has done so, unless `doHandshakeOnConnect` is false; then the first call that
   * reads or writes does.
   *
   * @param options A signal that ends the wait.
   * @throws {SSLError} if the handshake fails; `reason` names the cause. The connection is closed.
   * @throws {SSLCertVerificationError} if the certificate of the peer is not accepted.
   * @throws {SSLEOFError} if the peer closes the connection.
   * @throws {SSLWantReadError} with timeout 0, if the call would have to wait for the peer.
   * @throws {TimeoutError} after the timeout of the socket, when the next call goes on; or after the `handshakeTimeout`
   *   of the context, when the connection is closed.
   */
  doHandshake(options: AbortOptions = {}): Promise<void> {
    return unawaited(this.#session.handshake(options));
  }

  /**
   * Ends TLS on both sides, and returns the plain socket: the connection goes on without TLS. This socket counts as
   * closed. To end TLS and the connection, call `shutdown(SHUT_WR)` or `close()`.
   *
   * @param options A signal that ends the wait.
   * @returns The plain socket.
   * @throws {OSError} EOPNOTSUPP on a socket of a server with the option `ssl`: there the connection ends with TLS.
   * @throws {SSLError} APPLICATION_DATA_AFTER_CLOSE_NOTIFY if the peer has sent data that nobody has read. The connection
   *   is closed.
   * @throws {TimeoutError} after the timeout of the socket, if the peer does not end TLS. The connection is closed.
   */
  unwrap(options: AbortOptions = {}): Promise<Socket> {
    return unawaited(this.#session.unwrap(options));
  }

  /**
   * Returns the certificate of the peer.
   *
   * @param binaryForm Whether to return the certificate as DER.
   * @returns The certificate in Python's form; null if the peer sent none, and an object without entries if the
   *   certificate was not verified. With `binaryForm`, the bytes of the certificate.
   * @throws {OSError} ENOTCONN before the handshake.
   */
  getpeercert(binaryForm?: false): PeerCertificate | null;
  /**
   * Returns the certificate of the peer as DER.
   *
   * @param binaryForm True.
   * @returns The bytes; null if the peer sent none.
   */
  getpeercert(binaryForm: true): Uint8Array<ArrayBuffer> | null;
  getpeercert(
    binaryForm = false,
  ): PeerCertificate | Uint8Array<ArrayBuffer> | null {
    stateOf(this).checkOpen("getpeercert");
    const { facts } = this.#session;
    if (facts !== undefined) return peerCertificate(facts, binaryForm);
    const reason = "the handshake has not ended";
    throw osError("ENOTCONN", { syscall: "getpeercert", reason });
  }

  /** Returns the version of TLS, `"TLSv1.2"` or `"TLSv1.3"`; null before the handshake. */
  version(): string | null {
    return this.#session.facts?.version ?? null;
  }

  /** Returns the name of the cipher, the version of TLS, and the bits of the key; null before the handshake. */
  cipher(): [name: string, version: string, bits: number] | null {
    return this.#session.facts?.cipher ?? null;
  }

  /** Returns the protocol that ALPN chose; null if there is none. */
  selectedAlpnProtocol(): string | null {
    return this.#session.facts?.alpnProtocol ?? null;
  }

  /** Returns number, kind and addresses, for a log, as a {@linkcode Socket} does. */
  override toString(): string {
    return super.toString().replace("<Socket", "<SSLSocket");
  }
}
