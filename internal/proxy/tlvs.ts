/**
 * The fields of version 2 of the PROXY protocol after the addresses: type, length and value.
 *
 * @module
 */

import { joinBytes, memory } from "../base/memory.ts";
import {
  badHeader,
  type ProxyHeader,
  type ProxySsl,
  type ProxyTlv,
} from "./header.ts";

/** The types that have a member in a header. */
export const TYPE = {
  alpn: 0x01,
  authority: 0x02,
  checksum: 0x03,
  noop: 0x04,
  uniqueId: 0x05,
  ssl: 0x20,
  netns: 0x30,
} as const;

/** The types within the field about TLS. */
const SSL_TYPE = {
  version: 0x21,
  commonName: 0x22,
  cipher: 0x23,
  signatureAlgorithm: 0x24,
  keyAlgorithm: 0x25,
} as const;

/** The bits of the first byte of the field about TLS. */
const CLIENT = { secure: 1, certificate: 2, sessionCertificate: 4 } as const;

/** The bytes of the field about TLS before the fields in it. */
const SSL_FIXED = 5;

/** The most bytes of a unique id. */
const UNIQUE_ID_MAX = 128;

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/**
 * Splits bytes into fields.
 *
 * @throws {OSError} EPROTO if a field does not fit.
 */
export function splitTlvs(bytes: Uint8Array): ProxyTlv[] {
  const tlvs: ProxyTlv[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 3 + (bytes[at + 1] << 8 | bytes[at + 2]);
    if (!(end <= bytes.length)) {
      throw badHeader(`a field of type ${bytes[at]} is cut off`);
    }
    tlvs.push({ type: bytes[at], value: bytes.slice(at + 3, end) });
    at = end;
  }
  return tlvs;
}

/** The members of a header that fields give. */
export type TlvMembers = Pick<
  ProxyHeader,
  "alpn" | "authority" | "uniqueId" | "netns" | "ssl" | "checksum" | "tlvs"
>;

/** Returns the members that the fields stand for. A second field of the same type stays in `tlvs`. */
export function readTlvs(fields: readonly ProxyTlv[]): TlvMembers {
  const members: Record<string, unknown> = {};
  const tlvs: ProxyTlv[] = [];
  for (const tlv of fields) {
    if (tlv.type === TYPE.noop) continue;
    const name = nameOf(TYPE, tlv.type);
    if (name === undefined || name in members) tlvs.push(tlv);
    else members[name] = READERS[name](tlv.value);
  }
  return { checksum: false, ...members, tlvs };
}

const READERS: Record<string, (value: Uint8Array) => unknown> = {
  alpn: textOf,
  authority: textOf,
  netns: textOf,
  checksum: () => true,
  uniqueId(value) {
    if (value.length <= UNIQUE_ID_MAX) return value;
    throw badHeader(`a unique id of ${value.length} bytes`);
  },
  ssl: readSsl,
};

function textOf(value: Uint8Array): string {
  return decoder.decode(value);
}

function nameOf(
  types: Record<string, number>,
  type: number,
): string | undefined {
  return Object.keys(types).find((name) => types[name] === type);
}

function readSsl(value: Uint8Array): ProxySsl {
  if (value.length < SSL_FIXED) throw badHeader("a field about TLS is cut off");
  const [client] = value;
  const members: Record<string, string> = {};
  const tlvs: ProxyTlv[] = [];
  for (const tlv of splitTlvs(value.subarray(SSL_FIXED))) {
    if (tlv.type === TYPE.noop) continue;
    const name = nameOf(SSL_TYPE, tlv.type);
    if (name === undefined || name in members) tlvs.push(tlv);
    else members[name] = textOf(tlv.value);
  }
  return {
    secure: (client & CLIENT.secure) !== 0,
    certificate: (client & CLIENT.certificate) !== 0,
    sessionCertificate: (client & CLIENT.sessionCertificate) !== 0,
    verify: viewOf(value).getUint32(1),
    ...members,
    tlvs,
  };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The fields to write. */
export type WrittenTlvs =
  & Partial<Omit<TlvMembers, "ssl" | "checksum">>
  & { readonly ssl?: Partial<ProxySsl> };

/** Writes the fields of a header, without the checksum. */
export function writeTlvs(header: WrittenTlvs): Uint8Array {
  const { alpn, authority, uniqueId, netns, ssl, tlvs = [] } = header;
  if (uniqueId !== undefined && uniqueId.length > UNIQUE_ID_MAX) {
    throw new RangeError(
      `Cannot write a PROXY header: uniqueId must have at most ${UNIQUE_ID_MAX} bytes, got ${uniqueId.length}`,
    );
  }
  return joinTlvs([
    [TYPE.alpn, alpn],
    [TYPE.authority, authority],
    [TYPE.uniqueId, uniqueId],
    [TYPE.ssl, ssl && writeSsl(ssl)],
    [TYPE.netns, netns],
    ...tlvs.map(({ type, value }) => [type, value] as const),
  ]);
}

function writeSsl(ssl: Partial<ProxySsl>): Uint8Array {
  const { verify = 0, tlvs = [] } = ssl;
  const fixed = new Uint8Array(SSL_FIXED);
  for (const name of ["secure", "certificate", "sessionCertificate"] as const) {
    if (ssl[name]) fixed[0] |= CLIENT[name];
  }
  viewOf(fixed).setUint32(1, verify);
  const names = Object.keys(SSL_TYPE) as (keyof typeof SSL_TYPE)[];
  return joinBytes([
    fixed,
    joinTlvs([
      ...names.map((name) => [SSL_TYPE[name], ssl[name]] as const),
      ...tlvs.map(({ type, value }) => [type, value] as const),
    ]),
  ]);
}

type Field = readonly [type: number, value: Uint8Array | string | undefined];

/** Joins the fields that have a value. */
function joinTlvs(fields: readonly Field[]): Uint8Array {
  return joinBytes(
    fields.flatMap(([type, value]) =>
      value === undefined ? [] : writeTlv(
        type,
        typeof value === "string" ? encoder.encode(value) : value,
      )
    ),
  );
}

/** Writes a field. */
export function writeTlv(type: number, value: Uint8Array): Uint8Array {
  if (!Number.isInteger(type) || type < 0 || type > 255) {
    throw new RangeError(
      `Cannot write a PROXY header: the type of a field must be 0 to 255, got ${type}`,
    );
  }
  if (value.length > 65_535) {
    throw new RangeError(
      `Cannot write a PROXY header: a field must have at most 65535 bytes, got ${value.length}`,
    );
  }
  const tlv = memory(3 + value.length);
  tlv.set([type, value.length >>> 8, value.length & 255]);
  tlv.set(value, 3);
  return tlv;
}
