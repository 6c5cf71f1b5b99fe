/**
 * Certificates for tests: made here and not by openssl, which would take a process for each.
 *
 * @module
 */

import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from "node:crypto";
import { bytes } from "./bytes.ts";

/** A certificate and its key, as PEM. */
export interface Identity {
  /** The certificate. */
  readonly cert: string;
  /** The key. */
  readonly key: string;
}

/** The contents of a certificate. */
export interface CertificateOptions {
  /** The common name of the owner. */
  name: string;
  /** Host names and IPv4 addresses. */
  hosts?: string[];
  /** The first and the last day. @default {["2020-01-01", "2049-12-31"]} */
  valid?: [from: string, to: string];
  /** The version of X.509. Version 1 has no host names. @default {3} */
  version?: 1 | 3;
  /** The number of an extension that cannot be decoded; none by default. */
  malformed?: number;
}

/** Encodes a value of DER. */
function der(tag: number, ...parts: (Uint8Array | number[])[]): Uint8Array {
  const content = Uint8Array.from(parts.flatMap((part) => [...part]));
  const { length } = content;
  const size = length < 128
    ? [length]
    : length < 256
    ? [0x81, length]
    : [0x82, length >> 8, length & 255];
  return Uint8Array.of(tag, ...size, ...content);
}

const sequence = (...parts: Uint8Array[]) => der(0x30, ...parts);
const oid = (...numbers: number[]) => der(0x06, numbers);
const octets = (value: Uint8Array) => der(0x04, value);
const bits = (value: Uint8Array, unused = 0) => der(0x03, [unused], value);

const ECDSA_SHA256 = sequence(
  oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02),
);

function nameOf(common: string): Uint8Array {
  const attribute = sequence(oid(0x55, 0x04, 0x03), der(0x0c, bytes(common)));
  return sequence(der(0x31, attribute));
}

/** A day as UTCTime, which has two digits for the year. */
const day = (date: string) =>
  der(0x17, bytes(`${date.slice(2).replaceAll("-", "")}000000Z`));

function extension(id: number, value: Uint8Array): Uint8Array {
  const critical = id === 0x13 ? [der(0x01, [0xff])] : [];
  return sequence(oid(0x55, 0x1d, id), ...critical, octets(value));
}

function hostName(host: string): Uint8Array {
  return /^[\d.]+$/.test(host)
    ? der(0x87, host.split(".").map(Number))
    : der(0x82, bytes(host));
}

const keyHash = (key: Uint8Array) => createHash("sha1").update(key).digest();

interface KeyPair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/** An authority, which issues certificates. */
export class Authority {
  readonly #name: string;
  readonly #keys: KeyPair;
  /** Its own certificate, as PEM. */
  readonly cert: string;

  /** Its own key, as PEM. */
  readonly key: string;

  /**
   * @param name Its name.
   * @param version The version of X.509 of its certificate.
   * @param key Its key, as PEM; a new one by default.
   */
  constructor(name = "Test CA", version: 1 | 3 = 3, key?: string) {
    this.#name = name;
    this.#keys = key === undefined
      ? generateKeyPairSync("ec", { namedCurve: "P-256" })
      : { privateKey: createPrivateKey(key), publicKey: createPublicKey(key) };
    this.cert = this.#certify({ name, version }, this.#keys.publicKey, true);
    const { privateKey } = this.#keys;
    this.key = String(privateKey.export({ type: "pkcs8", format: "pem" }));
  }

  /** Issues a certificate, with a new key. */
  issue(options: CertificateOptions): Identity {
    const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const key = keys.privateKey.export({ type: "pkcs8", format: "pem" });
    return {
      cert: this.#certify(options, keys.publicKey, false),
      key: String(key),
    };
  }

  #certify(
    options: CertificateOptions,
    key: KeyObject,
    isAuthority: boolean,
  ): string {
    const { name, hosts = [], version = 3 } = options;
    const { valid = ["2020-01-01", "2049-12-31"] } = options;
    const publicKey = key.export({ type: "spki", format: "der" });
    const own = this.#keys.publicKey.export({ type: "spki", format: "der" });
    const extensions = [
      extension(0x13, sequence(...isAuthority ? [der(0x01, [0xff])] : [])),
      extension(0x0e, octets(keyHash(publicKey))),
      extension(0x23, sequence(der(0x80, keyHash(own)))),
    ];
    if (hosts.length > 0) {
      extensions.push(extension(0x11, sequence(...hosts.map(hostName))));
    }
    if (options.malformed !== undefined) {
      extensions.push(extension(options.malformed, Uint8Array.of(0x03, 0x7f)));
    }
    const body = sequence(
      ...version === 3 ? [der(0xa0, der(0x02, [2]))] : [],
      der(0x02, [1], randomBytes(15)),
      ECDSA_SHA256,
      nameOf(this.#name),
      sequence(day(valid[0]), day(valid[1])),
      nameOf(name),
      publicKey,
      ...version === 3 ? [der(0xa3, sequence(...extensions))] : [],
    );
    const signature = sign("sha256", body, this.#keys.privateKey);
    const whole = sequence(body, ECDSA_SHA256, bits(signature));
    const lines = whole.toBase64().replace(/.{64}/g, "$&\n");
    return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
  }
}
