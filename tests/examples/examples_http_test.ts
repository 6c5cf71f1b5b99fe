/** examples/http.ts with curl, wrk, CPython's clients, fetch, and hostile clients. */

import fc from "fast-check";
import { createConnection, SHUT_WR, type Socket } from "../../mod.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "../deps.ts";
import {
  mayRun,
  onOneServer,
  type Running,
  start,
  talk,
} from "./example_helpers.ts";
import { have } from "../helpers/allowed.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { fuzz, mutated } from "../helpers/fuzz.ts";
import { within } from "../helpers/within.ts";

const BIG = 3_000_000;

/** A directory to serve, beside a secret. A client has some seconds to send a request. */
async function withSite(
  fn: (server: Running, directory: string) => Promise<void>,
  seconds = "60",
): Promise<void> {
  const base = await Deno.makeTempDir();
  try {
    const directory = `${base}/site`;
    await Deno.mkdir(`${directory}/sub dir`, { recursive: true });
    await Deno.mkdir(`${directory}/indexed`);
    await Deno.writeTextFile(`${base}/secret`, "secret");
    await Deno.writeTextFile(`${directory}/hello.txt`, "hello, world\n");
    await Deno.writeTextFile(`${directory}/empty`, "");
    await Deno.writeTextFile(`${directory}/indexed/index.html`, "<p>index</p>");
    await Deno.writeTextFile(`${directory}/sub dir/<&>.txt`, "odd name");
    await Deno.writeFile(`${directory}/big.bin`, pattern(BIG));
    await Deno.symlink("hello.txt", `${directory}/inside`);
    await Deno.symlink("../secret", `${directory}/outside`);
    await using server = await start(
      "examples/http.ts",
      "127.0.0.1",
      "0",
      directory,
      seconds,
    );
    await fn(server, directory);
    assertEquals(await server.end("SIGINT"), 0);
    const stderr = await server.stderr;
    assert(!/error/i.test(stderr), stderr);
  } finally {
    await Deno.remove(base, { recursive: true });
  }
}

function pattern(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => i * 7 + (i >> 8));
}

const site = onOneServer<[Running, string]>(
  "examples/http.ts serves its clients",
  (tests) => withSite(tests),
);

/** Defines a test that ends its server. */
function ending(name: string, fn: (server: Running) => Promise<void>) {
  Deno.test({
    name: `examples/http.ts ${name}`,
    ignore: !mayRun,
    fn: () => withSite(fn),
  });
}

const connect = ({ port }: Running): Promise<Socket> =>
  createConnection(["127.0.0.1", Number(port)], { timeout: 30 });

/** Sends bytes, and returns the whole answer. */
async function ask(
  server: Running,
  request: string | Uint8Array,
  half = true,
): Promise<string> {
  using client = await connect(server);
  await client.sendall(typeof request === "string" ? bytes(request) : request);
  if (half) await client.shutdown(SHUT_WR);
  using file = client.makefile("rb");
  return text(await within(file.read()));
}

/** Returns the statuses of the answers without 100 Continue. */
const statuses = (answer: string): number[] =>
  Array.from(
    answer.matchAll(/HTTP\/1\.1 (\d{3}) /g),
    ([, status]) => +status,
  );

const GET = "GET /hello.txt HTTP/1.1\r\nHost: x\r\n\r\n";
const HELLO = "hello, world\n";

/** Requests that are wrong or odd, and the statuses of the answers. */
const REQUESTS: Record<string, [string, number[]]> = {
  "a request": [GET, [200]],
  "an empty line before it": [`\r\n${GET}`, [200]],
  "three at once": [GET + GET + GET, [200, 200, 200]],
  "HTTP/1.0 is for one request": [
    "GET /hello.txt HTTP/1.0\r\n\r\n" + GET,
    [200],
  ],
  "HTTP/1.0 that is kept": [
    "GET /hello.txt HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + GET,
    [200, 200],
  ],
  "Connection: close": [
    "GET /hello.txt HTTP/1.1\r\nHost: x\r\nConnection: x, Close\r\n\r\n" + GET,
    [200],
  ],
  "not found, and on": ["GET /no HTTP/1.1\r\nHost: x\r\n\r\n" + GET, [
    404,
    200,
  ]],
  "absolute form": ["GET http://x/hello.txt?a HTTP/1.1\r\nHost: x\r\n\r\n", [
    200,
  ]],
  "no Host": ["GET / HTTP/1.1\r\n\r\n", [400]],
  "two Hosts": ["GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", [400]],
  "an empty Host": ["GET /empty HTTP/1.1\r\nHost:\r\n\r\n", [200]],
  "an empty Host in HTTP/1.0": ["GET /empty HTTP/1.0\r\nHost: \r\n\r\n", [200]],
  ...Object.fromEntries(
    ["[::1]:80", "a.b:", "1.2.3.4:8000", "a%20b", "a_b", "[::ffff:1.2.3.4]"]
      .map((host) => [
        `the Host ${host}`,
        [`GET /empty HTTP/1.1\r\nHost: ${host}\r\n\r\n`, [200]],
      ]),
  ),
  ...Object.fromEntries(
    [
      "a b",
      "a/b",
      "a,b/",
      "user@a",
      "a:b",
      "a:80:80",
      "[::1",
      "::1",
      "[a]",
      "[:::]",
      "a%zz",
      "a?b",
      "a#b",
      '"a"',
      "<a>",
      "\xe9",
      "a\\b",
    ]
      .flatMap((host) =>
        ["1.1", "1.0"].map((version) => [
          `the wrong Host ${host} in HTTP/${version}`,
          [`GET /empty HTTP/${version}\r\nHost: ${host}\r\n\r\n`, [400]],
        ])
      ),
  ),
  "two Hosts in HTTP/1.0": ["GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", [
    400,
  ]],
  "absolute form with a user": ["GET http://a@x/ HTTP/1.1\r\nHost: x\r\n\r\n", [
    400,
  ]],
  "absolute form without a host": [
    "GET http://:80/ HTTP/1.1\r\nHost: x\r\n\r\n",
    [400],
  ],
  "absolute form with nothing but a query": [
    "GET http://x?a HTTP/1.1\r\nHost: x\r\n\r\n",
    [200],
  ],
  "a fragment": ["GET /hello.txt#a HTTP/1.1\r\nHost: x\r\n\r\n", [400]],
  "the asterisk form": ["OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", [501]],
  "the authority form": ["CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", [501]],
  "kept and closed in HTTP/1.0": [
    "GET /empty HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n" + GET,
    [200],
  ],
  "HTTP/2": ["GET / HTTP/2.0\r\nHost: x\r\n\r\n", [505]],
  "HTTP/0.9": ["GET /\r\n", [400]],
  "no method of this name": ["BREW / HTTP/1.1\r\nHost: x\r\n\r\n", [501]],
  "a method of the class's own": ["constructor / HTTP/1.1\r\nHost: x\r\n\r\n", [
    501,
  ]],
  "bare LF": ["GET / HTTP/1.1\nHost: x\n\n", [400]],
  "bare CR": ["GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n", [400]],
  "space before the colon": ["GET / HTTP/1.1\r\nHost : x\r\n\r\n", [400]],
  "a folded header": ["GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", [400]],
  "a header without a name": ["GET / HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n", [
    400,
  ]],
  "NUL in a header": ["GET / HTTP/1.1\r\nHost: x\r\nA: \0\r\n\r\n", [400]],
  "two spaces in the request line": ["GET  / HTTP/1.1\r\nHost: x\r\n\r\n", [
    400,
  ]],
  "a space in the target": ["GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", [400]],
  "a target that is none": ["GET hello.txt HTTP/1.1\r\nHost: x\r\n\r\n", [400]],
  "a wrong escape": ["GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", [400]],
  "a long target": [`GET /${"a".repeat(9000)} HTTP/1.1\r\nHost: x\r\n\r\n`, [
    414,
  ]],
  "a long header": [`GET / HTTP/1.1\r\nHost: ${"x".repeat(9000)}\r\n\r\n`, [
    431,
  ]],
  "long headers": [
    `GET / HTTP/1.1\r\n${`A: ${"x".repeat(1000)}\r\n`.repeat(9)}\r\n`,
    [431],
  ],
  "many headers": [
    `GET / HTTP/1.1\r\n${
      Array(200).keys().map((n) => `A${n}: b\r\n`).toArray().join("")
    }\r\n`,
    [431],
  ],
  "half a head": ["GET / HTTP/1.1\r\nHost: x\r\n", [400]],
  "a body": [
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc" + GET,
    [200, 200],
  ],
  "a body that nobody reads": [
    "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc" + GET,
    [200, 200],
  ],
  "half a body": [
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc",
    [400],
  ],
  "a length that is none": [
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc",
    [400],
  ],
  "two lengths": [
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    [400],
  ],
  "a list of lengths": [
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r\n\r\nabc",
    [400],
  ],
  "too long a body": [
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n",
    [413],
  ],
  "chunks": [
    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nTrailer: x\r\n\r\n" +
    GET,
    [200, 200],
  ],
  "chunks and a length": [
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    [400],
  ],
  "another coding": [
    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    [501],
  ],
  ...Object.fromEntries(
    [
      "gzip",
      "identity",
      "chunked, gzip",
      "chunked, chunked",
      "chunked;q=1",
      "xchunked",
      "",
      ",",
    ]
      .map((coding) => [
        `a coding that does not end in chunks: ${coding}`,
        [
          `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: ${coding}\r\n\r\n0\r\n\r\n`,
          [400],
        ],
      ]),
  ),
  "two codings, each with a header": [
    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    [400],
  ],
  "a chunk with zeros before its size": [
    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n00000000003\r\nabc\r\n000000000\r\n\r\n" +
    GET,
    [200, 200],
  ],
  "a bare CR in the extension of a chunk": [
    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;a\rb\r\nabc\r\n0\r\n\r\n",
    [400],
  ],
  "long extensions of many small chunks": [
    `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${
      `1;${"a".repeat(8000)}\r\na\r\n`.repeat(150)
    }`,
    [413],
  ],
  "a trailer that is none": [
    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA : b\r\n\r\n" +
    GET,
    [400],
  ],
  "chunks in HTTP/1.0": [
    "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    [400],
  ],
  "a chunk without a size": [
    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nabc\r\n",
    [400],
  ],
  "a chunk longer than it says": [
    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n0\r\n\r\n",
    [400],
  ],
  "too long a chunk": [
    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n",
    [413],
  ],
  "half a chunk": [
    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    [400],
  ],
  "no end of trailers": [
    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n",
    [400],
  ],
  "an expectation": [
    "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na",
    [100, 200],
  ],
  "an expectation that nobody meets": [
    "GET / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n" +
    GET,
    [200],
  ],
  "another expectation": [
    "GET / HTTP/1.1\r\nHost: x\r\nExpect: coffee\r\n\r\n",
    [417],
  ],
  "no bytes of that range": [
    "GET /hello.txt HTTP/1.1\r\nHost: x\r\nRange: bytes=13-\r\n\r\n" + GET,
    [416, 200],
  ],
};

site("answers each request as RFC 9112 says", async (server) => {
  for (const [name, [request, expected]] of Object.entries(REQUESTS)) {
    const answer = await ask(server, request);
    assertEquals(statuses(answer), expected, `${name}: ${answer}`);
  }
});

site("lets no path out of its directory", async (server) => {
  const ways = [
    "/../secret",
    "/%2e%2e/secret",
    "/..%2fsecret",
    "/%2e%2e%2fsecret",
    "/..%5csecret",
    "/..\\secret",
    "/sub%20dir/../../secret",
    "/sub%20dir/%2e%2e/%2e%2e/secret",
    "//../secret",
    "/./../secret",
    "/%252e%252e/secret",
    "/outside",
    "/hello.txt%00",
    "http://x/../secret",
  ];
  for (const path of ways) {
    const answer = await ask(server, `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
    assertEquals(statuses(answer), [404], path);
    assert(!answer.includes("secret"), answer);
  }
  const inside = await ask(server, "GET /inside HTTP/1.1\r\nHost: x\r\n\r\n");
  assert(inside.endsWith(`\r\n\r\n${HELLO}`), inside);
  const away = await ask(
    server,
    "GET //evil.test/.. HTTP/1.1\r\nHost: x\r\n\r\n",
  );
  assertEquals(statuses(away), [404]);
});

site("redirects a directory, lists it, or sends its index", async (server) => {
  const get = (path: string) =>
    ask(server, `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
  assertMatch(await get("/sub%20dir"), /^Location: \/sub%20dir\/\r$/m);
  assertMatch(await get("//indexed"), /^Location: \/indexed\/\r$/m);
  const list = await get("/sub%20dir/?x");
  assertStringIncludes(list, `<a href="./%3C%26%3E.txt">&lt;&amp;&gt;.txt</a>`);
  assertStringIncludes(await get("/indexed/"), "<p>index</p>");
  assertEquals(statuses(await get("/hello.txt/")), [404]);
  assertEquals(statuses(await get("/empty")), [200]);
});

site("sends ranges, and nothing that the client has", async (server) => {
  const get = (headers: string) =>
    ask(server, `GET /hello.txt HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n`);
  const body = (answer: string) => answer.split("\r\n\r\n")[1];
  for (
    const [range, expected] of [
      ["0-4", "hello"],
      ["7-", "world\n"],
      ["-6", "world\n"],
      ["-99", HELLO],
      ["5-99", ", world\n"],
    ]
  ) {
    const answer = await get(`Range: bytes=${range}`);
    assertEquals(statuses(answer)[0], 206, range);
    assertEquals(body(answer), expected, range);
  }
  for (
    const ignored of ["bytes=4-2", "bytes=0-1,3-4", "lines=1-2", "bytes=-"]
  ) {
    assertEquals(body(await get(`Range: ${ignored}`)), HELLO, ignored);
  }
  const modified = /^Last-Modified: (.*)\r$/m.exec(await get("A: b"))![1];
  assertEquals(statuses(await get(`If-Modified-Since: ${modified}`)), [304]);
  const old = "Thu, 01 Jan 1970 00:00:00 GMT";
  assertEquals(statuses(await get(`If-Modified-Since: ${old}`)), [200]);
  assertEquals(
    body(await get(`Range: bytes=0-4\r\nIf-Range: ${modified}`)),
    "hello",
  );
  assertEquals(body(await get(`Range: bytes=0-4\r\nIf-Range: ${old}`)), HELLO);
});

site("weighs the conditions as RFC 9110 does", async (server) => {
  const get = (headers: string, method = "GET") =>
    ask(
      server,
      `${method} /hello.txt HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n`,
    );
  const first = await get("A: b");
  const [, etag] = /^ETag: (".*")\r$/m.exec(first)!;
  const [, modified] = /^Last-Modified: (.*)\r$/m.exec(first)!;
  const date = new Date(modified);
  const [day, ...rest] = modified.split(/[ ,:]+/); // of "Sun, 06 Nov 1994 08:49:37 GMT"
  const [dd, month, year, hh, mm, ss] = rest;
  const time = `${hh}:${mm}:${ss}`;
  const weekday = new Intl.DateTimeFormat("en", {
    weekday: "long",
    timeZone: "UTC",
  }).format(date);
  const past = "Thu, 01 Jan 1970 00:00:00 GMT";
  const cases: [headers: string, status: number][] = [
    [`If-None-Match: ${etag}`, 304],
    [`If-None-Match: W/${etag}`, 304],
    [`If-None-Match: "a", ${etag}`, 304],
    ["If-None-Match: *", 304],
    ['If-None-Match: "a"', 200],
    // A date does not count beside an entity tag.
    [`If-None-Match: "a"\r\nIf-Modified-Since: ${modified}`, 200],
    [`If-None-Match: ${etag}\r\nIf-Modified-Since: ${past}`, 304],
    [`If-Modified-Since: ${modified}`, 304],
    [
      `If-Modified-Since: ${weekday}, ${dd}-${month}-${
        year.slice(2)
      } ${time} GMT`,
      304,
    ],
    [
      `If-Modified-Since: ${day} ${month} ${
        dd.replace(/^0/, " ")
      } ${time} ${year}`,
      304,
    ],
    ["If-Modified-Since: 2999", 200], // not a date of HTTP
    [`If-Modified-Since: ${date.toISOString()}`, 200],
    [`If-Match: ${etag}`, 200],
    ["If-Match: *", 200],
    ['If-Match: "a"', 412],
    [`If-Match: W/${etag}`, 412],
    [`If-Match: ${etag}\r\nIf-Unmodified-Since: ${past}`, 200],
    [`If-Match: "a"\r\nIf-None-Match: ${etag}`, 412],
    [`If-Unmodified-Since: ${past}`, 412],
    [`If-Unmodified-Since: ${modified}`, 200],
    ["If-Unmodified-Since: yesterday", 200],
    [`Range: bytes=0-1\r\nIf-None-Match: ${etag}`, 304],
    [`Range: bytes=0-1\r\nIf-Range: ${etag}`, 206],
    [`Range: bytes=0-1\r\nIf-Range: W/${etag}`, 200],
    [`Range: bytes=99-\r\nIf-Match: "a"`, 412],
  ];
  for (const [headers, status] of cases) {
    assertEquals(statuses(await get(headers)), [status], headers);
  }
  // A range is for GET only.
  for (const range of ["0-1", "99-"]) {
    const head = await get(`Range: bytes=${range}`, "HEAD");
    assertEquals(statuses(head), [200]);
    assertMatch(head, /^Content-Length: 13\r$/m);
  }
});

site("looks for the last slash in the path alone", async (server) => {
  const get = (path: string) =>
    ask(server, `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
  assertEquals(statuses(await get("/hello.txt?a/")), [200]);
  assertEquals(statuses(await get("/hello.txt?a/?b/")), [200]);
  assertEquals(statuses(await get("/hello.txt/?a")), [404]);
  assertMatch(await get("/indexed?a=/"), /^Location: \/indexed\/\?a=\/\r$/m);
  assertEquals(statuses(await get("/indexed/?a")), [200]);
});

/** Requests with HEAD that are answered with an error, without a body. */
const WRONG_HEADS: [head: string, status: number][] = [
  ["HEAD / HTTP/1.1\r\n\r\n", 400],
  ["HEAD / HTTP/1.1\r\nHost: a b\r\n\r\n", 400],
  ["HEAD / HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n", 400],
  ["HEAD /a b HTTP/1.1\r\n\r\n", 400],
  ["HEAD / HTTP/2.0\r\n\r\n", 505],
  ["HEAD /no HTTP/1.1\r\nHost: x\r\n\r\n", 404],
  [`HEAD /${"a".repeat(9000)} HTTP/1.1\r\n\r\n`, 414],
  [`HEAD / HTTP/1.1\r\nHost: ${"x".repeat(9000)}\r\n\r\n`, 431],
  ["HEAD / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n", 413],
  ["HEAD / HTTP/1.1\r\nHost: x\r\nExpect: coffee\r\n\r\n", 417],
];

site("gives no error of HEAD a body", async (server) => {
  for (const [head, status] of WRONG_HEADS) {
    const answer = await ask(server, head);
    assertEquals(statuses(answer), [status], head);
    assert(answer.endsWith("\r\n\r\n"), answer);
    assertMatch(answer, /^Content-Length: [1-9]/m);
  }
});

site(
  "says that it will close, when it will not read the body",
  async (server) => {
    for (
      const more of [
        "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n",
        "Content-Length: 1000000\r\n\r\n",
      ]
    ) {
      const answer = await ask(
        server,
        `GET /empty HTTP/1.1\r\nHost: x\r\n${more}`,
        false,
      );
      assertEquals(statuses(answer), [200]);
      assertMatch(answer, /^Connection: close\r$/m);
    }
    const small = await ask(
      server,
      `GET /empty HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc${GET}`,
    );
    assert(!/^Connection: close/m.test(small), small);
  },
);

site(
  "does not destroy its last answer, though more requests came behind it",
  async (server) => {
    const more = GET.repeat(20_000); // more than it reads at a time
    const last =
      "GET /big.bin HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    for (
      const first of [
        last,
        "GET /big.bin HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
      ]
    ) {
      using client = await connect(server);
      const sending = client.sendall(bytes(first + more)).catch(() => {});
      using file = client.makefile("rb");
      const answer = await within(file.read());
      await within(sending);
      const size = first.includes("big") ? BIG : 0;
      assert(answer.length > size, `${answer.length} bytes of ${first}`);
    }
  },
);

/** Sends SIGTERM, and waits until the server drains: it ends an idle connection. */
async function drain(server: Running): Promise<{ ended: Promise<number> }> {
  using idle = await connect(server);
  await idle.sendall(bytes(GET));
  using file = idle.makefile("rb");
  while ((await file.readline()).length > 2);
  await file.readexactly(HELLO.length);
  const ended = server.end("SIGTERM");
  assertEquals((await within(file.read())).length, 0);
  return { ended };
}

ending(
  "answers what is under way at SIGTERM, and says that it closes",
  async (server) => {
    using half = await connect(server);
    await half.sendall(bytes("GET /hello.txt HTTP/1.1\r\nHo"));
    using body = await connect(server);
    await body.sendall(
      bytes("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc"),
    );
    using pipelined = await connect(server);
    await pipelined.sendall(
      bytes("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc"),
    );
    const { ended } = await drain(server);
    await half.sendall(bytes("st: x\r\n\r\n"));
    await body.sendall(bytes("def"));
    await pipelined.sendall(bytes(`def${GET}`));
    for (const client of [half, body, pipelined]) {
      using file = client.makefile("rb");
      const answer = text(await within(file.read()));
      assertEquals(statuses(answer), [200], answer);
      assertMatch(answer, /^Connection: close\r$/m);
    }
    assertEquals(await within(ended), 0);
  },
);

site("gives HEAD the headers of GET", async (server) => {
  const head = await ask(
    server,
    "HEAD /hello.txt HTTP/1.1\r\nHost: x\r\n\r\n" + GET,
  );
  assertEquals(statuses(head), [200, 200]);
  assertEquals(head.match(/^Content-Length: 13\r$/gm)?.length, 2);
  assertEquals(head.split(HELLO).length, 2);
});

site(
  "answers a client that is sending too much, and does not reset it",
  async (server) => {
    const length = 50_000_000;
    using client = await connect(server);
    const head =
      `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`;
    await client.sendall(bytes(head));
    await client.sendall(new Uint8Array(500_000));
    using file = client.makefile("rb");
    assertEquals(statuses(text(await within(file.read()))), [413]);
  },
);

site("moves files and bodies with curl", async (server, directory) => {
  const url = `http://127.0.0.1:${server.port}`;
  const curl = (...args: string[]) => talk("curl", ["-sS", ...args], "");
  assertEquals(await curl(`${url}/hello.txt`), HELLO);
  const copy = `${directory}/copy`;
  await curl("-o", copy, `${url}/big.bin`);
  assertEquals(
    await Deno.readFile(copy),
    await Deno.readFile(`${directory}/big.bin`),
  );
  await curl("-o", copy, "-r", "1000000-1999999", `${url}/big.bin`);
  assertEquals(
    await Deno.readFile(copy),
    pattern(BIG).slice(1_000_000, 2_000_000),
  );
  assertEquals(await curl("-d", "abc", url), "abc");
  assertEquals(
    await curl("-H", "Transfer-Encoding: chunked", "-d", "abc", url),
    "abc",
  );
  assertEquals(
    await curl("-H", "Expect: 100-continue", "-d", "abc", url),
    "abc",
  );
  const twice = await curl(
    "-w",
    "%{num_connects}\n",
    `${url}/empty`,
    `${url}/empty`,
  );
  assertEquals(twice, "1\n0\n"); // one connection for both
  assertStringIncludes(
    await curl("-L", `${url}/sub%20dir`),
    "&lt;&amp;&gt;.txt",
  );
  const status = await curl(
    "--path-as-is",
    "-w",
    "%{http_code}",
    "-o",
    "/dev/null",
    `${url}/../secret`,
  );
  assertEquals(status, "404");
}, !have("curl"));

site("answers wrk without an error", async (server, directory) => {
  const slowly = `${directory}/../slowly.lua`; // each connection, or wrk takes all processors
  await Deno.writeTextFile(slowly, "function delay() return 20 end");
  const args = [
    ...["-s", slowly],
    "-c16",
    "-t1",
    "-d1",
    "--timeout=20",
    `http://127.0.0.1:${server.port}/hello.txt`,
  ];
  const report = await talk("wrk", args, "");
  assertMatch(report, /[1-9]\d* requests in/);
  assert(!/Socket errors|Non-2xx/.test(report), report);
}, !have("wrk"));

const PYTHON = `
import http.client, sys, urllib.request, urllib.error
port = int(sys.argv[1])
conn = http.client.HTTPConnection("127.0.0.1", port)
for _ in range(3):
    conn.request("GET", "/hello.txt")
    answer = conn.getresponse()
    print(answer.status, answer.read(), answer.getheader("content-type"))
conn.request("POST", "/", body=iter([b"some ", b"chunks"]), encode_chunked=True,
             headers={"Transfer-Encoding": "chunked"})
print(conn.getresponse().read())
conn.request("HEAD", "/big.bin")
answer = conn.getresponse()
print(answer.getheader("content-length"), answer.read())
with urllib.request.urlopen(f"http://127.0.0.1:{port}/big.bin") as answer:
    print(len(answer.read()))
try:
    urllib.request.urlopen(f"http://127.0.0.1:{port}/no")
except urllib.error.HTTPError as error:
    print(error.code)
`;

site("answers http.client and urllib of CPython", async (server) => {
  const said = await talk("python3", ["-c", PYTHON, server.port], "");
  assertEquals(said.split("\n"), [
    ...Array(3).fill(`200 b'hello, world\\n' text/plain`),
    "b'some chunks'",
    `${BIG} b''`,
    `${BIG}`,
    "404",
    "",
  ]);
}, !have("python3"));

site("answers fetch", async (server) => {
  const url = `http://127.0.0.1:${server.port}`;
  const big = await (await fetch(`${url}/big.bin`)).bytes();
  assertEquals(big, pattern(BIG) as Uint8Array<ArrayBuffer>);
  const body = ReadableStream.from([bytes("in "), bytes("pieces")]);
  const posted = await fetch(url, { method: "POST", body });
  assertEquals(await posted.text(), "in pieces");
  const missing = await fetch(`${url}/no`);
  assertEquals(missing.status, 404);
  assertEquals(await missing.text(), "Not Found\n");
});

Deno.test({
  name:
    "examples/http.ts closes a connection whose head takes too long, and a silent one",
  ignore: !mayRun,
  fn: () =>
    withSite(async (server) => {
      using drip = await connect(server);
      await drip.sendall(bytes("GET / HTTP/1.1\r\n"));
      using silent = await connect(server);
      const dripping = setInterval(() => drip.send(bytes("A: b\r\n")), 500);
      try {
        using file = drip.makefile("rb");
        const [answer, nothing, late] = await Promise.all([
          file.read(),
          silent.recv(9),
          ask(server, "HEAD / HTTP/1.1\r\n", false),
        ]);
        assertEquals(statuses(text(answer)), [408]);
        assertEquals(nothing.length, 0);
        assertEquals(statuses(late), [408]);
        assert(late.endsWith("\r\n\r\n"), late); // HEAD has no body
      } finally {
        clearInterval(dripping);
      }
    }, "2"),
});

site(
  "survives 1,000 requests with changes, and still answers",
  async (server) => {
    const corpus = Object.values(REQUESTS).map(([request]) => bytes(request))
      .filter((request) => request.length < 3000);
    const one = async (request: Uint8Array) => {
      const answer = await ask(server, request);
      for (const status of statuses(answer)) {
        assert(status < 500 || status === 501 || status === 505, answer);
      }
    };
    const lost = (error: { code?: string }) => {
      if (error.code !== "ECONNRESET" && error.code !== "EPIPE") throw error;
    };
    const property = fc.asyncProperty(
      mutated(corpus),
      (request) => one(request).catch(lost),
    );
    await fuzz("http", 1000, property);
    assertEquals(statuses(await ask(server, GET)), [200]);
  },
);
