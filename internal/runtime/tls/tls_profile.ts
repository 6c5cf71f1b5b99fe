/**
 * The settings of a TLS context in the form for `node:tls`. A profile never changes: a reload makes another one.
 *
 * @module
 */

import type { X509Certificate } from "node:crypto";
import type { SecureContext } from "node:tls";
import { CERT_NONE } from "../../base/ssl_constants.ts";
import { nodeTls } from "../system/node_builtins.ts";
import type { CertChain } from "./tls_material.ts";

/** A version as Node names it. */
export type NodeVersion = "TLSv1.2" | "TLSv1.3";

/** The settings of a context. */
export interface TlsSettings {
  /** Whether the context is for servers. */
  readonly serverSide: boolean;
  /** The certificate of this side. */
  readonly chain: CertChain | undefined;
  /** The authorities that were loaded. */
  readonly roots: readonly X509Certificate[];
  /** Whether the authorities of Deno count too. */
  readonly defaultRoots: boolean;
  /** CERT_NONE, CERT_OPTIONAL or CERT_REQUIRED. */
  readonly verifyMode: number;
  readonly minVersion: NodeVersion;
  readonly maxVersion: NodeVersion;
  /** The protocols of ALPN, the preferred one first. */
  readonly alpnProtocols: readonly string[];
}

/** The settings, and the objects that all connections share. */
export interface TlsProfile extends TlsSettings {
  readonly secureContext: SecureContext;
  /** The clients' certificates that were found valid; a session that is resumed needs one of them. */
  readonly verified: Set<string>;
}

/** The method that adds an authority to the default ones. Node's types lack it. */
interface NativeContext {
  addCACert(pem: string): void;
}

/** Makes a profile. `before` is the profile that it replaces. */
export function makeProfile(
  settings: TlsSettings,
  before?: TlsProfile,
): TlsProfile {
  const { chain, roots, defaultRoots, minVersion, maxVersion } = settings;
  const pems = roots.map((root) => root.toString());
  const asked = !settings.serverSide || settings.verifyMode !== CERT_NONE;
  const secureContext = nodeTls().createSecureContext({
    ...chain,
    // a server sends its authorities to each client, so it gets none unless it asks for certificates
    ca: defaultRoots || !asked ? undefined : pems,
    minVersion,
    maxVersion,
  });
  if (defaultRoots) {
    const native = secureContext.context as NativeContext;
    for (const pem of pems) native.addCACert(pem);
  }
  const same = before !== undefined && sameRoots(before.roots, roots);
  const verified = same ? before.verified : new Set<string>();
  return { ...settings, secureContext, verified };
}

function sameRoots(
  one: readonly X509Certificate[],
  other: readonly X509Certificate[],
): boolean {
  return one.length === other.length &&
    one.every(({ fingerprint256 }, index) =>
      fingerprint256 === other[index].fingerprint256
    );
}
