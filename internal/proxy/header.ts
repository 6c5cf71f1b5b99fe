/**
 * The header of the PROXY protocol, and the limits and the error of both versions.
 * Source: https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt (2020/03/05).
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import type { OSError } from "../base/errors.ts";
import type { Bytes } from "../base/memory.ts";
import { osError } from "../base/translate_error.ts";

/**
 * A field of a PROXY header, version 2, that has no member of its own: type, length and value.
 *
 * @category PROXY protocol
 */
export interface ProxyTlv {
  /** The type, 0 to 255. Types from 0xE0 to 0xEF are for applications. */
  readonly type: number;
  /** The value. */
  readonly value: Uint8Array;
}

/**
 * The facts about the TLS connection between a proxy and its client (PP2_TYPE_SSL).
 *
 * @category PROXY protocol
 */
export interface ProxySsl {
  /** Whether the client connected over TLS (PP2_CLIENT_SSL). */
  readonly secure: boolean;
  /** Whether the client gave a certificate over this connection (PP2_CLIENT_CERT_CONN). */
  readonly certificate: boolean;
  /** Whether the client gave a certificate over the session of this connection (PP2_CLIENT_CERT_SESS). */
  readonly sessionCertificate: boolean;
  /** 0 if the client gave a certificate and the proxy has verified it; any other number if not. */
  readonly verify: number;
  /** The version of TLS, such as `"TLSv1.3"`. */
  readonly version?: string;
  /** The common name of the client's certificate. */
  readonly commonName?: string;
  /** The cipher, such as `"TLS_AES_256_GCM_SHA384"`. */
  readonly cipher?: string;
  /** The algorithm that signed the certificate of the proxy, such as `"RSA-SHA256"`. */
  readonly signatureAlgorithm?: string;
  /** The algorithm of the key of the certificate of the proxy, such as `"RSA2048"`. */
  readonly keyAlgorithm?: string;
  /** The other fields, as they came. */
  readonly tlvs: readonly ProxyTlv[];
}

/**
 * The header of the PROXY protocol: the facts that a proxy sends about the client whose connection it passes on.
 *
 * @category PROXY protocol
 */
export interface ProxyHeader {
  /** The version of the protocol. */
  readonly version: 1 | 2;
  /** `"PROXY"` for the connection of a client, `"LOCAL"` for one of the proxy's own, such as a health check. */
  readonly command: "PROXY" | "LOCAL";
  /** `AF_INET`, `AF_INET6` or `AF_UNIX`; `AF_UNSPEC` if the addresses are not known. */
  readonly family: number;
  /** `SOCK_STREAM` or `SOCK_DGRAM`; 0 if the addresses are not known. */
  readonly type: number;
  /** The address of the client; null if it is not known. */
  readonly source: Address | null;
  /** The address that the client connected to; null if it is not known. */
  readonly destination: Address | null;
  /** The protocol above, as ALPN names it, such as `"h2"`. */
  readonly alpn?: string;
  /** The name of the host that the client asked for: over TLS its SNI. */
  readonly authority?: string;
  /** The bytes with which the proxy identifies the connection; at most 128. */
  readonly uniqueId?: Uint8Array;
  /** The name of the network namespace. */
  readonly netns?: string;
  /** The facts about the client's TLS connection. */
  readonly ssl?: ProxySsl;
  /** Whether the header had a checksum (CRC32c), which was right. */
  readonly checksum: boolean;
  /** The other fields, as they came. */
  readonly tlvs: readonly ProxyTlv[];
}

/** The first bytes of version 2. */
export const SIGNATURE: Bytes = Uint8Array.of(
  ...[13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10],
);

/** The bytes of version 2 before the addresses. */
export const FIXED_LENGTH = 16;

/**
 * The longest header that is read, in bytes: as long as the buffers of HAProxy by default, so that a certificate fits
 * in. The protocol allows 65,551.
 */
export const HEADER_MAX = 16_384;

/** The name of the operation in errors. */
export const READING = "read the PROXY header";

/** Creates the error of a header that breaks the specification. */
export function badHeader(reason: string): OSError {
  return osError("EPROTO", { syscall: READING, reason });
}
