/** Headers of the PROXY protocol: what is read, what is refused, and what is written. */

import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  AF_UNSPEC,
  decodeProxyHeader,
  encodeProxyHeader,
  OSError,
  type ProxyHeaderOptions,
  SOCK_DGRAM,
  SOCK_STREAM,
} from "../../mod.ts";
import { crc32c } from "../../internal/proxy/version_2.ts";
import { TrustedPeers } from "../../internal/proxy/trusted_peers.ts";
import { assert, assertEquals, assertThrows } from "../deps.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { fuzz } from "../helpers/fuzz.ts";
import fc from "fast-check";

/** Joins hexadecimal digits, bytes and texts. */
function raw(...parts: (string | number[])[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(
    parts.flatMap((part) =>
      typeof part === "string"
        ? [...Uint8Array.fromHex(part.replaceAll(" ", ""))]
        : part
    ),
  );
}

const SIGNATURE = "0d0a0d0a000d0a515549540a";
const INET = "c0000201 c6336401 dc04 01bb";

/** A header of version 2 with the right length. */
function binary(start: string, ...block: (string | number[])[]) {
  const rest = raw(...block);
  return raw(SIGNATURE, start, [rest.length >> 8, rest.length & 255], [
    ...rest,
  ]);
}

function decoded(data: Uint8Array) {
  const result = decodeProxyHeader(data);
  assert(result !== null);
  assertEquals(result.length, data.length);
  return result.header;
}

const V1: [line: string, family: number, source: unknown, to: unknown][] = [
  [
    "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443",
    AF_INET,
    ["192.0.2.1", 56324],
    ["198.51.100.1", 443],
  ],
  [
    "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535",
    AF_INET,
    ["255.255.255.255", 65535],
    ["255.255.255.255", 65535],
  ],
  [
    "PROXY TCP6 2001:DB8::1 0:0:0:0:0:0:0:1 0 1",
    AF_INET6,
    ["2001:db8::1", 0], // one client has one address, however it is written
    ["::1", 1],
  ],
  [
    "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535",
    AF_INET6,
    ["ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535],
    ["ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535],
  ],
  ["PROXY UNKNOWN", AF_UNSPEC, null, null],
  ["PROXY UNKNOWN \n \r whatever \xff", AF_UNSPEC, null, null],
  ["PROXY UNKNOWN " + "f".repeat(91), AF_UNSPEC, null, null], // 107 bytes
];

Deno.test("decodeProxyHeader() reads each form of version 1", () => {
  for (const [line, family, source, destination] of V1) {
    const data = Uint8Array.from(`${line}\r\n`, (c) => c.charCodeAt(0));
    assertEquals(decoded(data), {
      version: 1,
      command: "PROXY",
      family,
      type: family === AF_UNSPEC ? 0 : SOCK_STREAM,
      source,
      destination,
      checksum: false,
      tlvs: [],
    } as ReturnType<typeof decoded>);
  }
});

const PATHS = ["2f72756e2f61", "0061627374726163740000"].map((path) =>
  path.padEnd(216, "0")
);

const V2: [data: Uint8Array, family: number, type: number, source: unknown][] =
  [
    [binary("2111", INET), AF_INET, SOCK_STREAM, ["192.0.2.1", 56324]],
    [binary("2112", INET), AF_INET, SOCK_DGRAM, ["192.0.2.1", 56324]],
    [
      binary(
        "2121",
        "20010db8",
        "00".repeat(11),
        "01",
        "00".repeat(16),
        "dc04 01bb",
      ),
      AF_INET6,
      SOCK_STREAM,
      ["2001:db8::1", 56324],
    ],
    [binary("2131", ...PATHS), AF_UNIX, SOCK_STREAM, "/run/a"],
    [binary("2132", ...PATHS), AF_UNIX, SOCK_DGRAM, "/run/a"],
    [binary("2131", "61".repeat(216)), AF_UNIX, SOCK_STREAM, "a".repeat(108)],
    [binary("2100"), AF_UNSPEC, 0, null],
    [binary("2110", INET), AF_UNSPEC, 0, null], // a family without a protocol
    [binary("2101", INET), AF_UNSPEC, 0, null],
    [binary("2000"), AF_UNSPEC, 0, null],
    [binary("2011", INET), AF_UNSPEC, 0, null],
    [binary("2031", "ff"), AF_UNSPEC, 0, null], // of LOCAL all is skipped
  ];

Deno.test("decodeProxyHeader() reads each form of version 2", () => {
  for (const [data, family, type, source] of V2) {
    const header = decoded(data);
    assertEquals(header.version, 2, "version");
    assertEquals(header.family, family, "family");
    assertEquals(header.type, type, "type");
    assertEquals(header.source, source as typeof header.source, "source");
    assertEquals(header.command, data[12] === 0x20 ? "LOCAL" : "PROXY");
    assertEquals(header.destination === null, source === null);
  }
  assertEquals(decoded(V2[0][0]).destination, ["198.51.100.1", 443]);
  assertEquals(decoded(V2[3][0]).destination, "\0abstract");
});

/** Every field that has a member, and some that have none. */
const FULL: ProxyHeaderOptions = {
  source: ["2001:db8::1", 56324],
  destination: ["2001:db8::2", 443],
  alpn: "h2",
  authority: "bücher.example",
  uniqueId: bytes("id-1"),
  netns: "blue",
  ssl: {
    secure: true,
    certificate: true,
    sessionCertificate: false,
    verify: 0xfffffffe,
    version: "TLSv1.3",
    commonName: "Jürgen",
    cipher: "TLS_AES_256_GCM_SHA384",
    signatureAlgorithm: "RSA-SHA256",
    keyAlgorithm: "RSA2048",
    tlvs: [{ type: 0x28, value: bytes("der") }],
  },
  checksum: true,
  tlvs: [{ type: 0xe0, value: bytes("own") }, {
    type: 0x01,
    value: bytes("twice"),
  }],
};

Deno.test("decodeProxyHeader() reads the fields that encodeProxyHeader() writes, and others as they are", () => {
  const data = encodeProxyHeader(FULL);
  const header = decoded(data);
  assertEquals(
    header,
    {
      ...FULL,
      version: 2,
      command: "PROXY",
      family: AF_INET6,
      type: SOCK_STREAM,
    } as typeof header,
  );
  assertEquals(encodeProxyHeader(header), data); // a header can be passed on
  const noop = binary("2111", INET, "04 0003 000000", "01 0002 6833", "040000");
  assertEquals(decoded(noop).alpn, "h3", "alpn");
  assertEquals(decoded(noop).tlvs, [], "tlvs");
  const local = binary("2000", "05 0002 6162");
  assertEquals(text(decoded(local).uniqueId!), "ab");
});

Deno.test("crc32c() has the values of RFC 3720, B.4", () => {
  const ascending = Uint8Array.from({ length: 32 }, (_, i) => i);
  const rows: [Uint8Array, number][] = [
    [new Uint8Array(32), 0x8a9136aa],
    [new Uint8Array(32).fill(255), 0x62a8ab43],
    [ascending, 0x46dd794e],
    [ascending.toReversed(), 0x113fdb5c],
    [bytes("123456789"), 0xe3069283],
  ];
  for (const [data, sum] of rows) assertEquals(crc32c(data), sum);
  assertEquals(crc32c(new Uint8Array(32).fill(9, 7, 11), 7), 0x8a9136aa);
});

const summed = encodeProxyHeader({ ...FULL, version: 2 });
const flipped = summed.slice();
flipped[20] ^= 1;

/** Bytes that are no header, and how many of them show that. */
const BAD: [what: string, data: Uint8Array, shownBy: number, says: string][] = [
  ["HTTP", bytes("GET / HTTP/1.1\r\n"), 1, "unknown protocol"],
  ["TLS", raw("160301"), 1, "unknown protocol"],
  ["PUT", bytes("PUT /"), 2, "unknown protocol"],
  ["small letters", bytes("proxy TCP4"), 1, "unknown protocol"],
  ["two spaces", bytes("PROXY  TCP4"), 7, "unknown protocol"],
  ["TCP5", bytes("PROXY TCP5 "), 10, "unknown protocol"],
  ["no space", bytes("PROXY UNKNOWNS\r\n"), 16, "malformed line"],
  ["a lone LF", bytes("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n"), 31, "a CR or LF"],
  ["a lone CR", bytes("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\rX"), 32, "a CR or LF"],
  ["no end", bytes("PROXY UNKNOWN " + "x".repeat(99)), 107, "no CRLF"],
  [
    "an end after 107 bytes",
    bytes("PROXY UNKNOWN " + "x".repeat(92) + "\r\n"),
    107,
    "no CRLF",
  ],
  ...[
    "TCP4 1.2.3.4 1.2.3.4 1",
    "TCP4 1.2.3.4 1.2.3.4 1 2 3",
    "TCP4 1.2.3.4  1.2.3.4 1 2",
    "TCP4 1.2.3.4 1.2.3.4 1 2 ",
    "TCP4 1.2.3.4 1.2.3.4 -1 2",
    "TCP4 1.2.3.4 1.2.3.4 1 0x2",
    "TCP6 fe80::1%lo ::1 1 2",
    "TCP4 host 1.2.3.4 1 2",
  ].map((rest): typeof BAD[0] => {
    const data = bytes(`PROXY ${rest}\r\n`);
    return [rest, data, data.length, "malformed line"];
  }),
  ...[
    ["TCP4 01.2.3.4 1.2.3.4 1 2", "no IPv4 address"],
    ["TCP4 1.2.3.256 1.2.3.4 1 2", "no IPv4 address"],
    ["TCP4 1.2.3.4 ::1 1 2", "no IPv4 address"],
    ["TCP6 1.2.3.4 ::1 1 2", "no IPv6 address"],
    ["TCP6 ::1 ::1::2 1 2", "no IPv6 address"],
    ["TCP6 ::1 1:2:3:4:5:6:7 1 2", "no IPv6 address"],
    ["TCP4 1.2.3.4 1.2.3.4 01 2", "no port"],
    ["TCP4 1.2.3.4 1.2.3.4 1 65536", "no port"],
  ].map(([rest, says]): typeof BAD[0] => {
    const data = bytes(`PROXY ${rest}\r\n`);
    return [rest, data, data.length, says];
  }),
  ["half a signature", raw("0d0a0d0a000d0b"), 7, "no signature"],
  ["version 1 in binary", raw(SIGNATURE, "11"), 13, "unknown version 1"],
  ["version 3", raw(SIGNATURE, "31"), 13, "unknown version 3"],
  ["an unknown command", raw(SIGNATURE, "22"), 13, "unknown command 2"],
  ["an unknown family", raw(SIGNATURE, "2141"), 14, "unknown family"],
  ["an unknown protocol", raw(SIGNATURE, "2113"), 14, "unknown family"],
  ["a family of LOCAL", raw(SIGNATURE, "2041"), 14, "unknown family"],
  ["too few addresses", raw(SIGNATURE, "2111000b"), 16, "11 bytes are too few"],
  ["too few for IPv6", raw(SIGNATURE, "21210023"), 16, "35 bytes are too few"],
  ["too few for Unix", raw(SIGNATURE, "213100d7"), 16, "215 bytes are too few"],
  ["too long", raw(SIGNATURE, "21113ff1"), 16, "16385 bytes are more than"],
  ["as long as can be", raw(SIGNATURE, "2011ffff"), 16, "65551 bytes"],
  ...([
    ["a field without length", "01 00", "a field of type 1 is cut off"],
    ["a field cut off", "e0 0003 6162", "a field of type 224 is cut off"],
    ["a long unique id", `05 0081 ${"00".repeat(129)}`, "a unique id of 129"],
    ["TLS cut off", "20 0004 01000000", "a field about TLS is cut off"],
    ["TLS with a part", "20 0008 0100000000 21 0001", "a field of type 33"],
    ["a short checksum", "03 0003 000000", "one field of 4 bytes"],
    ["a wrong checksum", "03 0004 00000001", "the checksum is 1, and should"],
    ["two checksums", "03 0004 00000000 03 0004 00000000", "one field of 4"],
  ].map(([what, tlv, says]): typeof BAD[0] => {
    const data = binary("2111", INET, tlv);
    return [what, data, data.length, says];
  })),
  ["a flipped bit", flipped, flipped.length, "the checksum is"],
  [
    "a wrong checksum of LOCAL",
    binary("2000", "03 0004 00000001"),
    23,
    "the checksum is",
  ],
];

Deno.test("decodeProxyHeader() refuses what is no header, as soon as it shows", () => {
  for (const [what, data, shownBy, says] of BAD) {
    for (let count = 0; count < shownBy; count++) {
      assertEquals(decodeProxyHeader(data.subarray(0, count)), null, what);
    }
    for (const count of [shownBy, data.length]) {
      const error = assertThrows(
        () => decodeProxyHeader(data.subarray(0, count)),
        OSError,
        says,
      );
      assertEquals(error.code, "EPROTO");
      assert(error.message.startsWith("Cannot read the PROXY header: "));
    }
  }
});

const ipv4 = fc.ipV4();
const ipv6 = fc.ipV6();
const port = fc.nat(65535);
const value = fc.uint8Array({ maxLength: 300 });
const tlv = fc.record({
  type: fc.integer({ min: 0xe0, max: 0xff }),
  value,
});
const path = fc.string({ minLength: 1, maxLength: 20 }).filter((path) =>
  !path.includes("\0")
);

/** Headers that can be written, of every kind. */
const options: fc.Arbitrary<ProxyHeaderOptions> = fc.oneof(
  fc.record({
    version: fc.constant(1 as const),
    source: fc.tuple(fc.oneof(ipv4, ipv6), port),
    destination: fc.tuple(fc.oneof(ipv4, ipv6), port),
  }),
  fc.record({
    command: fc.constantFrom("PROXY" as const, "LOCAL" as const),
    type: fc.constantFrom(SOCK_STREAM, SOCK_DGRAM),
    source: fc.tuple(fc.oneof(ipv4, ipv6), port),
    destination: fc.tuple(fc.oneof(ipv4, ipv6), port),
    alpn: fc.option(fc.string(), { nil: undefined }),
    authority: fc.option(fc.string(), { nil: undefined }),
    uniqueId: fc.option(fc.uint8Array({ maxLength: 128 }), { nil: undefined }),
    tlvs: fc.array(tlv, { maxLength: 4 }),
    checksum: fc.boolean(),
  }),
  fc.record({ source: path, destination: path, checksum: fc.boolean() }),
);

Deno.test("decodeProxyHeader() reads what encodeProxyHeader() writes, in any number of pieces", async () => {
  const property = fc.asyncProperty(
    options,
    fc.uint8Array({ maxLength: 50 }),
    // deno-lint-ignore require-await
    async (given, rest) => {
      const data = encodeProxyHeader(given);
      const more = new Uint8Array([...data, ...rest]);
      for (let count = 0; count < data.length; count++) {
        assertEquals(decodeProxyHeader(more.subarray(0, count)), null);
      }
      const { header, length } = decodeProxyHeader(more)!;
      assertEquals(length, data.length);
      assertEquals(encodeProxyHeader(header), data);
      const known = given.command !== "LOCAL";
      assertEquals(header.source === null, !known);
      if (typeof given.source === "string") {
        assertEquals(header.source, given.source);
      } else if (known) assertEquals(header.source![1], given.source![1]);
    },
  );
  await fuzz("PROXY headers", 200, property);
});

Deno.test("decodeProxyHeader() never throws anything but EPROTO, whatever comes", async () => {
  const damaged = fc.tuple(
    options,
    fc.array(fc.tuple(fc.nat(400), fc.nat(255))),
  )
    .map(([given, changes]) => {
      const data = encodeProxyHeader(given);
      for (const [at, byte] of changes) if (at < data.length) data[at] = byte;
      return data;
    });
  const property = fc.asyncProperty(
    fc.oneof(damaged, fc.uint8Array({ maxLength: 200 })),
    // deno-lint-ignore require-await
    async (data) => {
      try {
        const result = decodeProxyHeader(data);
        if (result !== null) assert(result.length <= data.length);
      } catch (error) {
        assert(error instanceof OSError && error.code === "EPROTO");
      }
    },
  );
  await fuzz("damaged PROXY headers", 1000, property);
});

Deno.test("encodeProxyHeader() writes version 1", () => {
  const rows: [ProxyHeaderOptions, string][] = [
    [{}, "PROXY UNKNOWN"],
    [{ source: ["1.2.3.4", 5] }, "PROXY UNKNOWN"], // one alone says nothing
    [{ source: "/a", destination: "/b" }, "PROXY UNKNOWN"],
    [
      { source: ["1.2.3.4", 5], destination: ["6.7.8.9", 0], type: SOCK_DGRAM },
      "PROXY UNKNOWN",
    ],
    [
      { source: ["1.2.3.4", 5], destination: ["6.7.8.9", 0] },
      "PROXY TCP4 1.2.3.4 6.7.8.9 5 0",
    ],
    [
      { source: ["1.2.3.4", 5], destination: ["fe80::1%lo", 65535] },
      "PROXY TCP6 ::ffff:1.2.3.4 fe80::1 5 65535",
    ],
  ];
  for (const [given, line] of rows) {
    assertEquals(
      text(encodeProxyHeader({ ...given, version: 1 })),
      `${line}\r\n`,
    );
  }
});

Deno.test("encodeProxyHeader() refuses what no header can say", () => {
  const inet = { source: ["1.2.3.4", 5], destination: ["1.2.3.4", 6] } as const;
  const long = new Uint8Array(70_000);
  // deno-lint-ignore no-explicit-any
  const rows: [any, typeof TypeError | typeof RangeError, string][] = [
    [{ version: 3 }, RangeError, "version must be 1 or 2, got 3"],
    [{ command: "local" }, TypeError, 'must be "PROXY" or "LOCAL", got local'],
    [{ ...inet, type: 5 }, RangeError, "type must be SOCK_STREAM or"],
    [{ ...inet, source: ["host", 5] }, TypeError, 'got ["host",5]'],
    [{ ...inet, source: "/run/a" }, TypeError, 'got "/run/a"'],
    [{ ...inet, source: 5 }, TypeError, "got 5"],
    [{ ...inet, source: ["1.2.3.4", "5"] }, TypeError, "port must be a number"],
    [{ ...inet, source: ["1.2.3.4", 65536] }, RangeError, "got 65536"],
    [{ source: "a".repeat(109), destination: "" }, RangeError, "got 109"],
    [{ uniqueId: new Uint8Array(129) }, RangeError, "got 129"],
    [{ tlvs: [{ type: 256, value: long }] }, RangeError, "got 256"],
    [{ tlvs: [{ type: 1.5, value: long }] }, RangeError, "got 1.5"],
    [{ tlvs: [{ type: 1, value: long }] }, RangeError, "got 70000"],
    [
      { tlvs: [1, 2].map((type) => ({ type, value: long.subarray(5000) })) },
      RangeError,
      "must have at most 65551 bytes",
    ],
    [{ version: 1, command: "LOCAL" }, TypeError, "no command LOCAL"],
    [{ version: 1, checksum: true }, TypeError, "version 1 has no fields"],
    [{ version: 1, alpn: "h2" }, TypeError, "version 1 has no fields"],
  ];
  for (const [given, Class, says] of rows) {
    const error = assertThrows(() => encodeProxyHeader(given), Class, says);
    assert(error.message.startsWith("Cannot write a PROXY header: "));
  }
});

Deno.test("TrustedPeers knows networks of both families, and Unix sockets", () => {
  const peers = new TrustedPeers([
    ...[
      "10.0.0.0/8",
      "192.0.2.7",
      "2001:db8::/33",
      "::1",
      "::ffff:172.16.0.0/108",
    ],
  ]);
  // deno-fmt-ignore
  const trusted = ["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3", "192.0.2.7", "172.31.0.1",
    "2001:db8:7fff::1", "2001:db8::1%eth0", "::1"];
  // deno-fmt-ignore
  const others = ["11.0.0.0", "9.255.255.255", "192.0.2.6", "172.32.0.0", "2001:db8:8000::1", "::2", "host", ""];
  for (const host of trusted) assert(peers.includes([host, 5]), host);
  for (const host of others) assert(!peers.includes([host, 5]), host);
  assert(!peers.includes(""));
  assert(new TrustedPeers(["unix"]).includes("/run/a"));
  assert(!new TrustedPeers(["unix"]).includes(["127.0.0.1", 5]));
  assert(new TrustedPeers(["0.0.0.0/0"]).includes(["1.2.3.4", 5]));
  assert(!new TrustedPeers(["0.0.0.0/0"]).includes(["::1", 5]));
  assert(!new TrustedPeers(["::/0"]).includes(["1.2.3.4", 5]));
});

Deno.test("TrustedPeers refuses entries that are no networks, and names the cure", () => {
  // deno-lint-ignore no-explicit-any
  const rows: [any, typeof TypeError | typeof RangeError, string][] = [
    [[], TypeError, "name the proxies, such as"],
    ["10.0.0.0/8", TypeError, "name the proxies, such as"],
    [undefined, TypeError, "name the proxies, such as"],
    [[5], TypeError, "got 5"],
    [["localhost"], RangeError, 'got "localhost"; a name is not looked up'],
    [["10.0.0.0/33"], RangeError, 'got "10.0.0.0/33"'],
    [["10.0.0.0/"], RangeError, 'got "10.0.0.0/"'],
    [["10.0.0.0/8/8"], RangeError, 'got "10.0.0.0/8/8"'],
    [["10.0.0/8"], RangeError, 'got "10.0.0/8"'],
    [["::/129"], RangeError, 'got "::/129"'],
    [["::ffff:1.2.3.4/95"], RangeError, 'got "::ffff:1.2.3.4/95"'],
    [
      ["10.1.2.3/8"],
      RangeError,
      "which has host bits set; write 10.0.0.0/8",
    ],
    [["2001:db8::1/32"], RangeError, "which has host bits set"],
  ];
  for (const [list, Class, says] of rows) {
    assertThrows(() => new TrustedPeers(list), Class, says);
  }
});
