/**
 * The facts about a TLS session as plain data, which go with a connection to a worker or a child process, and the
 * certificate of the peer in the form of Python's `getpeercert`.
 *
 * @module
 */

import type { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import type { Bytes } from "../../base/memory.ts";
import { CERT_NONE } from "../../base/ssl_constants.ts";
import { nodeCrypto } from "../system/node_builtins.ts";

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

/**
 * A name of a certificate: its relative names in order, each a list of keys and values.
 *
 * @category TLS
 */
export type CertificateName = [key: string, value: string][][];

/**
 * A certificate in the form of Python's `getpeercert()`. Has no entries if the certificate was not verified.
 *
 * @category TLS
 */
export interface PeerCertificate {
  /** The name of the owner. */
  subject?: CertificateName;
  /** The name of the authority that signed the certificate. */
  issuer?: CertificateName;
  /** The version of X.509: 3. */
  version?: number;
  /** The serial number in hexadecimal. */
  serialNumber?: string;
  /** The start of the certificate's validity, such as `"Nov 29 19:00:00 2026 GMT"`. */
  notBefore?: string;
  /** The end of the certificate's validity. */
  notAfter?: string;
  /** The names that the certificate is valid for: `["DNS", "localhost"]`. */
  subjectAltName?: [kind: string, value: string][];
}

/** The long names that OpenSSL gives to the short ones of Node. */
const LONG: Record<string, string> = {
  C: "countryName",
  CN: "commonName",
  DC: "domainComponent",
  GN: "givenName",
  L: "localityName",
  O: "organizationName",
  OU: "organizationalUnitName",
  SN: "surname",
  ST: "stateOrProvinceName",
  UID: "userId",
};

/** Returns the parts of a certificate. */
function certificateParts(
  certificate: X509Certificate,
): PeerCertificate {
  const { subject, issuer, serialNumber, validFrom, validTo, subjectAltName } =
    certificate;
  const parts: PeerCertificate = {
    subject: nameParts(subject),
    issuer: nameParts(issuer),
    version: 3, // others are refused
    serialNumber: evenDigits(serialNumber),
    notBefore: validFrom,
    notAfter: validTo,
  };
  if (subjectAltName !== undefined) {
    parts.subjectAltName = altNames(subjectAltName);
  }
  return parts;
}

/** Returns the number with two digits for each byte, as OpenSSL has it. */
function evenDigits(hexadecimal: string): string {
  return hexadecimal.length % 2 === 0 ? hexadecimal : `0${hexadecimal}`;
}

function nameParts(name: string | undefined): CertificateName {
  return (name ?? "").split("\n").filter((line) => line !== "").map((line) => {
    const equals = line.indexOf("=");
    const key = line.slice(0, equals);
    return [[LONG[key] ?? key, line.slice(equals + 1)]];
  });
}

function altNames(text: string): [string, string][] {
  // a value with a comma or a quote is a JSON string: Node's defence of CVE-2021-44532
  const entries = text.matchAll(/([^:,\s][^:]*):("(?:[^"\\]|\\.)*"|[^,]*)/g);
  return Array.from(entries, ([, kind, value]) => [
    kind,
    value.startsWith('"') ? JSON.parse(value) : value,
  ]);
}
