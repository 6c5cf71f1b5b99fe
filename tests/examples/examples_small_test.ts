/** The small examples with ncat, socat, and members of the chat who misbehave. */

import fc from "fast-check";
import {
  AsyncTCPServer,
  createConnection,
  SHUT_WR,
  type Socket,
  type TextReader,
} from "../../mod.ts";
import { assert, assertEquals, assertMatch } from "../deps.ts";
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
import { parsePrometheus } from "../helpers/prometheus.ts";
import { type AnyServerClass, serving } from "../helpers/servers.ts";
import { within } from "../helpers/within.ts";
import { hear, makeProxied } from "../proxy/proxy_helpers.ts";
import { Facts } from "../testdata/proxy_handlers.ts";
import { freePort } from "../project/docs_programs.ts";

/** Defines the tests of one server of an example. */
const on = (name: string) =>
  onOneServer<[Running]>(
    `examples/${name}.ts serves its clients`,
    async (tests) => {
      await using server = await start(`examples/${name}.ts`, "127.0.0.1", "0");
      await tests(server);
      await endWell(server);
    },
  );
const connect = ({ port }: Running): Promise<Socket> =>
  createConnection(["127.0.0.1", Number(port)], { timeout: 30 });

/** Ends a server with SIGINT; it must exit with code 0 and print no error. */
async function endWell(server: Running): Promise<void> {
  assertEquals(await server.end("SIGINT"), 0);
  const stderr = await server.stderr;
  assert(!/error/i.test(stderr), stderr);
}

const DATE = /^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n$/;

const daytime = on("daytime");

daytime("tells ncat the time over TCP", async (server) => {
  const said = await talk("ncat", ["127.0.0.1", server.port], "");
  assertMatch(said, DATE);
  assert(Math.abs(Date.parse(said.trim()) - Date.now()) < 60_000);
}, !have("ncat"));

daytime("tells socat the time over UDP", async (server) => {
  const target = `UDP4:127.0.0.1:${server.port}`;
  assertMatch(await talk("socat", ["-t", "1", "-", target], "now?\n"), DATE);
}, !have("socat"));

const discard = on("discard");

discard("takes 20 MB of ncat over TCP and says nothing", async (server) => {
  const args = ["127.0.0.1", server.port];
  assertEquals(await talk("ncat", args, "x".repeat(20_000_000)), "");
}, !have("ncat"));

discard("says nothing to a datagram of socat", async (server) => {
  const target = `UDP4:127.0.0.1:${server.port}`;
  assertEquals(await talk("socat", ["-t", "0.2", "-", target], "a\n"), "");
}, !have("socat"));

const chargen = on("chargen");

chargen(
  "sends the pattern of RFC 864 to ncat, which leaves",
  async (server) => {
    const command = `ncat 127.0.0.1 ${server.port} | head -n 200`;
    const lines = (await talk("sh", ["-c", command], "")).split("\r\n");
    assertEquals(lines.length, 201);
    assertEquals(lines[0].length, 72);
    assertEquals(lines[0].slice(0, 12), " !\"#$%&'()*+");
    assertEquals(lines[1].slice(0, 12), "!\"#$%&'()*+,");
    assertEquals(lines[95], lines[0]);
    assertEquals(lines[94].slice(0, 3), "~ !");
  },
  !have("ncat"),
);

const socks5 = on("socks5");

socks5("connects curl to a server, by name and by address", async (server) => {
  const web = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    async (request) => new Response((await request.text()).toUpperCase()),
  );
  const curl = (scheme: string, port: number) => {
    const proxy = `${scheme}://127.0.0.1:${server.port}`;
    const url = `http://localhost:${port}/`;
    const options = ["-s", "-w", "%{http_code}", "--data-binary", "@-"];
    return talk("sh", [
      ...["-c", 'curl "$@" || echo " $?"', "curl"],
      ...[...options, "--noproxy", "", "--proxy", proxy, url],
    ], "x".repeat(300_000));
  };
  for (const scheme of ["socks5h", "socks5"]) {
    const answer = await curl(scheme, web.addr.port);
    assertEquals(
      answer.replaceAll(/X+/g, (all) => `${all.length} `),
      "300000 200",
    );
  }
  assertEquals(await curl("socks5h", freePort()), "000 97\n"); // the proxy said no
  await web.shutdown();
}, !have("curl"));

Deno.test({
  name:
    "examples/tcp_proxy.ts tells the server behind it the address of the client",
  ignore: !mayRun,
  async fn() {
    const backend = makeProxied(
      AsyncTCPServer as unknown as AnyServerClass,
      Facts,
    );
    await serving(backend, async () => {
      const [host, port] = backend.serverAddress;
      const script = "examples/tcp_proxy.ts";
      await using server = await start(
        script,
        "127.0.0.1",
        "0",
        host,
        `${port}`,
      );
      using client = await connect(server);
      await client.sendall(bytes("hello\n"));
      await client.shutdown(SHUT_WR);
      const { told, rest } = await within(hear(client));
      assertEquals(told.client, client.getsockname());
      assertEquals(told.header?.destination, client.getpeername());
      assertEquals(told.header?.checksum, true);
      assertEquals(rest, "hello\n");
      await endWell(server);
    });
    assertEquals(backend.failures, []);
  },
});

socks5(
  "refuses what is no CONNECT, and drops what is no SOCKS",
  async (server) => {
    using binding = await connect(server);
    await binding.sendall(
      Uint8Array.of(5, 1, 0, 5, 2, 0, 1, 127, 0, 0, 1, 0, 9),
    );
    const answer = [...await binding.recv(2), ...await binding.recv(10)];
    assertEquals(answer.slice(0, 4), [5, 0, 5, 7]);
    using stranger = await connect(server);
    await stranger.sendall(bytes("GET / HTTP/1.1\r\n\r\n"));
    await stranger.shutdown(SHUT_WR);
    const silence = stranger.recv(99).catch(() => []); // an end, or a reset
    assertEquals((await within(silence)).length, 0);
    using half = await connect(server);
    await half.sendall(Uint8Array.of(5, 1));
    await half.shutdown(SHUT_WR);
    assertEquals((await within(half.recv(99))).length, 0);
  },
);

/** A member of the chat. */
class Chatter implements Disposable {
  readonly socket: Socket;
  readonly #file: TextReader;

  private constructor(socket: Socket) {
    this.socket = socket;
    this.#file = socket.makefile("r");
  }

  /** Joins, and reads the greeting. */
  static async join(server: Running, name: string): Promise<Chatter> {
    const chatter = new Chatter(await connect(server));
    assertEquals(await chatter.hear(), "* your name?");
    await chatter.say(name);
    assertMatch(await chatter.hear(), new RegExp(`^\\* here: .*\\b${name}$`));
    return chatter;
  }

  say(line: string): Promise<void> {
    return this.socket.sendall(bytes(`${line}\n`));
  }

  async hear(): Promise<string> {
    return (await within(this.#file.readline())).trimEnd();
  }

  [Symbol.dispose](): void {
    this.#file.close();
    this.socket.close();
  }
}

const onChat = on("chat");

/** Defines a test that begins with an empty chat. */
const chat: typeof onChat = (name, fn, ignore) =>
  onChat(name, async (server) => {
    while (await joinAndLeave(server) !== "* here: nobody\n");
    await fn(server);
  }, ignore);

/** Joins the chat as "nobody", leaves it, and returns the line with the members. */
async function joinAndLeave(server: Running): Promise<string> {
  using client = await connect(server);
  using file = client.makefile("r");
  await client.sendall(bytes("nobody\n"));
  await within(file.readline()); // the question
  const here = await within(file.readline());
  await client.shutdown(SHUT_WR);
  await within(file.read());
  return here;
}

chat(
  "lets ncat and socat talk, and tells who joins and leaves",
  async (server) => {
    using watcher = await Chatter.join(server, "watcher");
    const args = ["127.0.0.1", server.port];
    const ann = await talk("ncat", args, "ann\nhello\n\x1b[2Jbeep\x07\n");
    assertMatch(ann, /^\* your name\?\n\* here: watcher ann\n/);
    const target = `TCP4:127.0.0.1:${server.port}`;
    await talk("socat", ["-t", "5", "-", target], "bob\r\nhello too\r\n\r\n");
    const heard: string[] = [];
    while (heard.length < 7) heard.push(await watcher.hear());
    assertEquals(heard, [
      "* ann joins",
      "ann: hello",
      "ann: [2Jbeep",
      "* ann leaves",
      "* bob joins",
      "bob: hello too",
      "* bob leaves",
    ]);
  },
  !have("ncat") || !have("socat"),
);

chat("refuses names, and says when a line is too long", async (server) => {
  using ann = await Chatter.join(server, "ann");
  for (const name of ["ann", "", "a b", "x".repeat(21), "\x1b"]) {
    using client = await connect(server);
    await client.sendall(bytes(`${name}\n`));
    using file = client.makefile("rb");
    const said = text(await file.read());
    assertEquals(said, "* your name?\n* that is no name, or is taken\n");
  }
  using bob = await Chatter.join(server, "bob");
  assertEquals(await ann.hear(), "* bob joins");
  await ann.say("x".repeat(1000));
  assertEquals(await ann.hear(), "* too long, 1000 bytes at most");
  await ann.say("x".repeat(999));
  assertEquals(await bob.hear(), `ann: ${"x".repeat(999)}`);
});

chat(
  "drops a member that does not read, and holds nobody up",
  async (server) => {
    using ann = await Chatter.join(server, "ann");
    using slow = await Chatter.join(server, "slow");
    using bob = await Chatter.join(server, "bob");
    assertEquals(await ann.hear(), "* slow joins");
    assertEquals(await ann.hear(), "* bob joins");
    const line = "x".repeat(990);
    let dropped = false;
    for (let count = 0; !dropped; count++) {
      assert(count < 50_000, "the slow one is still there");
      await ann.say(line);
      let heard = await bob.hear();
      if (heard === "* slow leaves") {
        [dropped, heard] = [true, await bob.hear()];
      }
      assertEquals(heard, `ann: ${line}`);
    }
    assertEquals(await ann.hear(), "* slow leaves");
    let received = 0; // held by the system; the rest was dropped
    try {
      for (let n; (n = (await slow.socket.recv(65536)).length) > 0;) {
        received += n;
      }
    } catch (error) {
      assertEquals((error as { code?: string }).code, "ECONNRESET");
    }
    assert(received > 0);
  },
);

chat(
  "survives 700 members that say anything, and still lets others talk",
  async (server) => {
    const corpus = [
      "ann\nhello\nhow are you\n",
      "bob\r\n\r\ngr\u00fc\u00dfe\r\n",
      `eve\n${"x".repeat(999)}\nbye`,
      `mallory\n${"y".repeat(5000)}\n`,
    ].map(bytes);
    const visit = async (said: Uint8Array, polite: boolean) => {
      using client = await connect(server);
      await client.sendall(said);
      if (!polite) return; // closes with unread data: a reset
      await client.shutdown(SHUT_WR);
      using file = client.makefile("rb");
      const heard = text(await within(file.read()));
      assert(heard.startsWith("* your name?\n"), heard);
    };
    const lost = (error: { code?: string }) => {
      if (error.code !== "ECONNRESET" && error.code !== "EPIPE") throw error;
    };
    await fuzz(
      "chat",
      700,
      fc.asyncProperty(
        mutated(corpus),
        fc.boolean(),
        (said, polite) => visit(said, polite).catch(lost),
      ),
    );
    using ann = await Chatter.join(server, "ann1");
    using bob = await Chatter.join(server, "bob1");
    await bob.say("still there?");
    while (await ann.hear() !== "bob1: still there?");
  },
);

chat(
  "ends with its members still there, and one that never said a name",
  async (server) => {
    using ann = await Chatter.join(server, "ann");
    using _nobody = await connect(server);
    await endWell(server);
    await within(ann.socket.recv(1));
  },
);

Deno.test({
  name: "examples/metrics.ts counts the bytes of its clients for Prometheus",
  ignore: !mayRun,
  async fn() {
    const metricsPort = freePort();
    await using server = await start(
      "examples/metrics.ts",
      ...["127.0.0.1", "0", String(metricsPort)],
    );
    using client = await connect(server);
    await client.sendall(bytes("hello\n"));
    assertEquals(text(await client.recv(100)), "hello\n");
    const response = await within(
      fetch(`http://127.0.0.1:${metricsPort}/metrics`),
    );
    const type = "text/plain; version=0.0.4; charset=utf-8";
    assertEquals(response.headers.get("content-type"), type);
    const { value } = parsePrometheus(await response.text());
    const labels = { server: `127.0.0.1:${server.port}`, transport: "tcp" };
    const io = "socketserver_io_bytes_total";
    assertEquals(value(io, { ...labels, direction: "receive" }), 6);
    assertEquals(value(io, { ...labels, direction: "transmit" }), 6);
    assertEquals(value("socketserver_requests_active", labels), 1);
    await endWell(server);
  },
});
