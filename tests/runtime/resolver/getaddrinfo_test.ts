import { promises } from "node:dns";
import {
  type AddrInfo,
  GaiError,
  getaddrinfo,
  getfqdn,
  gethostbyname,
  gethostname,
  getnameinfo,
  OSError,
  PermissionError,
} from "../../../mod.ts";
import * as c from "../../../socket.ts";
import { lookupError } from "../../../internal/runtime/resolver/dns.ts";
import { resolveHost } from "../../../internal/runtime/resolver/getaddrinfo.ts";
import {
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertThrows,
} from "../../deps.ts";
import { granted, havePython } from "../../helpers/allowed.ts";
import { python } from "../../helpers/python.ts";

const { AF_INET, AF_INET6, AF_UNIX, SOCK_DGRAM, SOCK_STREAM } = c;

/** A name that each resolver refuses without asking the network. */
const NO_NAME = "no..name";

type Answer = { address: string; family: number };

function nodeError(code: string): Error {
  return Object.assign(new Error(`getaddrinfo ${code}`), { code });
}

/** Replaces functions of `node:dns` until the end of the scope. */
function fakeDns(fakes: {
  lookup?: (host: string, options: { family: number }) => Promise<Answer[]>;
  lookupService?: (ip: string) => Promise<{ hostname: string }>;
}): Disposable {
  const { lookup, lookupService } = promises;
  Object.assign(promises, fakes);
  return {
    [Symbol.dispose]: () =>
      void Object.assign(promises, { lookup, lookupService }),
  };
}

/** A resolver that knows `both.test`. */
function fakeBoth(): Disposable {
  return fakeDns({
    lookup: (_host, { family }) => {
      const all = [
        { address: "2001:db8::1", family: 6 },
        { address: "192.0.2.1", family: 4 },
        { address: "192.0.2.2", family: 4 },
      ];
      return Promise.resolve(
        all.filter((one) => family === 0 || one.family === family),
      );
    },
  });
}

async function gaiCode(
  promise: Promise<unknown>,
): Promise<[string | undefined, number]> {
  const error = await assertRejects(() => promise, GaiError);
  return [error.code, error.errno];
}

Deno.test("getaddrinfo() returns one entry for each socket type", async () => {
  assertEquals(await getaddrinfo("127.0.0.1", 80), [
    [AF_INET, SOCK_STREAM, c.IPPROTO_TCP, "", ["127.0.0.1", 80]],
    [AF_INET, SOCK_DGRAM, c.IPPROTO_UDP, "", ["127.0.0.1", 80]],
  ]);
});

Deno.test("getaddrinfo() keeps the order of the resolver and filters by family", async () => {
  using _ = fakeBoth();
  const hosts = async (family: number) =>
    (await getaddrinfo("both.test", 1, family, SOCK_STREAM)).map((
      [f, , , , [h]],
    ) => [f, h]);
  const [v6, v4, v4b] = [[AF_INET6, "2001:db8::1"], [AF_INET, "192.0.2.1"], [
    AF_INET,
    "192.0.2.2",
  ]];
  assertEquals(await hosts(0), [v6, v4, v4b]);
  assertEquals(await hosts(AF_INET), [v4, v4b]);
  assertEquals(await hosts(AF_INET6), [v6]);
});

Deno.test("getaddrinfo() returns the loopback for null, and the wildcard with AI_PASSIVE", async () => {
  const hosts = async (family: number, flags: number) =>
    (await getaddrinfo(null, 0, family, SOCK_STREAM, 0, flags)).map((
      [, , , , [host]],
    ) => host);
  assertEquals(await hosts(0, 0), ["::1", "127.0.0.1"]);
  assertEquals(await hosts(0, c.AI_PASSIVE), ["0.0.0.0", "::"]);
  assertEquals(await hosts(AF_INET, 0), ["127.0.0.1"]);
  assertEquals(await hosts(AF_INET6, c.AI_PASSIVE), ["::"]);
});

Deno.test("getaddrinfo() resolves localhost through the system", async () => {
  const infos = await getaddrinfo("localhost", 0, 0, SOCK_STREAM);
  for (const [, , , , [host]] of infos) {
    assertEquals(["127.0.0.1", "::1"].includes(host), true);
  }
});

Deno.test("getaddrinfo() returns literals in canonical form", async () => {
  const host = async (text: string, family = 0) =>
    (await getaddrinfo(text, 0, family))[0][4][0];
  assertEquals(await host("127.1"), "127.0.0.1");
  assertEquals(await host("0x7F000001"), "127.0.0.1");
  assertEquals(await host("2001:DB8::0001"), "2001:db8::1");
  assertEquals(await host("FE80::0001%eth0"), "fe80::1%eth0");
  assertEquals(await host("::FFFF:192.0.2.1"), "::ffff:192.0.2.1");
  assertEquals(await host("::ffff:192.0.2.1", AF_INET), "192.0.2.1");
});

Deno.test("getaddrinfo() accepts ports as text, services and null", async () => {
  const ports = async (port: string | number | null) =>
    (await getaddrinfo("::1", port)).map((
      [, type, , , [, number]],
    ) => [type, number]);
  for (const port of [53, "53", "053", " +53", "domain"]) {
    assertEquals(await ports(port), [[SOCK_STREAM, 53], [SOCK_DGRAM, 53]]);
  }
  for (const port of [null, "", 0, "0"]) {
    assertEquals(await ports(port), [[SOCK_STREAM, 0], [SOCK_DGRAM, 0]]);
  }
  assertEquals(await ports("http"), [[SOCK_STREAM, 80]]);
  assertEquals(await ports("www"), [[SOCK_STREAM, 80]]);
  assertEquals(await ports("tftp"), [[SOCK_DGRAM, 69]]);
});

Deno.test("getaddrinfo() has the host in the first entry with AI_CANONNAME", async () => {
  const infos = await getaddrinfo("127.1", 0, 0, 0, 0, c.AI_CANONNAME);
  assertEquals(infos.map(([, , , canonname]) => canonname), ["127.1", ""]);
});

Deno.test("getaddrinfo() rejects with Python's codes", async () => {
  const rows: [string, Parameters<typeof getaddrinfo>, string, number][] = [
    ["nothing asked", [null, null], "EAI_NONAME", -2],
    ["empty host", ["", 80], "EAI_NONAME", -2],
    ["unknown host", [NO_NAME, 80], "EAI_NONAME", -2],
    ["unknown flags", ["::1", 80, 0, 0, 0, 1 << 20], "EAI_BADFLAGS", -1],
    [
      "canonname of null",
      [null, 80, 0, 0, 0, c.AI_CANONNAME],
      "EAI_BADFLAGS",
      -1,
    ],
    ["family", ["::1", 80, AF_UNIX], "EAI_FAMILY", -6],
    ["type", ["::1", 80, 0, 99], "EAI_SOCKTYPE", -7],
    ["type and protocol", ["::1", 80, 0, SOCK_STREAM, 17], "EAI_SOCKTYPE", -7],
    ["protocol", ["::1", 80, 0, 0, 99], "EAI_SERVICE", -8],
    ["service", ["::1", "no-such-service"], "EAI_SERVICE", -8],
    ["service is case-sensitive", ["::1", "HTTP"], "EAI_SERVICE", -8],
    [
      "service of another type",
      ["::1", "ssh", 0, SOCK_DGRAM],
      "EAI_SERVICE",
      -8,
    ],
    ["negative port", ["::1", "-1"], "EAI_SERVICE", -8],
    ["large port", ["::1", "65536"], "EAI_SERVICE", -8],
    [
      "numeric service",
      ["::1", "http", 0, 0, 0, c.AI_NUMERICSERV],
      "EAI_NONAME",
      -2,
    ],
    [
      "numeric host",
      ["localhost", 80, 0, 0, 0, c.AI_NUMERICHOST],
      "EAI_NONAME",
      -2,
    ],
    ["IPv4 as IPv6", ["127.0.0.1", 80, AF_INET6], "EAI_ADDRFAMILY", -9],
    ["IPv6 as IPv4", ["::1", 80, AF_INET], "EAI_ADDRFAMILY", -9],
  ];
  for (const [what, args, code, errno] of rows) {
    assertEquals(await gaiCode(getaddrinfo(...args)), [code, errno], what);
  }
});

Deno.test("getaddrinfo() refuses arguments of the wrong type or range", async () => {
  const loose = getaddrinfo as (
    host: unknown,
    port: unknown,
  ) => Promise<AddrInfo[]>;
  await assertRejects(
    () => loose(5, 80),
    TypeError,
    "host must be a string or null, got number",
  );
  await assertRejects(
    () => loose("::1", true),
    TypeError,
    "port must be an integer, a string or null, got true",
  );
  await assertRejects(
    () => loose("::1", 1.5),
    TypeError,
    "port must be an integer, a string or null, got 1.5",
  );
});

Deno.test("getaddrinfo() rejects services beyond port 65535", async () => {
  for (const port of [65536, -1, 2 ** 53, -(2 ** 63), "70000"]) {
    const error = await assertRejects(() => getaddrinfo(null, port), GaiError);
    assertEquals(error.code, "EAI_SERVICE", `${port}`);
  }
});

Deno.test("getaddrinfo() names the host and keeps the cause", async () => {
  const error = await assertRejects(() => getaddrinfo(NO_NAME, 80), GaiError);
  assertEquals(
    error.message,
    'Cannot getaddrinfo "no..name": Name or service not known (EAI_NONAME)',
  );
  assertEquals(error.address, NO_NAME, "address");
  assertEquals(error.syscall, "getaddrinfo", "syscall");
  assertInstanceOf(error.cause, Error);
});

Deno.test("getaddrinfo() rejects with EAI_AGAIN for a temporary failure", async () => {
  using _ = fakeDns({ lookup: () => Promise.reject(nodeError("EAI_AGAIN")) });
  assertEquals(await gaiCode(getaddrinfo("slow.test", 80)), ["EAI_AGAIN", -3]);
});

Deno.test("lookupError() translates errors of node:dns", () => {
  const question = { syscall: "connect", host: "a.test" };
  const strange = lookupError(nodeError("EAI_STRANGE"), question);
  assertInstanceOf(strange, GaiError);
  assertEquals(strange.code, "EAI_FAIL", "code");
  assertEquals(strange.errno, -4, "errno");
  const full = lookupError(nodeError("EMFILE"), question);
  assertInstanceOf(full, OSError);
  assertEquals(full.name, "OSError", "name");
  assertEquals(full.code, "EMFILE", "code");
  assertEquals(full.address, "a.test", "address");
  assertEquals(lookupError("no error", question), "no error");
});

Deno.test({
  name:
    "getaddrinfo() needs no permission for literals, and names the one for names",
  permissions: "none",
  async fn() {
    for (const host of ["127.0.0.1", "127.1", "::1", "fe80::1%eth0", null]) {
      await getaddrinfo(host, 80);
    }
    const error = await assertRejects(
      () => getaddrinfo("localhost", 80),
      PermissionError,
      'requires net access to "localhost", run again with the --allow-net flag',
    );
    assertInstanceOf(error.cause, Error);
  },
});

Deno.test("getnameinfo() returns names, and numbers with flags", async () => {
  using _ = fakeDns({
    lookupService: () => Promise.resolve({ hostname: "a.test" }),
  });
  const { NI_NUMERICHOST, NI_NUMERICSERV } = c;
  assertEquals(await getnameinfo(["192.0.2.1", 80]), ["a.test", "http"]);
  assertEquals(await getnameinfo(["192.0.2.1", 80], NI_NUMERICHOST), [
    "192.0.2.1",
    "http",
  ]);
  assertEquals(await getnameinfo(["192.0.2.1", 80], NI_NUMERICSERV), [
    "a.test",
    "80",
  ]);
  assertEquals(await getnameinfo(["192.0.2.1", 69]), ["a.test", "69"]);
  assertEquals(await getnameinfo(["192.0.2.1", 69], c.NI_DGRAM), [
    "a.test",
    "tftp",
  ]);
  assertEquals(await getnameinfo(["127.1", 9], 3), ["127.0.0.1", "9"]);
});

Deno.test("getnameinfo() returns the number if there is no name, except with NI_NAMEREQD", async () => {
  const asked: string[] = [];
  using _ = fakeDns({
    lookupService: (ip) => {
      asked.push(ip);
      return Promise.reject(nodeError("ENOTFOUND"));
    },
  });
  assertEquals(await getnameinfo(["fe80::1%eth0", 80]), [
    "fe80::1%eth0",
    "http",
  ]);
  assertEquals(asked, ["fe80::1"]);
  const required = getnameinfo(["192.0.2.1", 80], c.NI_NAMEREQD);
  assertEquals(await gaiCode(required), ["EAI_NONAME", -2]);
  const numeric = getnameinfo(
    ["192.0.2.1", 80],
    c.NI_NAMEREQD | c.NI_NUMERICHOST,
  );
  assertEquals(await gaiCode(numeric), ["EAI_NONAME", -2]);
});

Deno.test("getnameinfo() rejects with other failures", async () => {
  using _ = fakeDns({
    lookupService: () => Promise.reject(nodeError("EAI_AGAIN")),
  });
  assertEquals(await gaiCode(getnameinfo(["192.0.2.1", 80])), [
    "EAI_AGAIN",
    -3,
  ]);
});

Deno.test("getnameinfo() refuses names, unknown flags and other shapes", async () => {
  assertEquals(await gaiCode(getnameinfo(["localhost", 80])), [
    "EAI_NONAME",
    -2,
  ]);
  assertEquals(await gaiCode(getnameinfo(["::1", 80], 4)), [
    "EAI_BADFLAGS",
    -1,
  ]);
  const loose = getnameinfo as unknown as (
    sockaddr: unknown,
  ) => Promise<unknown>;
  await assertRejects(
    () => loose("::1"),
    TypeError,
    "the address must be [host, port]",
  );
  await assertRejects(
    () => loose(["::1"]),
    TypeError,
    "the address must be [host, port]",
  );
  await assertRejects(
    () => loose(["::1", "80"]),
    TypeError,
    "port must be a number",
  );
  await assertRejects(() => loose(["::1", 70000]), RangeError, "got 70000");
});

Deno.test({
  name:
    "getnameinfo() needs no permission for numbers, and the net permission for names",
  permissions: "none",
  async fn() {
    assertEquals(await getnameinfo(["::1", 80], c.NI_NUMERICHOST), [
      "::1",
      "http",
    ]);
    await assertRejects(
      () => getnameinfo(["127.0.0.1", 80]),
      PermissionError,
      "requires net access",
    );
  },
});

Deno.test("gethostbyname() accepts Python's special names and all literals", async () => {
  const rows = {
    "": "0.0.0.0",
    "<broadcast>": "255.255.255.255",
    "127.1": "127.0.0.1",
    "10.0.0.1": "10.0.0.1",
    "255.255.255.255": "255.255.255.255",
  };
  for (const [host, ip] of Object.entries(rows)) {
    assertEquals(await gethostbyname(host), ip);
  }
  assertEquals(await gethostbyname("localhost"), "127.0.0.1");
});

Deno.test("gethostbyname() returns the first IPv4 address", async () => {
  using _ = fakeBoth();
  assertEquals(await gethostbyname("both.test"), "192.0.2.1");
});

Deno.test("gethostbyname() and getnameinfo() refuse texts that resemble addresses", async () => {
  for (
    const host of [
      "0.1.1.~1",
      "1+.1.1.1",
      "::1q",
      "::1::2",
      "1:1:1:1:1:1:1:1:1",
    ]
  ) {
    assertEquals((await gaiCode(gethostbyname(host)))[0], "EAI_NONAME", host);
    const named = getnameinfo([host, 0]);
    assertEquals((await gaiCode(named))[0], "EAI_NONAME", host);
  }
});

Deno.test("getaddrinfo() and getnameinfo() keep the scope of an address", async () => {
  for (const scope of ["lo", "42"]) {
    const host = `ff02::1de:c0:face:8d%${scope}`;
    const asked = host.replace("8d", "8D");
    const [info, ...more] = await getaddrinfo(asked, 1234, 0, c.SOCK_DGRAM);
    assertEquals(info[4], [host, 1234]);
    assertEquals(more, []);
    const flags = c.NI_NUMERICHOST | c.NI_NUMERICSERV;
    assertEquals(await getnameinfo([asked, 1234], flags), [host, "1234"]);
  }
});

Deno.test("gethostbyname() refuses IPv6, unknown names and values that are no strings", async () => {
  assertEquals(await gaiCode(gethostbyname("::1")), ["EAI_ADDRFAMILY", -9]);
  assertEquals(await gaiCode(gethostbyname(NO_NAME)), ["EAI_NONAME", -2]);
  const loose = gethostbyname as unknown as (host: unknown) => Promise<string>;
  await assertRejects(
    () => loose(null),
    TypeError,
    "host must be a string, got object",
  );
});

const haveSys = granted({ name: "sys", kind: "hostname" });

Deno.test(
  "gethostname() returns the name of this machine",
  { ignore: !haveSys },
  () => {
    assertEquals(gethostname(), Deno.hostname());
  },
);

Deno.test({
  name: "gethostname() and getfqdn() of this machine need the sys permission",
  permissions: "none",
  async fn() {
    const error = assertThrows(
      () => gethostname(),
      PermissionError,
      "--allow-sys",
    );
    assertEquals(error.syscall, "gethostname");
    for (const name of ["", "0.0.0.0", "::"]) {
      await assertRejects(() => getfqdn(name), PermissionError);
    }
  },
});

Deno.test("getfqdn() without a name looks up this machine", {
  ignore: !haveSys,
}, async () => {
  const asked: string[] = [];
  using _ = fakeDns({
    lookup: (host) => {
      asked.push(host);
      return Promise.resolve([{ address: "192.0.2.1", family: 4 }]);
    },
    lookupService: () => Promise.resolve({ hostname: "me.test" }),
  });
  for (const name of ["", "0.0.0.0", "::"]) {
    assertEquals(await getfqdn(name), "me.test");
  }
  assertEquals(new Set(asked), new Set([Deno.hostname()]));
});

Deno.test("getfqdn() returns the name of the first address", async () => {
  const fqdn = {
    "2001:db8::1": "both.example.test",
    "192.0.2.7": "seven.test",
  };
  using _both = fakeBoth();
  using _ = fakeDns({
    lookupService: (ip) =>
      Promise.resolve({ hostname: fqdn[ip as keyof typeof fqdn] }),
  });
  assertEquals(await getfqdn(" both.test "), "both.example.test");
  assertEquals(await getfqdn("192.0.2.7"), "seven.test");
});

Deno.test("getfqdn() returns the host itself if no name is known", async () => {
  using _ = fakeDns({
    lookupService: () => Promise.reject(nodeError("ENOTFOUND")),
  });
  assertEquals(await getfqdn("192.0.2.1"), "192.0.2.1");
  assertEquals(await getfqdn(NO_NAME), NO_NAME);
});

Deno.test("getfqdn() rejects with an error of the program", async () => {
  using _ = fakeDns({
    lookup: () => Promise.resolve(null as unknown as Answer[]),
  });
  await assertRejects(() => getfqdn("a.test"));
});

Deno.test("resolveHost() returns literals and special names without a look-up", async () => {
  const rows: [number, string, string][] = [
    [AF_INET, "192.0.2.1", "192.0.2.1"],
    [AF_INET6, "FE80::1%eth0", "fe80::1%eth0"],
    [AF_INET, "", "0.0.0.0"],
    [AF_INET6, "", "::"],
    [AF_INET, "<broadcast>", "255.255.255.255"],
    [AF_INET, "localhost", "127.0.0.1"],
    [AF_INET6, "localhost", "::1"],
    [AF_INET, "127.1", "127.0.0.1"],
  ];
  for (const [family, host, found] of rows) {
    assertEquals(await resolveHost(family, host, 80, "connect"), found);
  }
});

Deno.test("resolveHost() returns the first address of the family", async () => {
  using _ = fakeBoth();
  assertEquals(
    await resolveHost(AF_INET, "both.test", 80, "connect"),
    "192.0.2.1",
  );
  assertEquals(
    await resolveHost(AF_INET6, "both.test", 80, "connect"),
    "2001:db8::1",
  );
});

Deno.test("resolveHost() rejects if the family has no address", async () => {
  assertEquals(await gaiCode(resolveHost(AF_INET, "::1", 80, "connect")), [
    "EAI_ADDRFAMILY",
    -9,
  ]);
  assertEquals(await gaiCode(resolveHost(AF_INET6, "127.1", 80, "sendto")), [
    "EAI_ADDRFAMILY",
    -9,
  ]);
  using _ = fakeDns({ lookup: () => Promise.resolve([]) });
  assertEquals(await gaiCode(resolveHost(AF_INET6, "v4.test", 80, "sendto")), [
    "EAI_NONAME",
    -2,
  ]);
});

Deno.test("resolveHost() names the method and the host", async () => {
  await assertRejects(
    () => resolveHost(AF_INET, NO_NAME, 80, "sendto"),
    GaiError,
    'Cannot sendto "no..name": Name or service not known (EAI_NONAME)',
  );
});

Deno.test({
  name: "resolveHost() returns the name if its address is not permitted",
  permissions: { net: ["a.test", "localhost"] },
  async fn() {
    using _ = fakeBoth();
    assertEquals(await resolveHost(AF_INET, "a.test", 80, "connect"), "a.test");
    assertEquals(
      await resolveHost(AF_INET, "localhost", 80, "connect"),
      "localhost",
    );
  },
});

Deno.test({
  name: "resolveHost() returns the address if name and address are permitted",
  permissions: { net: ["a.test", "192.0.2.1:80"] },
  async fn() {
    using _ = fakeBoth();
    assertEquals(
      await resolveHost(AF_INET, "a.test", 80, "connect"),
      "192.0.2.1",
    );
    assertEquals(await resolveHost(AF_INET, "a.test", 81, "connect"), "a.test");
  },
});

Deno.test({
  name:
    "resolveHost() returns the name without a look-up if that is not permitted",
  permissions: { net: ["a.test:80", "192.0.2.1"] },
  async fn() {
    using _ = fakeDns({ lookup: () => Promise.reject(new Error("asked")) });
    assertEquals(await resolveHost(AF_INET, "a.test", 80, "connect"), "a.test");
    assertEquals(await resolveHost(AF_INET, "b.test", 80, "connect"), "b.test");
  },
});

Deno.test({
  name: "resolveHost() rejects names that no permission can name",
  permissions: { net: ["127.0.0.1"] },
  async fn() {
    const error = await assertRejects(
      () => resolveHost(AF_INET, "a b", 80, "connect"),
      GaiError,
    );
    assertEquals(error.code, "EAI_NONAME");
    assertInstanceOf(error.cause, URIError);
  },
});

/** The calls on both sides. */
function agreementTable(): Parameters<typeof getaddrinfo>[] {
  // deno-fmt-ignore
  const hosts = [
    "127.0.0.1", "::1", "1", "0x7f.1", "010.1", "1.2.3", "1.2.3.4 ", "2001:DB8::1", "::ffff:1.2.3.4",
    "::1.2.3.4", "localhost", "", null,
  ];
  const ports = [
    null,
    0,
    80,
    65535,
    "",
    "0",
    "80",
    "080",
    " 80",
    "+80",
    "80 ",
    "x80",
    "-1",
    "0x50",
  ];
  const table: Parameters<typeof getaddrinfo>[] = [];
  for (const host of hosts) {
    for (const port of ports) table.push([host, port]);
    for (const family of [AF_INET, AF_INET6, AF_UNIX]) {
      table.push([host, 80, family]);
    }
    for (const flags of [1, 2, 4, 5, 6, 7, 1 << 20]) {
      table.push([host, 80, 0, 0, 0, flags]);
    }
    for (const type of [1, 2, 99]) {
      for (const proto of [0, 6, 17, 99]) {
        table.push([host, 53, 0, type, proto]);
      }
    }
  }
  for (const proto of [6, 17, 99]) table.push(["::1", 53, 0, 0, proto]);
  return table;
}

const PYTHON = `
try:
    infos = socket.getaddrinfo(*row)
except socket.gaierror as error:
    return error.args[0]
return [[*info[:4], info[4][:2]] for info in infos if info[1] != socket.SOCK_RAW]`;

/** The order of the two families for null depends on the machine's addresses. */
function sorted(host: string | null, infos: unknown): unknown {
  return host === null && Array.isArray(infos)
    ? infos.map(String).sort()
    : infos;
}

async function ours(row: Parameters<typeof getaddrinfo>): Promise<unknown> {
  try {
    return await getaddrinfo(...row);
  } catch (error) {
    assertInstanceOf(error, GaiError);
    return error.errno;
  }
}

Deno.test({
  name: "getaddrinfo() agrees with CPython",
  ignore: !havePython(),
  async fn() {
    const table = agreementTable();
    const theirs = await python(PYTHON, table);
    for (const [i, row] of table.entries()) {
      const answer = sorted(row[0], await ours(row));
      assertEquals(answer, sorted(row[0], theirs[i]), row.join());
    }
  },
});

Deno.test({
  name: "getaddrinfo() accepts the services of CPython",
  ignore: !havePython(),
  async fn() {
    const tcp =
      "echo ftp ssh telnet smtp domain http www pop3 imap2 snmp ldap https imaps pop3s mysql";
    const udp = "echo domain tftp ntp snmp syslog radius";
    const table: Parameters<typeof getaddrinfo>[] = [
      ...tcp.split(" ").map((name) => ["::1", name, 0, SOCK_STREAM] as const),
      ...udp.split(" ").map((name) => ["::1", name, 0, SOCK_DGRAM] as const),
    ].map((row) => [...row]);
    const theirs = await python(PYTHON, table);
    for (const [i, row] of table.entries()) {
      if (theirs[i] === c.EAI_SERVICE) continue; // a system without /etc/services
      assertEquals(await ours(row), theirs[i], row.join());
    }
  },
});
