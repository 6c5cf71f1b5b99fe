/**
 * The peers whose PROXY headers a server believes: networks, and Unix sockets.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { bytesOfIPv6, formatIPv4, readIPv4 } from "../base/ip_text.ts";

/** The entry of a list that stands for all peers on Unix sockets. */
const UNIX = "unix";

/** A network of IPv4 (4 bytes) or IPv6 (16 bytes). */
interface Network {
  readonly bytes: Uint8Array;
  /** The number of bits that an address must share. */
  readonly prefix: number;
}

/** A list of trusted peers. */
export class TrustedPeers {
  readonly #networks: Network[] = [];
  #unix = false;
  /** The last host, and whether it is trusted: a server has few proxies, and many connections of each. */
  #last: readonly [host: string, trusted: boolean] = ["", false];

  /**
   * @param list Networks such as `"10.0.0.0/8"`, addresses, and `"unix"` for the peers on Unix sockets.
   * @throws {TypeError} if it is not a list of texts, or is empty.
   * @throws {RangeError} if an entry is no network.
   */
  constructor(list: readonly string[]) {
    if (!Array.isArray(list) || list.length === 0) {
      throw new TypeError(
        `Cannot set proxyTrusted: name the proxies, such as ["10.0.0.0/8"], or ["unix"] for a Unix socket; got ${
          JSON.stringify(list)
        }`,
      );
    }
    for (const entry of list) {
      if (entry === UNIX) this.#unix = true;
      else this.#networks.push(readNetwork(entry));
    }
  }

  /** Reports whether a peer is trusted. An IPv4 address within IPv6, such as `::ffff:10.0.0.1`, counts as IPv4. */
  includes(peer: Address): boolean {
    if (typeof peer === "string") return this.#unix;
    const [host] = peer;
    if (this.#last[0] !== host) this.#last = [host, this.#contains(host)];
    return this.#last[1];
  }

  #contains(host: string): boolean {
    const bytes = bytesOfHost(host.replace(/%.*/, "")); // without a scope
    return bytes !== undefined &&
      this.#networks.some((network) => contains(network, bytes));
  }
}

function contains({ bytes, prefix }: Network, host: Uint8Array): boolean {
  if (host.length !== bytes.length) return false;
  for (let at = 0, bits = prefix; bits > 0; at++, bits -= 8) {
    const mask = bits >= 8 ? 0xff : 0xff << (8 - bits);
    if (((host[at] ^ bytes[at]) & mask) !== 0) return false;
  }
  return true;
}

/** Returns the 4 or 16 bytes of an address; undefined if it is none. */
function bytesOfHost(text: string): Uint8Array | undefined {
  const value = readIPv4(text);
  if (value >= 0) {
    return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
  }
  const bytes = bytesOfIPv6(text);
  return bytes !== undefined && isMapped(bytes) ? bytes.subarray(12) : bytes;
}

/** Reports whether 16 bytes are an IPv4 address within IPv6. Source: RFC 4291, 2.5.5.2. */
function isMapped(bytes: Uint8Array): boolean {
  return bytes[10] === 0xff && bytes[11] === 0xff &&
    bytes.subarray(0, 10).every((byte) => byte === 0);
}

function readNetwork(entry: unknown): Network {
  if (typeof entry !== "string") throw networkError(TypeError, entry, "");
  const [host, length, ...rest] = entry.split("/");
  const bytes = bytesOfHost(host);
  if (bytes === undefined || rest.length > 0) {
    const hint = /^[a-z]/i.test(host) ? "; a name is not looked up" : "";
    throw networkError(RangeError, entry, hint);
  }
  const bits = bytes.length * 8;
  const mapped = bits === 32 && host.includes(":");
  const prefix = length === undefined
    ? bits
    : /^\d{1,3}$/.test(length)
    ? Number(length) - (mapped ? 96 : 0)
    : NaN;
  if (!(prefix >= 0 && prefix <= bits)) {
    throw networkError(RangeError, entry, "");
  }
  const network = { bytes, prefix };
  checkHostBits(network, entry);
  return network;
}

/** Throws if an address has bits after the prefix: it may be a typo, as Python's `ip_network` takes it to be. */
function checkHostBits({ bytes, prefix }: Network, entry: string): void {
  const base = bytes.map((byte, at) => {
    const bits = Math.min(8, Math.max(0, prefix - at * 8));
    return byte & (0xff << (8 - bits));
  });
  if (base.every((byte, at) => byte === bytes[at])) return;
  const cure = bytes.length === 4
    ? `; write ${formatIPv4(new DataView(base.buffer).getUint32(0))}/${prefix}`
    : "";
  throw networkError(RangeError, entry, `, which has host bits set${cure}`);
}

function networkError(
  Class: new (message: string) => Error,
  entry: unknown,
  hint: string,
): Error {
  return new Class(
    `Cannot set proxyTrusted: expected a network such as "10.0.0.0/8", or "unix", got ${
      JSON.stringify(entry)
    }${hint}`,
  );
}
