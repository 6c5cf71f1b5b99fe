/**
 * The socket of a blocking handler on a server with TLS.
 *
 * @module
 */

import {
  type PeerCertificate,
  peerCertificate,
  type SessionFacts,
} from "../runtime/tls/session_facts.ts";
import type { SSLSocket } from "../ssl/ssl_context.ts";
import type { BlockingSocket } from "./blocking_socket.ts";
import { BlockingSocketShell } from "./blocking_socket_shell.ts";
import type { BlockingStream } from "./blocking_transports.ts";

/**
 * The socket of a blocking handler on a server with `ssl`: a {@linkcode BlockingSocket} that knows about the client, as
 * an {@linkcode SSLSocket} does. The server makes the handshake and encrypts.
 *
 * @category TLS
 */
export interface BlockingSSLSocket extends
  BlockingSocket,
  Pick<
    SSLSocket,
    "cipher" | "getpeercert" | "selectedAlpnProtocol" | "version"
  > {}

/** The implementation of {@linkcode BlockingSSLSocket}. */
export class BlockingSSLSocketShell extends BlockingSocketShell {
  readonly #facts: SessionFacts;

  /**
   * Creates a socket over a connection of the server.
   *
   * @param io The connection.
   * @param facts The facts of its session.
   */
  constructor(io: BlockingStream, facts: SessionFacts) {
    super(io);
    this.#facts = facts;
  }

  getpeercert(
    binaryForm = false,
  ): PeerCertificate | Uint8Array<ArrayBuffer> | null {
    return peerCertificate(this.#facts, binaryForm);
  }

  version(): string | null {
    return this.#facts.version;
  }

  cipher(): [name: string, version: string, bits: number] | null {
    return this.#facts.cipher;
  }

  selectedAlpnProtocol(): string | null {
    return this.#facts.alpnProtocol;
  }
}
