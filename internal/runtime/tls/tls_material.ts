/**
 * Certificates and keys: read from PEM text or files, and checked when they are loaded. Deno (2.9.6) accepts any text
 * as a key, and fails each client later.
 *
 * @module
 */

import type { KeyObject, X509Certificate } from "node:crypto";
import { osError, translate } from "../../base/translate_error.ts";
import { nodeCrypto } from "../system/node_builtins.ts";
import { sslError } from "./tls_errors.ts";

/** A certificate chain and its key. */
export interface CertChain {
  /** The chain as PEM, the certificate of this side first. */
  readonly cert: string;
  /** The key as PEM, not encrypted. */
  readonly key: string;
}

/** The kinds of keys that rustls, the TLS of Deno, signs with. */
const CURVES = ["prime256v1", "secp384r1", "secp521r1"];

/** Text, and its name for errors. */
interface Source {
  readonly text: string;
  readonly name: string;
}

/** Reads PEM text: `source` itself, or the file that it names. */
function readPem(source: string | URL, syscall: string): Source {
  if (typeof source === "string" && source.includes("-----BEGIN ")) {
    return { text: source, name: "the PEM text" };
  }
  if (typeof source !== "string" && !(source instanceof URL)) {
    throw new TypeError(
      `Cannot ${syscall}: expected PEM text or a path, got ${
        Deno.inspect(source)
      }`,
    );
  }
  const name = JSON.stringify(String(source));
  try {
    return { text: Deno.readTextFileSync(source), name };
  } catch (error) {
    throw translate(error, { syscall, address: String(source) });
  }
}

/** Returns the certificates in PEM text, at least one. */
function parseCertificates(
  { text, name }: Source,
  syscall: string,
): X509Certificate[] {
  const blocks = text.match(
    /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^]*?-----END (?:X509 |TRUSTED )?CERTIFICATE-----/g,
  );
  if (blocks === null) {
    const expected = 'expected "-----BEGIN CERTIFICATE-----"';
    throw sslError("NO_START_LINE", `${name} has no certificate: ${expected}`, {
      syscall,
    });
  }
  const { X509Certificate } = nodeCrypto();
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch (cause) {
      const text = `certificate ${index + 1} in ${name} cannot be decoded`;
      throw sslError("PEM_LIB", text, { syscall, cause });
    }
  });
}

/** Returns the key in PEM text, decrypted. */
function parseKey(
  { text, name }: Source,
  password: string | undefined,
  syscall: string,
): KeyObject {
  const block = text.match(
    /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----[^]*?-----END (?:[A-Z]+ )*PRIVATE KEY-----/,
  )?.[0];
  if (block === undefined) {
    const expected = 'expected "-----BEGIN PRIVATE KEY-----"';
    throw sslError("NO_START_LINE", `${name} has no key: ${expected}`, {
      syscall,
    });
  }
  return decodeKey(block, name, password, syscall);
}

function decodeKey(
  block: string,
  name: string,
  password: string | undefined,
  syscall: string,
): KeyObject {
  const encrypted = block.includes("ENCRYPTED");
  if (encrypted && password === undefined) {
    const text = `the key in ${name} is encrypted: pass its password`;
    throw sslError("BAD_PASSWORD_READ", text, { syscall });
  }
  try {
    return nodeCrypto().createPrivateKey({ key: block, passphrase: password });
  } catch (cause) {
    const [reason, text] = encrypted
      ? ["BAD_DECRYPT", `the password of the key in ${name} is wrong`]
      : ["PEM_LIB", `the key in ${name} cannot be decoded`];
    throw sslError(reason, text, { syscall, cause });
  }
}

/** Throws unless Deno can sign with a key. */
function checkKind(key: KeyObject, name: string, syscall: string): void {
  const { asymmetricKeyType: type = "unknown", asymmetricKeyDetails } = key;
  const { modulusLength = 0, namedCurve = "" } = asymmetricKeyDetails ?? {};
  if (type === "rsa" && modulusLength < 2048) {
    const text =
      `the key in ${name} has ${modulusLength} bits, expected 2048 or more`;
    throw sslError("EE_KEY_TOO_SMALL", text, { syscall });
  }
  if (type === "rsa" || type === "ed25519") return;
  if (type === "ec" && CURVES.includes(namedCurve)) return;
  const kind = type === "ec" ? `ec on ${namedCurve}` : type;
  const expected = `expected rsa, ed25519 or ec on ${CURVES.join(", ")}`;
  throw sslError(
    "UNKNOWN_KEY_TYPE",
    `the key in ${name} is ${kind}: ${expected}`,
    { syscall },
  );
}

/**
 * Loads a certificate chain and its key.
 *
 * @param cert PEM text or a path.
 * @param key PEM text or a path; by default `cert` has the key too.
 * @param password The password of an encrypted key.
 */
export function loadChain(
  cert: string | URL,
  key: string | URL = cert,
  password?: string,
): CertChain {
  const syscall = "loadCertChain";
  const chain = readPem(cert, syscall);
  const certificates = parseCertificates(chain, syscall);
  const keySource = key === cert ? chain : readPem(key, syscall);
  const parsed = parseKey(keySource, password, syscall);
  checkKind(parsed, keySource.name, syscall);
  if (!certificates[0].checkPrivateKey(parsed)) {
    const { subject = "" } = certificates[0];
    const text = `the key in ${keySource.name} is not that of the certificate ${
      subject.replaceAll("\n", ", ")
    } in ${chain.name}`;
    throw sslError("KEY_VALUES_MISMATCH", text, { syscall });
  }
  return {
    cert: certificates.map((each) => each.toString()).join("\n"),
    key: parsed.export({ format: "pem", type: "pkcs8" }) as string,
  };
}

/** Loads the certificates of authorities. */
export function loadRoots(source: string | URL): X509Certificate[] {
  const syscall = "loadVerifyLocations";
  const pem = readPem(source, syscall);
  if (pem.text.includes("-----BEGIN X509 CRL-----")) {
    const reason =
      `Deno ignores lists of revoked certificates, got one in ${pem.name}`;
    throw osError("EOPNOTSUPP", { syscall, reason });
  }
  return parseCertificates(pem, syscall);
}
