/**
 * The facts about a TLS session as plain data, which go with a connection to a worker or a child process.
 *
 * @module
 */

import type { Bytes } from "../../base/memory.ts";
import type { TLSSocket } from "node:tls";
import { CERT_NONE } from "../../base/ssl_constants.ts";
import { nodeCrypto } from "../system/node_builtins.ts";
import { certificateParts, type PeerCertificate } from "./peer_certificate.ts";

/** The name of a cipher, the version of TLS, and the bits of the key. */
export type Cipher = [name: string, version: string, bits: number];

/** The facts about a session. */
export interface SessionFacts {
  /** The version of TLS. */
  readonly version: string | null;
  readonly cipher: Cipher;
  /** The protocol that ALPN chose. */
  readonly alpnProtocol: string | null;
  /** The certificate of the peer, DER in base64; null if there is none. */
  readonly certificate: string | null;
  /** Whether the certificate was verified. */
  readonly verified: boolean;
}

/** Returns the facts about a session of Node. */
export function factsOf(session: TLSSocket, verifyMode: number): SessionFacts {
  const version = session.getProtocol();
  const { name, standardName = name } = session.getCipher();
  const certificate = session.getPeerX509Certificate();
  return {
    version,
    cipher: [
      version === "TLSv1.3" ? standardName : name,
      version ?? "",
      /128/.test(name) ? 128 : 256,
    ],
    alpnProtocol: session.alpnProtocol || null,
    certificate: certificate === undefined
      ? null
      : new Uint8Array(certificate.raw).toBase64(),
    verified: verifyMode !== CERT_NONE,
  };
}

/** Returns the certificate of the peer, as `getpeercert` does. */
export function peerCertificate(
  { certificate, verified }: SessionFacts,
  binaryForm: boolean,
): PeerCertificate | Bytes | null {
  if (certificate === null) return null;
  const bytes = Uint8Array.fromBase64(certificate);
  if (binaryForm) return bytes;
  if (!verified) return {};
  const { X509Certificate } = nodeCrypto();
  return certificateParts(new X509Certificate(bytes));
}
