/** examples/dns.ts with dig, dnsperf and malformed messages. */

// @ts-types="../../examples/dns_packet.d.ts"
import codec from "npm:dns-packet@5.6.1";
import { Buffer } from "node:buffer";
import type { OptAnswer, Packet } from "../../examples/dns_packet.d.ts";
import fc from "fast-check";
import { createConnection, SHUT_WR, SOCK_DGRAM, Socket } from "../../mod.ts";
import { parseZone } from "../../examples/dns_file.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertThrows,
  delay,
} from "../deps.ts";
import {
  complaint,
  mayRun,
  onOneServer,
  type Running,
  start,
} from "./example_helpers.ts";
import { have, haveIPv6 } from "../helpers/allowed.ts";
import { fuzz, mutated } from "../helpers/fuzz.ts";
import { boundedCommand, within } from "../helpers/within.ts";

const startDns = (host = "127.0.0.1", ...more: string[]) =>
  start("examples/dns.ts", host, "0", ...more);

const dns = onOneServer<[Running]>(
  "examples/dns.ts serves its clients",
  async (tests) => {
    await using server = await startDns();
    await tests(server);
    assertEquals(await server.end("SIGINT"), 0);
    assert(!(await server.stderr).includes("Error"), await server.stderr);
  },
);
const at = ({ port }: Running): [string, number] => ["127.0.0.1", Number(port)];

async function run(program: string, ...args: string[]): Promise<string> {
  const { stdout } = await boundedCommand(program, { args }).output();
  return new TextDecoder().decode(stdout);
}

const dig = ({ port }: Running, ...args: string[]): Promise<string> =>
  run("dig", "@127.0.0.1", "-p", port, "+time=5", "+tries=1", ...args);

/** The questions for dig with +short, and the answers. */
const SHORT: [args: string, answer: string][] = [
  ["www.example.test", "192.0.2.1\n192.0.2.2\n"],
  ["www.example.test AAAA", "2001:db8::1\n"],
  ["+tcp www.example.test AAAA", "2001:db8::1\n"],
  [
    "shop.example.test",
    "web.example.test.\nwww.example.test.\n192.0.2.1\n192.0.2.2\n",
  ],
  ["shop.example.test CNAME", "web.example.test.\n"],
  ["away.example.test", "www.example.com.\n"],
  ["loop.example.test", "pool.example.test.\nloop.example.test.\n"],
  ["example.test NS", "ns1.example.test.\n"],
  ["example.test MX", "10 mail.example.test.\n"],
  ["text.example.test TXT", '"one" "two; and \\"three\\"" "AB"\n'],
  ["example.test TXT", '"v=spf1 mx -all"\n'],
  [
    "example.test SOA",
    "ns1.example.test. hostmaster.example.test. 2026010100 7200 900 1209600 300\n",
  ],
  ["WWW.Example.TEST", "192.0.2.1\n192.0.2.2\n"],
  ["www.example.test MX", ""],
];

dns("answers dig with its records, and follows aliases", async (server) => {
  for (const [args, answer] of SHORT) {
    const said = await dig(server, "+short", ...args.split(" "));
    assertEquals(said, answer, args);
  }
}, !have("dig"));

/** The questions for dig, and status, flags, and counts of answers and authorities. */
const STATUS: [
  args: string,
  status: string,
  flags: string,
  counts: [number, number],
][] = [
  ["www.example.test", "NOERROR", "qr aa rd", [2, 0]],
  ["www.example.test MX", "NOERROR", "qr aa rd", [0, 1]],
  ["deep.name.example.test", "NOERROR", "qr aa rd", [0, 1]],
  ["nobody.example.test", "NXDOMAIN", "qr aa rd", [0, 1]],
  ["gone.example.test", "NXDOMAIN", "qr aa rd", [1, 1]],
  ["a\\.b.example.test", "NXDOMAIN", "qr aa rd", [0, 1]],
  ["a\\.deep.name.example.test", "NXDOMAIN", "qr aa rd", [0, 1]],
  ["example.test ANY +notcp", "NOERROR", "qr aa rd", [1, 0]],
  ["www.example.com", "REFUSED", "qr rd", [0, 0]],
  ["test", "REFUSED", "qr rd", [0, 0]],
  ["-c CH version.bind TXT", "REFUSED", "qr rd", [0, 0]],
  ["+noall +comments example.test AXFR", "REFUSED", "qr", [0, 0]],
  ["+opcode=NOTIFY example.test", "NOTIMP", "qr rd", [0, 0]],
  ["+edns=1 +noednsneg www.example.test", "BADVERS", "qr rd", [0, 0]],
  ["+noedns +ignore big.example.test TXT", "NOERROR", "qr aa tc rd", [0, 0]],
  ["+bufsize=600 +ignore big.example.test TXT", "NOERROR", "qr aa tc rd", [
    ...[0, 0] as const,
  ]],
  ["+bufsize=1232 +ignore big.example.test TXT", "NOERROR", "qr aa rd", [1, 0]],
  ["+tcp big.example.test TXT", "NOERROR", "qr aa rd", [1, 0]],
];

dns("tells dig when it has nothing, and how much fits", async (server) => {
  for (const [args, status, flags, counts] of STATUS) {
    const said = await dig(server, ...args.split(" "));
    const [answers, authorities] = counts;
    assertMatch(said, new RegExp(`status: ${status},`), args);
    assertMatch(
      said,
      new RegExp(
        `flags: ${flags};.* ANSWER: ${answers}, AUTHORITY: ${authorities},`,
      ),
      args,
    );
    const knows = !args.includes("+noedns ");
    assertEquals(/^; EDNS: version: 0,/m.test(said), knows, said);
  }
}, !have("dig"));

Deno.test({
  name: "examples/dns.ts answers dig over IPv6, with UDP and TCP",
  ignore: !mayRun || !have("dig") || !haveIPv6,
  async fn() {
    await using server = await startDns("::1");
    for (const protocol of ["+notcp", "+tcp"]) {
      const { port } = server;
      const said = await run(
        ...["dig", "@::1", "-p", port, "+short", "+time=5"] as const,
        ...[protocol, "www.example.test", "AAAA"],
      );
      assertEquals(said, "2001:db8::1\n");
    }
  },
});

Deno.test({
  name:
    "examples/dns.ts closes a TCP connection whose message takes too long, and no other",
  ignore: !mayRun,
  async fn() {
    const zone =
      new URL("../../examples/example.zone", import.meta.url).pathname;
    await using server = await startDns("127.0.0.1", zone, "2");
    const from = performance.now();
    using slow = await createConnection(at(server), { timeout: 30 });
    using busy = await createConnection(at(server), { timeout: 30 });
    using file = busy.makefile("rb");
    const closed = slow.recv(1).catch((error) => {
      if (error.code === "ECONNRESET") return new Uint8Array();
      throw error;
    });
    let isOpen = true;
    closed.then(() => isOpen = false);
    let count = 0;
    const message = framed(LAST);
    for (; isOpen && count < message.length; count++) {
      await slow.send(message.subarray(count, count + 1)).catch(() => {});
      await busy.sendall(message);
      await file.readexactly((await file.readexactly(2))[1]);
      await delay(300); // within its two seconds, so that each read alone is in time
    }
    assertEquals((await within(closed)).length, 0);
    assert(count < message.length && performance.now() - from > 1900);
  },
});

dns("makes dig ask over TCP for what UDP does not hold", async (server) => {
  const said = await dig(server, "+noedns", "big.example.test", "TXT");
  assertMatch(said, /^;; Truncated, retrying in TCP mode\.$/m);
  assertMatch(said, /ANSWER: 1,[^]*\(TCP\)/);
}, !have("dig"));

dns("answers every query of dnsperf over UDP and TCP", async ({ port }) => {
  const queries = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(
      queries,
      SHORT.map(([args]) =>
        args.replace(/\+\w+ /, "").replace(/ .*|$/, (type) => type || " A")
      ).join("\n"),
    );
    for (const mode of ["udp", "tcp"]) {
      const said = await run(
        ...["dnsperf", "-s", "127.0.0.1", "-p", port, "-m", mode] as const,
        ...["-d", queries, "-n", "50", "-c", "4", "-t", "30"],
      );
      assertMatch(said, /Queries completed: +700 \(100\.00%\)/);
      assertMatch(said, /Response codes: +NOERROR 700 \(100\.00%\)\n/);
    }
  } finally {
    await Deno.remove(queries);
  }
}, !have("dnsperf"));

/** Returns a query for UDP. */
const query = (id: number, name: string, more: Partial<Packet> = {}) =>
  new Uint8Array(codec.encode({
    ...{ id, type: "query", questions: [{ type: "A", name }] },
    ...more,
  }));
/** Returns a message for TCP, with its length before it. */
const framed = (message: Uint8Array): Uint8Array<ArrayBuffer> =>
  Uint8Array.of(message.length >> 8, message.length & 0xff, ...message);

dns(
  "answers queries over one TCP connection in their order, split or together",
  async (server) => {
    using client = await createConnection(at(server), { timeout: 30 });
    const ids = Array.from({ length: 300 }, (_, i) => i);
    const all = Buffer.concat(
      ids.map((id) =>
        framed(query(id, id % 2 ? "www.example.test" : "no.example.test"))
      ),
    );
    await client.sendall(all.subarray(0, 1));
    await client.sendall(all.subarray(1, 1001));
    await client.sendall(all.subarray(1001));
    await client.shutdown(SHUT_WR);
    using file = client.makefile("rb");
    const seen: [number, number][] = [];
    for (let head; (head = await file.read(2)).length > 0;) {
      const answer = await file.readexactly(head[0] << 8 | head[1]);
      seen.push([answer[0] << 8 | answer[1], answer[3] & 0xf]);
    }
    assertEquals(seen, ids.map((id) => [id, id % 2 ? 0 : 3]));
  },
);

const edns = (options: unknown[] = []): OptAnswer => ({
  type: "OPT",
  name: ".",
  udpPayloadSize: 1232,
  extendedRcode: 0,
  ednsVersion: 0,
  flags: 0,
  options,
});
/** The queries to mutate: one of each kind that the server answers. */
const CORPUS = [
  query(1, "www.example.test"),
  query(2, "shop.example.test", { additionals: [edns()] }),
  query(3, "nobody.example.test", { flags: codec.RECURSION_DESIRED }),
  query(4, "big.example.test", {
    questions: [{ type: "TXT", name: "big.example.test" }],
    additionals: [edns([{ code: 10, data: Buffer.alloc(8) }])],
  }),
  query(5, "example.test", { flags: 5 << 11 }),
  query(6, "www.example.com", {
    answers: [{
      ...{ type: "A", name: "www.example.com", ttl: 1, data: "192.0.2.1" },
    }],
  }),
];
const LAST = query(0xabcd, "www.example.test");

/** Reports whether a message is a query, which must be answered. */
const isQuery = (message: Uint8Array): boolean =>
  message.length >= 12 && (message[2] & 0x80) === 0;

/** Checks the answer to a message with any fault. */
function checkAnswer(message: Uint8Array, answer: Uint8Array): void {
  assertEquals(answer.subarray(0, 2), message.subarray(0, 2).slice());
  assertEquals(answer[2] & 0b1111_1001, 0x80 | message[2] & 0b0111_1001);
  const { rcode } = codec.decode(Buffer.from(answer));
  assertMatch(rcode, /^(NOERROR|FORMERR|NXDOMAIN|NOTIMP|REFUSED)$/);
  if (message[2] >> 3 & 0xf) assertEquals(rcode, "NOTIMP");
}

dns(
  "answers 1,000 wrong messages over UDP, and then a right one",
  async (server) => {
    using client = new Socket(undefined, SOCK_DGRAM);
    client.settimeout(30);
    await client.connect(at(server));
    const ask = async (message: Uint8Array) => {
      if (message.length > 0) await client.send(message);
      if (isQuery(message)) {
        checkAnswer(message, await client.recv(65535));
      }
      await client.send(LAST);
      checkAnswer(LAST, await client.recv(65535));
    };
    await fuzz("dns over UDP", 1000, fc.asyncProperty(mutated(CORPUS), ask));
  },
);

dns(
  "answers wrong messages over 400 TCP connections, and then a right one",
  async (server) => {
    const ask = async (messages: Uint8Array[], tail: Uint8Array) => {
      using client = await createConnection(at(server), { timeout: 30 });
      using file = client.makefile("rb");
      await client.sendall(Buffer.concat([...messages.map(framed), tail]));
      await client.shutdown(SHUT_WR);
      for (const message of messages) {
        const head = await file.read(2);
        if (!isQuery(message)) { // closed or reset by the server
          return assertEquals(head.length, 0);
        }
        const answer = await file.readexactly(head[0] << 8 | head[1]);
        checkAnswer(message, answer);
      }
    };
    const lost = (error: { code?: string }) => {
      if (error.code !== "ECONNRESET") throw error; // a close with unread data is a reset
    };
    const messages = fc.array(mutated(CORPUS), { minLength: 1, maxLength: 3 });
    const tail = mutated(CORPUS.map(framed));
    await fuzz(
      "dns over TCP",
      400,
      fc.asyncProperty(messages, tail, (...args) => ask(...args).catch(lost)),
    );
    await ask([LAST], new Uint8Array());
  },
);

/** A name of 256 bytes: three labels of 63 and one of 62. */
const longName = query(1, `${`${"x".repeat(63)}.`.repeat(3)}${"x".repeat(62)}`);

/** A query with an OPT record for the name "a", which the codec never writes. */
const namedOpt = ((message: Uint8Array) =>
  Uint8Array.of(
    ...message.subarray(0, -11),
    1,
    97,
    0,
    ...message.subarray(-10),
  ))(
    query(1, "a", { additionals: [edns()] }),
  );

/** Messages that are wrong in a detail, and the code of each answer. */
const WRONG: [name: string, message: Uint8Array, rcode: number][] = [
  ["no question", LAST.with(5, 0), 1],
  ["two questions", LAST.with(5, 2), 1],
  ["more records than bytes", LAST.with(10, 255), 1],
  ["a pointer for a name", LAST.with(12, 0xc0), 1],
  ["a label of 64 bytes", LAST.with(12, 64), 1],
  ["a cut name", LAST.subarray(0, 15), 1],
  ["a cut question", LAST.subarray(0, LAST.length - 1), 1],
  ["a long name", longName, 1],
  ["two OPT records", query(1, "a", { additionals: [edns(), edns()] }), 1],
  [
    "an OPT record that is no addition",
    query(1, "a", { answers: [edns()] }),
    1,
  ],
  [
    "an OPT record with a name",
    namedOpt,
    1,
  ],
  [
    "no question, but an OPT record",
    query(1, "a", { questions: [], additionals: [edns()] }),
    1,
  ],
  [
    "status, with an OPT record",
    query(1, "a", { flags: 2 << 11, additionals: [edns()] }),
    4,
  ],
  ["status, for an opcode", LAST.with(2, 2 << 3), 4],
];

dns(
  "says FORMERR to what it cannot decode, and NOTIMP to other opcodes",
  async (server) => {
    using client = await createConnection(at(server), { timeout: 30 });
    using file = client.makefile("rb");
    for (const [name, message, rcode] of WRONG) {
      await client.sendall(framed(message));
      const head = await file.readexactly(2);
      const answer = await file.readexactly(head[0] << 8 | head[1]);
      checkAnswer(message, answer);
      assertEquals(answer[3] & 0xf, rcode, name);
      const { additionals } = codec.decode(Buffer.from(answer));
      const knows = name.includes("OPT") && !name.includes("no addition");
      assertEquals(additionals.length, knows ? 1 : 0, name);
    }
    await client.sendall(framed(LAST.with(2, 0x80)));
    assertEquals((await within(file.read())).length, 0, "a response");
  },
);

const SOA = "@ SOA ns me 1 2 3 4 5\n";
/** Zones that are refused, and the reason. */
const BAD_ZONES: [text: string, reason: string][] = [
  ["", "one SOA"],
  [SOA + SOA, "one SOA"],
  [SOA + "a CNAME b\na A 192.0.2.1", "CNAME, and more"],
  [SOA + "a.other. A 192.0.2.1", '"a.other" is not in it'],
  [SOA + "a A 192.0.2", "line 4: "],
  [SOA + "a AAAA 192.0.2.1", "line 4: "],
  [SOA + "a A 192.0.2.1 192.0.2.2", "line 4: A with 2 words"],
  [SOA + "a TXT", "line 4: TXT with 0 words"],
  [SOA + `a TXT ${"x".repeat(256)}`, "at most 255"],
  [SOA + "a MX 70000 b", "bad number 70000"],
  [SOA + "a MX ten b", "bad number ten"],
  [SOA + "a WKS 1", 'no type "WKS"'],
  [SOA + "a", 'no type ""'],
  [SOA + "a..b A 192.0.2.1", 'bad name "a..b"'],
  [SOA + `${"x".repeat(64)} A 192.0.2.1`, "bad name"],
  [SOA + `${"x.".repeat(130)} A 192.0.2.1`, "too long a name"],
  [SOA + 'a TXT "b', 'line 4: unexpected "'],
  [SOA + "a TXT ( b\n", 'line 4: "(" without ")"'],
  ["$INCLUDE other.zone", "no $INCLUDE"],
  ["$TTL 1 2", "too many words"],
];

Deno.test("parseZone() names the line and the reason of an error", () => {
  for (const [text, reason] of BAD_ZONES) {
    const zone = `$ORIGIN example.test.\n$TTL 1h\n${text}`;
    assertThrows(() => parseZone(zone), Error, reason);
  }
  assertThrows(() => parseZone(" A 192.0.2.1"), Error, "line 1: no name");
  assertThrows(() => parseZone(SOA), Error, "bad name");
  const noTtl = "$ORIGIN example.test.\n" + SOA;
  assertThrows(() => parseZone(noTtl), Error, "line 2: no time to live");
});

Deno.test({
  name: "examples/dns.ts exits with one line if its zone cannot be read",
  ignore: !mayRun,
  async fn() {
    await complaint("examples/dns.ts", "127.0.0.1", "0", "no/such.zone");
  },
});
