/**
 * Checks of the peer's certificate that `node:tls` of Deno (2.9.6) leaves out.
 *
 * @module
 */

import type { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import { CERT_NONE, CERT_REQUIRED } from "../../base/ssl_constants.ts";
import { nodeCrypto, nodeTls } from "../system/node_builtins.ts";
import { sslError, verifyError } from "./tls_errors.ts";
import { verdictOf } from "./tls_native.ts";
import type { TlsProfile } from "./tls_profile.ts";

const CALL = { syscall: "doHandshake" };

/** The most certificates of a chain: OpenSSL's default depth. */
const DEPTH_MAX = 100;

/** The number of clients' certificates that a context remembers as valid. An entry takes about 200 bytes. Arbitrary. */
const VERIFIED_MAX = 16_384;

/**
 * Throws for a version 1 certificate. Deno does not verify a signature by the key of such a certificate, so any client
 * could present it.
 */
function checkVersion({ raw }: X509Certificate): void {
  // Certificate and TBSCertificate are SEQUENCEs; a [0] with the version begins the latter, except in version 1
  const tbs = raw.subarray(headerLength(raw, 0));
  if (tbs[headerLength(tbs, 0)] === 0xa0) return;
  throw verifyError(
    "UNSUPPORTED_CERTIFICATE",
    CALL,
    "the certificate has X.509 version 1, expected 3",
  );
}

/** Returns the length of the tag and the length of a DER element. */
function headerLength(der: Uint8Array, start: number): number {
  const first = der[start + 1];
  return first < 0x80 ? 2 : 2 + (first & 0x7f);
}

function checkDates(certificate: X509Certificate): void {
  const now = Date.now();
  if (Date.parse(certificate.validTo) < now) {
    throw verifyError("CERT_HAS_EXPIRED", CALL);
  }
  if (Date.parse(certificate.validFrom) > now) {
    throw verifyError("CERT_NOT_YET_VALID", CALL);
  }
}

type Issued = (one: X509Certificate, by: X509Certificate) => boolean;

const byName: Issued = (one, by) => one.issuer === by.subject;

const bySignature: Issued = (one, by) => {
  try {
    return byName(one, by) && one.verify(by.publicKey);
  } catch {
    return false; // a key that Deno cannot use
  }
};

/** Reports whether a chain leads from a certificate to one of `roots`. */
function leads(
  start: X509Certificate,
  sent: readonly X509Certificate[],
  roots: readonly X509Certificate[],
  issued: Issued,
): boolean {
  const seen = new Set<X509Certificate>();
  let ways = [start];
  for (let depth = 0; depth < DEPTH_MAX && ways.length > 0; depth++) {
    for (const way of ways) seen.add(way);
    const end = ways.some((way) =>
      roots.some((root) =>
        way.fingerprint256 === root.fingerprint256 || issued(way, root)
      )
    );
    if (end) return true;
    ways = sent.filter((next) =>
      next.ca && !seen.has(next) && ways.some((way) => issued(way, next))
    );
  }
  return false;
}

/** Returns the certificates that the peer has sent, its own first. */
function sentChain(tls: TLSSocket): X509Certificate[] {
  const { X509Certificate } = nodeCrypto();
  const chain: X509Certificate[] = [];
  let next = tls.getPeerCertificate(true);
  while (next?.raw !== undefined && chain.length < DEPTH_MAX) {
    chain.push(new X509Certificate(next.raw));
    if (next.issuerCertificate === next) break;
    next = next.issuerCertificate;
  }
  return chain;
}

/**
 * Checks the certificate of a server, after `node:tls` has found it valid. Deno (2.9.6) compares only the names of
 * issuer and subject, and verifies no signature, if the certificate has version 1 or cannot be decoded.
 *
 * @param hostname The name that the certificate must have; undefined for any.
 */
export function checkServer(
  tls: TLSSocket,
  profile: TlsProfile,
  hostname: string | undefined,
): void {
  if (profile.verifyMode === CERT_NONE) return;
  const [certificate, ...sent] = sentChain(tls);
  if (certificate === undefined) {
    throw sslError("PEER_DID_NOT_RETURN_A_CERTIFICATE", "no certificate", CALL);
  }
  checkVersion(certificate);
  checkVerdict(tls, certificate, sent, profile);
  checkDates(certificate);
  const { roots, defaultRoots } = profile;
  const signed = leads(certificate, sent, roots, bySignature);
  const claimed = !defaultRoots || leads(certificate, sent, roots, byName);
  if (!signed && claimed) {
    throw verifyError("UNABLE_TO_VERIFY_LEAF_SIGNATURE", CALL);
  }
  if (hostname !== undefined) checkHostname(tls, hostname);
}

/**
 * Throws the error that `node:tls` reports of a certificate. Deno (2.9.6) has the same name for wrong dates as for an
 * unknown issuer.
 */
function checkVerdict(
  tls: TLSSocket,
  certificate: X509Certificate,
  sent: readonly X509Certificate[],
  { roots }: TlsProfile,
): void {
  const verdict = verdictOf(tls);
  if (verdict === undefined) return;
  if (leads(certificate, sent, roots, bySignature)) checkDates(certificate);
  throw verifyError(verdict, CALL);
}

function checkHostname(tls: TLSSocket, hostname: string): void {
  const certificate = tls.getPeerCertificate();
  const error = nodeTls().checkServerIdentity(hostname, certificate);
  if (error === undefined) return;
  const address = /^[\d.]+$|:/.test(hostname);
  const text = address
    ? `IP address mismatch, certificate is not valid for '${hostname}'`
    : `Hostname mismatch, certificate is not valid for '${hostname}'`;
  const name = address ? "IP_ADDRESS_MISMATCH" : "HOSTNAME_MISMATCH";
  throw verifyError(name, { ...CALL, cause: error }, text);
}

/** Checks the certificate of a client, after `node:tls` has ended the handshake. */
export function checkClient(tls: TLSSocket, profile: TlsProfile): void {
  if (profile.verifyMode === CERT_NONE) return;
  const [certificate, ...sent] = sentChain(tls);
  if (certificate === undefined) {
    if (profile.verifyMode !== CERT_REQUIRED) return;
    throw sslError(
      "PEER_DID_NOT_RETURN_A_CERTIFICATE",
      "the client has no certificate",
      CALL,
    );
  }
  checkVersion(certificate);
  checkVerdict(tls, certificate, sent, profile);
  if (tls.isSessionReused()) return checkResumed(certificate, profile);
  remember(profile.verified, certificate);
}

/**
 * Checks a client that goes on with an earlier session. Deno (2.9.6) verifies nothing then, and the session may be one
 * of another context of this process, which had other authorities or none.
 */
function checkResumed(
  certificate: X509Certificate,
  { verified }: TlsProfile,
): void {
  checkDates(certificate);
  if (verified.has(certificate.fingerprint256)) {
    return remember(verified, certificate);
  }
  throw verifyError(
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    CALL,
    "the session that the client resumes was not verified by this context",
  );
}

/** Notes a valid certificate as the last used one, and forgets the least recently used one. */
function remember(
  verified: Set<string>,
  { fingerprint256 }: X509Certificate,
): void {
  verified.delete(fingerprint256);
  verified.add(fingerprint256);
  if (verified.size <= VERIFIED_MAX) return;
  for (const first of verified) return void verified.delete(first);
}
