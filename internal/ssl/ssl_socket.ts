/**
 * A socket with TLS.
 *
 * @module
 */

import { osError } from "../base/errors.ts";
import {
  SSLWantReadError,
  SSLZeroReturnError,
} from "../base/ssl_errors.ts";
import { type AbortOptions, checkSignal } from "../waiting/abort.ts";
import { AF_INET, SOCK_STREAM } from "../base/constants.ts";
import {
  certificateParts,
  type PeerCertificate,
} from "../runtime/peer_certificate.ts";
import type { TlsStream } from "../runtime/tls_stream.ts";
import { Socket, stateOf } from "../socket/socket_object.ts";
import type { SocketState } from "../socket/state.ts";
import { PendingOperation } from "../waiting/pending_operation.ts";
import { unawaited } from "../waiting/promises.ts";
import { whenReady } from "../waiting/ready.ts";
import { failLater } from "../waiting/timeouts.ts";
import type { SSLContext } from "./ssl_context.ts";

/** The parts of a socket that {@linkcode makeSSLSocket} makes. */
export interface SSLSocketParts {
  readonly context: SSLContext;
  readonly serverSide: boolean;
  readonly serverHostname: string | null;
  /** The state of the socket that is wrapped. */
  readonly from: SocketState;
  readonly proto: number;
}

/** The parts of the socket that is being made. */
let making: SSLSocketParts | undefined;

/** Makes a socket with TLS, without its transport. */
export function makeSSLSocket(parts: SSLSocketParts): SSLSocket {
  making = parts;
  try {
    return new SSLSocket(parts.from.family, SOCK_STREAM, parts.proto);
  } finally {
    making = undefined;
  }
}

/** Gives a socket its transport. */
export let giveTransport: (socket: SSLSocket, transport: TlsStream) => void;

/**
 * A socket with TLS: a {@linkcode Socket} whose bytes are encrypted, and what is known of the peer.
 * {@linkcode SSLContext.wrapSocket} makes one; there is no public constructor, as in Python.
 *
 * `close()` sends a close_notify, and `shutdown(SHUT_WR)` sends one and leaves the socket open for reading.
 *
 * @category SSL
 */
export class SSLSocket extends Socket {
  /** Whether this is the side of the server. */
  readonly serverSide: boolean;
  /** The name of the server that a client asked for; null on a server. */
  readonly serverHostname: string | null;
  /** The context; on a server that chooses by name, the one that was chosen. */
  context: SSLContext;
  #transport: TlsStream | undefined;
  #handshake: PendingOperation<void> | undefined;

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
    const { context, serverSide, serverHostname, from } = making;
    this.context = context;
    this.serverSide = serverSide;
    this.serverHostname = serverHostname;
    const state = stateOf(this);
    state.timeout = from.timeout;
    state.deadline = from.deadline;
    state.options = from.options && new Map(from.options);
  }

  static {
    giveTransport = (socket, transport) => {
      socket.#transport = transport;
      stateOf(socket).take(transport);
    };
  }

  /**
   * Makes the handshake. `wrapSocket` has done so, unless `doHandshakeOnConnect` is false; then the first call that
   * reads or writes does.
   *
   * @param options A signal that ends the wait.
   * @throws {SSLError} if the handshake fails; `reason` tells why. The connection is closed.
   * @throws {SSLCertVerificationError} if the certificate of the peer is not accepted.
   * @throws {SSLEOFError} if the peer closes the connection.
   * @throws {SSLWantReadError} with timeout 0, if the peer is to be waited for.
   * @throws {TimeoutError} after the timeout of the socket, when the next call goes on; or after the `handshakeTimeout`
   *   of the context, when the connection is closed.
   */
  doHandshake(options: AbortOptions = {}): Promise<void> {
    return unawaited(this.#doHandshake(options));
  }

  async #doHandshake({ signal }: AbortOptions): Promise<void> {
    const state = stateOf(this);
    try {
      checkSignal(signal, "doHandshake");
      state.checkOpen("doHandshake");
      const limit = state.limit("doHandshake", undefined, signal);
      const handshake = this.#handshake ??= this.#begin(state);
      await whenReady(handshake, limit, "doHandshake", () => handshake.take());
      this.#handshake = state.handshake = undefined;
    } catch (error) {
      if (isWouldBlock(error)) throw wantRead();
      this.#handshake = state.handshake = undefined;
      return await failLater(error);
    }
  }

  #begin(state: SocketState): PendingOperation<void> {
    const transport = this.#transport!;
    return state.handshake = new PendingOperation(() => transport.handshake());
  }

  /**
   * Returns the certificate of the peer.
   *
   * @param binaryForm Whether to return the certificate as DER.
   * @returns The certificate as Python has it; null if the peer sent none, and an object without entries if it was not
   *   verified. With `binaryForm`, its bytes.
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
    const certificate = this.#session("getpeercert").getPeerX509Certificate();
    if (certificate === undefined) return null;
    if (binaryForm) return new Uint8Array(certificate.raw);
    return this.context.verifyMode === 0 ? {} : certificateParts(certificate);
  }

  /** Returns the version of TLS, `"TLSv1.2"` or `"TLSv1.3"`; null before the handshake. */
  version(): string | null {
    return this.#transport?.session?.getProtocol() ?? null;
  }

  /** Returns the name of the cipher, the version of TLS, and the bits of the key; null before the handshake. */
  cipher(): [name: string, version: string, bits: number] | null {
    const session = this.#transport?.session;
    if (session === undefined) return null;
    const { name, standardName = name } = session.getCipher();
    const version = session.getProtocol() ?? "";
    return [
      version === "TLSv1.3" ? standardName : name,
      version,
      /128/.test(name) ? 128 : 256,
    ];
  }

  /** Returns the protocol that ALPN chose; null if there is none. */
  selectedAlpnProtocol(): string | null {
    return this.#transport?.session?.alpnProtocol || null;
  }

  #session(syscall: string) {
    stateOf(this).checkOpen(syscall);
    const session = this.#transport?.session;
    if (session !== undefined) return session;
    const reason = "the handshake has not ended";
    throw osError("ENOTCONN", { syscall, reason });
  }
}

function isWouldBlock(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === "EAGAIN";
}

function wantRead(): SSLWantReadError {
  const text = "the peer has not answered yet (EAGAIN)";
  return new SSLWantReadError(`Cannot doHandshake: WANT_READ: ${text}`, {
    syscall: "doHandshake",
  });
}
