import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  htonl,
  htons,
  inetAton,
  inetNtoa,
  inetNtop,
  inetPton,
  ntohl,
  ntohs,
  OSError,
} from "../../mod.ts";
import { isIPv4, isIPv6 } from "../../internal/base/inet.ts";
import { assertEquals, assertStrictEquals, assertThrows } from "../deps.ts";
import { python } from "../helpers/python.ts";
import { havePython } from "../helpers/allowed.ts";
import { seeded } from "../helpers/bytes.ts";

// deno-fmt-ignore
const IPV4_TEXTS = [
  "0.0.0.0", "1.2.3.4", "255.255.255.255", "127.0.0.1", "", "1", "0", "00", "256", "4294967295",
  "4294967296", "99999999999999999999", "1.2", "1.65535", "1.65536", "1.16777215", "1.16777216",
  "1.2.3", "1.2.65535", "1.2.65536", "1.2.3.255", "1.2.3.256", "256.1.1.1", "1.256.1.1", "0x7f.1",
  "0X7F.1", "0x", "0x.1", "0xg", "010", "08", "09.1", "1.2.3.04", "01.2.3.4", "1.2.3.4 ", "1.2 x",
  " 1.2.3.4", "1.2.3.4\t", "1.2.3.4\n", "1.2.3.4\u000bz", "1.2.3.4\u00a0", "1.2.3.4x", "1.", ".1",
  ".", "..", "1..2", "1.2.3.", "1.2.3.4.", "1.2.3.4.5", "-1", "+1", "1.-2", "0377.0377", "0400.1",
  "00000000000001", "1.2.3.00004", "0x1.0x2.0x3.0x4", "0x00000000000001", "1e3", "1_0", "\u0661",
  "1.0xffffff", "1.0x1000000", "1.2.3.4%lo", "a.b.c.d", "::1", "1,2", "0.0.0.00", "00.0.0.0",
  "1.2.3.4 5.6.7.8", "111.111.111.111", "1111.1.1.1", "1.2.3.4444", "0b1", "0o7",
];

// deno-fmt-ignore
const IPV6_TEXTS = [
  "::", "::1", "1::", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1::3:4:5:6:7:8",
  "::1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8::", "1:2:3:4::5:6:7:8", "1:2:3:4:5:6:7:8:9", ":", ":::",
  "::::", "1:2", "::1.2.3.4", "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:7:1.2.3.4", "1.2.3.4", "::1.2.3",
  "1:2:3:4:5::1.2.3.4", "1:2:3:4:5:6::1.2.3.4", "1:2:3:4:5:1.2.3.4", "::1.2.3.4:5", "1.2.3.4::",
  "::01.2.3.4", "::1.2.3.256", "::1.2.3.4.5", "::.1.2.3", "::1.2.3.4x", "::ffff:1.2.3.4", "12345::",
  "::00001", "::12345", "::g", "::G", "FE80::ABCD", "fe80::abCd", " ::1", "::1 ", "1:", "::1:", "",
  ":1", ":1:2:3:4:5:6:7", "1::2::3", "::1::", "64:ff9b::1.2.3.4", "[::1]", "1:2:3:4:5:6:7:", "::0x1",
  "::%lo", "1:2:3:4:5:6:7:8%1", "2001:db8::", "::fffff", "::-1", "::+1", "::1/64", "1:::2", "::`",
  "::@", "::/", "0:0:0:0:0:0:0:0", "0000:0000:0000:0000:0000:0000:0000:0001",
];

/** Returns texts with one character changed, of which most are no addresses. */
function mutated(texts: string[], alphabet: string, count: number): string[] {
  const random = seeded(count);
  return Array.from({ length: count }, () => {
    const text = texts[random(texts.length)];
    const at = random(text.length + 1);
    const piece = alphabet[random(alphabet.length)];
    return text.slice(0, at) + piece + text.slice(at + random(2));
  });
}

/** Returns random addresses with many zero groups. */
function randomPacked(length: number, count: number): Uint8Array[] {
  const random = seeded(length);
  return Array.from({ length: count }, () => {
    const packed = new Uint8Array(length);
    for (let i = 0; i < length; i += 2) {
      if (random(5) < 2) {
        packed[i + 1] = random(256), packed[i] = random(3) * random(128);
      }
    }
    if (random(8) === 0) packed.fill(255, 10, 12);
    return packed;
  });
}

function result(fn: () => Uint8Array | string): unknown {
  try {
    const value = fn();
    return typeof value === "string" ? value : value.toHex();
  } catch (error) {
    if (error instanceof OSError && error.code === "EINVAL") return "OSError";
    throw error;
  }
}

type Row = [name: string, family: number, value: string];

function agreementTable(): Row[] {
  const texts4 = [...IPV4_TEXTS, ...mutated(IPV4_TEXTS, "0123456789.xa ", 150)];
  const texts6 = [
    ...IPV6_TEXTS,
    ...mutated(IPV6_TEXTS, "0123456789abf::.", 150),
  ];
  const packed4 = randomPacked(4, 20).map((packed) => packed.toHex());
  const packed6 = randomPacked(16, 150).map((packed) => packed.toHex());
  return [
    ...texts4.map((text): Row => ["aton", AF_INET, text]),
    ...texts4.map((text): Row => ["pton", AF_INET, text]),
    ...texts6.map((text): Row => ["pton", AF_INET6, text]),
    ...packed4.map((hex): Row => ["ntoa", AF_INET, hex]),
    ...packed4.map((hex): Row => ["ntop", AF_INET, hex]),
    ...packed6.map((hex): Row => ["ntop", AF_INET6, hex]),
  ];
}

const PYTHON = `
name, family, value = row
try:
    if name == "aton": return socket.inet_aton(value).hex()
    if name == "pton": return socket.inet_pton(family, value).hex()
    if name == "ntoa": return socket.inet_ntoa(bytes.fromhex(value))
    return socket.inet_ntop(family, bytes.fromhex(value))
except OSError: return "OSError"`;

function ours([name, family, value]: Row): unknown {
  return result(() => {
    if (name === "aton") return inetAton(value);
    if (name === "pton") return inetPton(family, value);
    const packed = Uint8Array.fromHex(value);
    return name === "ntoa" ? inetNtoa(packed) : inetNtop(family, packed);
  });
}

Deno.test({
  name: "inetAton(), inetPton(), inetNtoa() and inetNtop() agree with CPython",
  ignore: !havePython(),
  async fn() {
    const table = agreementTable();
    const theirs = await python(PYTHON, table);
    for (const [i, row] of table.entries()) {
      assertEquals(ours(row), theirs[i], row.join());
    }
  },
});

Deno.test("isIPv4() and isIPv6() agree with inetPton()", () => {
  const texts = [...IPV4_TEXTS, ...IPV6_TEXTS].filter((text) =>
    !text.includes("%")
  );
  for (const text of texts) {
    const ok4 = result(() => inetPton(AF_INET, text)) !== "OSError";
    const ok6 = result(() => inetPton(AF_INET6, text)) !== "OSError";
    assertEquals(isIPv4(text), ok4, `isIPv4 of ${text}`);
    assertEquals(isIPv6(text), ok6, `isIPv6 of ${text}`);
  }
});

Deno.test("isIPv6() allows a scope id", () => {
  for (
    const text of [
      "fe80::1%eth0",
      "fe80::1%1",
      "::%br-lan.100",
      "1:2:3:4:5:6:1.2.3.4%a",
    ]
  ) {
    assertStrictEquals(isIPv6(text), true, text);
  }
  for (
    const text of [
      "fe80::1%",
      "%eth0",
      "fe80::1%a%b",
      "fe80::1%a b",
      "fe80::1%a/b",
      "1.2.3.4%a",
    ]
  ) {
    assertStrictEquals(isIPv6(text), false, text);
  }
});

Deno.test("isIPv4() and isIPv6() are not slow on a long text", () => {
  const long = "1.".repeat(1e6) + ":".repeat(1e6);
  assertEquals(isIPv4(long), false, "isIPv4");
  assertEquals(isIPv6(long), false, "isIPv6");
  assertEquals(isIPv6("1:".repeat(1e6)), false, "isIPv6 of many groups");
});

Deno.test("inetAton() accepts each form of BSD", () => {
  const forms: [string, number[]][] = [
    ["127.0.0.1", [127, 0, 0, 1]],
    ["0.0.0.0", [0, 0, 0, 0]],
    ["255.255.255.255", [255, 255, 255, 255]],
    ["127.0.258", [127, 0, 1, 2]],
    ["127.65538", [127, 1, 0, 2]],
    ["2130706433", [127, 0, 0, 1]],
    ["0x7f.1", [127, 0, 0, 1]],
    ["0177.1", [127, 0, 0, 1]],
    ["1.2.3.4 and the rest", [1, 2, 3, 4]],
  ];
  for (const [text, bytes] of forms) {
    assertEquals([...inetAton(text)], bytes, text);
  }
});

Deno.test("inetAton() refuses a text that is no address, and names it", () => {
  const error = assertThrows(() => inetAton("1.2.3.256"), OSError);
  assertEquals(
    error.message,
    'Cannot inetAton "1.2.3.256": illegal IP address string (EINVAL)',
  );
  assertEquals(error.code, "EINVAL", "code");
  assertEquals(error.syscall, "inetAton", "syscall");
  assertEquals(error.address, "1.2.3.256", "address");
});

Deno.test("inetAton() and inetPton() refuse texts that resemble addresses", () => {
  for (const text of ["0.0.0.", "300.0.0.0", "a.0.0.0", "1.2.3.4.5", "::1"]) {
    assertThrows(() => inetAton(text), OSError, "illegal IP address string");
    assertThrows(() => inetPton(AF_INET, text), OSError, "illegal IP address");
  }
  // deno-fmt-ignore
  const rows = [
    "0x20::", ":::", "::0::", "1::abc::", "1::abc::def", "1:2:3:4:5:6", "1:2:3:4:5:6:", "1:2:3:4:5:6:7:8:0",
    "1:2:3:4:5:6:7:8:", "255.254.253.252", "1::260.2.3.0", "1::0.be.e.0", "1:2:3:4:5:6:7:1.2.3.4",
    "::1.2.3.4:0", "0.100.200.0:3:4:5:6:7:8",
  ];
  for (const text of rows) {
    assertThrows(() => inetPton(AF_INET6, text), OSError, text);
  }
});

Deno.test("inetAton() and inetPton() refuse a value that is no string", () => {
  const number = 1 as unknown as string;
  assertThrows(
    () => inetAton(number),
    TypeError,
    "the address must be a string, got number",
  );
  assertThrows(
    () => inetPton(AF_INET, number),
    TypeError,
    "must be a string, got number",
  );
});

Deno.test("inetPton() accepts both families", () => {
  assertEquals([...inetPton(AF_INET, "192.0.2.1")], [192, 0, 2, 1]);
  assertEquals(
    inetPton(AF_INET6, "2001:db8::a:b").toHex(),
    "20010db80000000000000000000a000b",
  );
});

Deno.test("inetPton() refuses an address of the wrong family", () => {
  assertThrows(
    () => inetPton(AF_INET, "::1"),
    OSError,
    "illegal IP address string",
  );
  assertThrows(
    () => inetPton(AF_INET6, "127.0.0.1"),
    OSError,
    "illegal IP address string",
  );
  assertThrows(
    () => inetPton(AF_INET6, "fe80::1%eth0"),
    OSError,
    "illegal IP address string",
  );
});

Deno.test("inetPton() and inetNtop() refuse an unknown family", () => {
  for (
    const fn of [
      () => inetPton(AF_UNIX, "x"),
      () => inetNtop(99, new Uint8Array(4)),
    ]
  ) {
    const error = assertThrows(
      fn,
      OSError,
      "the family must be AF_INET or AF_INET6, got",
    );
    assertEquals(error.code, "EAFNOSUPPORT");
  }
});

Deno.test("inetNtop() formats IPv6 addresses as RFC 5952 says", () => {
  const rows = [
    ["::", "00000000000000000000000000000000"],
    ["::1", "00000000000000000000000000000001"],
    ["2001:db8::1", "20010db8000000000000000000000001"],
    ["2001:db8:0:1:1:1:1:1", "20010db8000000010001000100010001"],
    ["2001:0:0:1::1", "20010000000000010000000000000001"],
    ["2001:db8::1:0:0:1", "20010db8000000000001000000000001"],
    ["1:2:3:4:5:6::", "00010002000300040005000600000000"],
    ["1:2:3:4:5:6:7:0", "00010002000300040005000600070000"],
    ["::ffff:1.2.3.4", "00000000000000000000ffff01020304"],
    ["::1.2.3.4", "00000000000000000000000001020304"],
    ["::ffff:0:102:304", "0000000000000000ffff000001020304"],
  ];
  for (const [text, hex] of rows) {
    assertEquals(inetNtop(AF_INET6, Uint8Array.fromHex(hex)), text);
    assertEquals(inetPton(AF_INET6, text).toHex(), hex);
  }
});

Deno.test("inetNtoa() and inetNtop() refuse bytes of the wrong length", () => {
  assertThrows(
    () => inetNtoa(new Uint8Array(3)),
    RangeError,
    "must have 4 bytes, got 3",
  );
  assertThrows(
    () => inetNtop(AF_INET, new Uint8Array(16)),
    RangeError,
    "must have 4 bytes, got 16",
  );
  assertThrows(
    () => inetNtop(AF_INET6, new Uint8Array(4)),
    RangeError,
    "must have 16 bytes, got 4",
  );
});

Deno.test("inetNtoa() and inetNtop() refuse a value that is no Uint8Array", () => {
  const array = [1, 2, 3, 4] as unknown as Uint8Array;
  assertThrows(() => inetNtoa(array), TypeError, "packed must be a Uint8Array");
  assertThrows(
    () => inetNtop(AF_INET, array),
    TypeError,
    "packed must be a Uint8Array",
  );
});

Deno.test("htons() and htonl() put the bytes into network order", () => {
  assertEquals([...new Uint8Array(Uint16Array.of(htons(0x1234)).buffer)], [
    0x12,
    0x34,
  ]);
  assertEquals([...new Uint8Array(Uint32Array.of(htonl(0xfedcba98)).buffer)], [
    0xfe,
    0xdc,
    0xba,
    0x98,
  ]);
});

Deno.test("ntohs() and ntohl() undo htons() and htonl()", () => {
  for (const value of [0, 1, 255, 256, 0x1234, 65535]) {
    assertEquals(ntohs(htons(value)), value);
  }
  for (const value of [0, 1, 65536, 0x7fffffff, 0x80000000, 0xffffffff]) {
    assertEquals(ntohl(htonl(value)), value);
  }
});

Deno.test("htons(), ntohs(), htonl() and ntohl() refuse a value out of range", () => {
  const table = [[htons, 65535], [ntohs, 65535], [htonl, 4294967295], [
    ntohl,
    4294967295,
  ]] as const;
  for (const [fn, max] of table) {
    const reason = `Cannot ${fn.name}: the value must be 0 to ${max}, got `;
    assertThrows(() => fn(-1), RangeError, `${reason}-1`);
    assertThrows(() => fn(max + 1), RangeError, `${reason}${max + 1}`);
  }
});

Deno.test("htons(), ntohs(), htonl() and ntohl() refuse a value that is no integer", () => {
  for (const fn of [htons, ntohs, htonl, ntohl]) {
    for (
      const value of [1.5, NaN, Infinity, "1", null, true, 1n, Symbol("x")]
    ) {
      const reason = `Cannot ${fn.name}: the value must be an integer, got ${
        String(value)
      }`;
      assertThrows(() => fn(value as number), TypeError, reason);
    }
  }
});
