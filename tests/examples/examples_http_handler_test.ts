/** The handlers of examples/http with methods of a program: they wait, fail, and answer early. */

import { BaseHTTPRequestHandler } from "../../examples/http/handler.ts";
import {
  AsyncTCPServer,
  createConnection,
  SHUT_WR,
  TimeoutError,
} from "../../mod.ts";
import { assert, assertEquals, assertMatch, delay } from "../deps.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { serving } from "../helpers/servers.ts";
import { Event, until, within } from "../helpers/within.ts";
import { ServerMetrics } from "../../telemetry.ts";

/** More than the system buffers for a client that does not read. */
const MEBIBYTES = 20;

class Handler extends BaseHTTPRequestHandler {
  override timeout = 5;
  override bodyTimeout = 0.3;

  async doGET() {
    switch (this.path) {
      case "/upstream": // a timeout of the server, and not of the client
        throw new TimeoutError("the upstream is slow");
      case "/abort-signal":
        throw new DOMException("Signal timed out.", "TimeoutError");
      case "/bad-header":
        return await this.respond(200, { "X": "a\r\nb" });
      case "/long":
        return await this.respond(200, {}, this.#slowly());
      case "/held":
        return await this.respond(200, {}, this.#held());
      case "/large":
        return await this.respond(200, {}, this.#much());
      case "/late":
        await delay(500); // longer than a body may take
        return await this.respond(200, {}, "late");
      case "/broken":
        return await this.respond(200, {}, this.#breaking());
      default:
        await this.respond(200, {}, "fine");
    }
  }

  /** Ignores an error of the body, as programs do. */
  async doPOST() {
    try {
      await this.respond(200, {}, await this.body.bytes());
    } catch {
      await this.respond(500, {}, "sorry");
    }
  }

  async doPATCH() {
    await this.respond(200, {}, await this.body.bytes());
  }

  /** Answers before it reads. */
  async doPUT() {
    const { body } = this;
    await this.respond(200, {}, body);
  }

  async *#slowly() {
    for (let i = 0; i < 5; i++) {
      yield bytes("x");
      await this.wfile.flush();
      await delay(100); // all pieces together take longer than a body may
    }
  }

  /** Continues when the server closes. */
  async *#held() {
    yield bytes("x");
    await this.wfile.flush();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.signal.addEventListener("abort", () => resolve());
    await promise;
    yield bytes("x");
  }

  async *#much() {
    const piece = new Uint8Array(1 << 20);
    for (let i = 0; i < MEBIBYTES; i++) yield await Promise.resolve(piece);
  }

  async *#breaking() {
    yield bytes("x".repeat(100_000));
    await Promise.resolve();
    throw new Error("half way");
  }
}

class Server extends AsyncTCPServer {
  readonly errors: unknown[] = [];
  readonly reported = new Event();
  override handleError(_request: unknown, _client: unknown, error: unknown) {
    this.errors.push(error);
    this.reported.set();
  }
}

/** Sends each piece once the one before was read, and returns the whole answer. */
async function ask(
  server: Server,
  pieces: string[],
  half = true,
): Promise<string> {
  using client = await createConnection(server.serverAddress, { timeout: 30 });
  for (const piece of pieces) {
    await client.sendall(bytes(piece));
  }
  if (half) await client.shutdown(SHUT_WR);
  using file = client.makefile("rb");
  return text(await within(file.read()));
}

const statuses = (answer: string): number[] =>
  Array.from(answer.matchAll(/HTTP\/1\.1 (\d{3}) /g), ([, code]) => +code);

function http(name: string, use: (server: Server) => Promise<void>) {
  Deno.test(`BaseHTTPRequestHandler ${name}`, () => {
    const server = new Server(["127.0.0.1", 0], Handler);
    return serving(server, use);
  });
}

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
const post = (headers: string, method = "POST") =>
  `${method} / HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n`;

/** Bodies with an error, which the method answers with 500. */
const BROKEN: [name: string, request: string][] = [
  ["takes too long", post("Content-Length: 100") + "abc"],
  ["in chunks takes too long", post("Transfer-Encoding: chunked") + "3\r\na"],
  ["has a wrong chunk", post("Transfer-Encoding: chunked") + "x\r\n0\r\n\r\n"],
  [
    "has a chunk that is too long",
    post("Transfer-Encoding: chunked") + "fffffff\r\n0\r\n\r\n",
  ],
  ["has a wrong end", post("Transfer-Encoding: chunked") + "1\r\nabc\r\n"],
];

for (const [name, request] of BROKEN) {
  http(
    `does not read on after a body that ${name}, and says so`,
    async (server) => {
      using client = await createConnection(server.serverAddress, {
        timeout: 30,
      });
      await client.sendall(bytes(request));
      using file = client.makefile("rb");
      const head = text(await within(file.readuntil(bytes("\r\n\r\n"))));
      // The rest is no body and no request.
      await client.sendall(bytes(`0\r\n\r\n${get("/")}`));
      const rest = text(await within(file.read()));
      assertEquals(statuses(head + rest), [500]);
      assertMatch(head, /^Connection: close\r$/m);
      assertEquals(rest, "sorry");
      assertEquals(server.errors, []);
    },
  );
}

http(
  "answers 408 to a body that takes too long, and no more",
  async (server) => {
    const answer = await ask(server, [
      post("Content-Length: 100", "PATCH") + "abc",
    ], false);
    assertEquals(statuses(answer), [408]);
  },
);

for (const path of ["/upstream", "/abort-signal", "/bad-header"]) {
  http(
    `answers 500 to ${path}, whole, though more came behind it`,
    async (server) => {
      const answer = await ask(server, [get(path) + get("/").repeat(20_000)]);
      assertEquals(statuses(answer), [500]);
      assert(answer.endsWith("\r\n\r\nInternal Server Error\n"), answer);
      await server.reported.wait();
      assertEquals(server.errors.length, 1);
    },
  );
}

http("lets an answer take longer than a body may", async (server) => {
  const answer = await ask(server, [get("/long") + get("/late") + get("/")]);
  assertEquals(statuses(answer), [200, 200, 200]);
  assert(answer.includes("0\r\n\r\nHTTP/1.1"), answer);
});

http("cuts off an answer that breaks", async (server) => {
  const answer = await ask(server, [get("/broken")]).catch(String);
  assert(!answer.endsWith("0\r\n\r\n"), answer);
  await server.reported.wait();
  assertEquals(server.errors.map(String), ["Error: half way"]);
});

http("says 100 before an answer, and never in it", async (server) => {
  const expecting = "Expect: 100-continue\r\nContent-Length: 3";
  assertEquals(
    statuses(await ask(server, [`${post(expecting)}abc`])),
    [100, 200],
  );
  const early = await ask(server, [`${post(expecting, "PUT")}abc`]);
  assertEquals(statuses(early), [200]);
  assert(early.endsWith("3\r\nabc\r\n0\r\n\r\n"), early);
});

http(
  "ends a connection whose answer had begun when the server closes",
  async (server) => {
    using client = await createConnection(server.serverAddress, {
      timeout: 30,
    });
    await client.sendall(bytes(get("/held")));
    using file = client.makefile("rb");
    const begun = text(await within(file.readuntil("x")));
    assertEquals(statuses(begun), [200]);
    assertEquals(/^Connection:/m.test(begun), false);
    const closing = server.serverClose({ timeout: 3 }); // less than it waits for a request
    const rest = text(await within(file.read()));
    assert(rest.endsWith("0\r\n\r\n"), rest);
    assertEquals((await within(closing)).forced, 0);
  },
);

http(
  "lets a client take longer for an answer than for a body",
  async (server) => {
    using client = await createConnection(server.serverAddress, {
      timeout: 30,
    });
    await client.sendall(bytes(get("/large")));
    await delay(600); // twice as long as a body may take
    await client.shutdown(SHUT_WR);
    using file = client.makefile("rb");
    const answer = await within(file.read());
    assert(answer.length > MEBIBYTES << 20, `${answer.length}`);
    assertEquals(server.errors, []);
  },
);

http(
  "gives no error of HEAD a body, if it comes in pieces too",
  async (server) => {
    using client = await createConnection(server.serverAddress, {
      timeout: 30,
    });
    using metrics = new ServerMetrics(server);
    await client.sendall(bytes("HE"));
    const received = /^socketserver_io_bytes_total.*"receive".* 2$/m;
    await until(() => received.test(metrics.prometheus())); // apart
    await client.sendall(bytes("AD / HTTP/1.1\r\n\r\n"));
    using file = client.makefile("rb");
    const answer = text(await within(file.read()));
    assertEquals(statuses(answer), [400]);
    assert(answer.endsWith("\r\n\r\n"), answer);
  },
);

http("takes no part of a body for a request", async (server) => {
  const hidden = get("/").repeat(5000); // more than it drops
  const chunk = `${hidden.length.toString(16)}\r\n${hidden}\r\n`;
  const answer = await ask(server, [
    `GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${
      chunk.repeat(3)
    }0\r\n\r\n${get("/")}`,
  ]);
  assertEquals(statuses(answer), [200]);
});
