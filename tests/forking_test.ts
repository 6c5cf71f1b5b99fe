import { once } from "node:events";
import { connect } from "node:net";
import {
  BUSY_CHILDREN_MAX,
  ConcurrencyLimit,
} from "../internal/children/concurrency_limit.ts";
import {
  AF_INET,
  AF_UNIX,
  ConnectionResetError,
  ForkingTCPServer,
  type InetAddress,
  MSG_PEEK,
  OSError,
  SHUT_WR,
  SOCK_DGRAM,
  Socket,
} from "../mod.ts";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  delay,
} from "./deps.ts";
import {
  all,
  CONFIG,
  decode,
  dial,
  encode,
  fakeJob,
  fakeMember,
  LineClient,
  MAY_UNIX,
  serving,
  TCP,
  UDP,
  UnixDatagram,
  UnixStream,
} from "./forking_helpers.ts";
import {
  Asks,
  AsksDatagram,
  Bulk,
  unexported,
} from "./testdata/forking_handlers.ts";
import {
  Echo,
  HalfClose,
  ThrowInFinish,
  ThrowInHandle,
  ThrowInSetup,
  Upload,
} from "./testdata/handlers.ts";
import { mayFork, unstableNet } from "./helpers/allowed.ts";
import { boundedCommand, within } from "./helpers/within.ts";

const LOCAL: InetAddress = ["127.0.0.1", 0];
const ignore = !mayFork;

Deno.test({
  name:
    "ForkingTCPServer at maxConnections leaves the rest to the system's backlog",
  ignore,
  async fn() {
    const options = { maxConnections: 1, requestQueueSize: 1, maxChildren: 1 };
    await using server = new TCP(LOCAL, Asks, options);
    await using _ = serving(server);
    const clients = [];
    for (let i = 0; i < 4; i++) { // with more, the system would let them wait for a second to connect
      const client = await LineClient.connect(server.serverAddress);
      clients.push(client);
      await clients[0].ask("x");
    }
    for (const client of clients) {
      assertStrictEquals(await client.ask("turn"), "TURN");
      assertStrictEquals(server.status.active, 1);
      client.close();
    }
    assertStrictEquals(server.status.accepted, 4);
  },
});

/** Connects, and is gone: with a reset, and before anybody accepts. */
async function connectAndReset([, port]: InetAddress): Promise<void> {
  const socket = connect(port as number, "127.0.0.1");
  await once(socket, "connect");
  socket.resetAndDestroy();
  await once(socket, "close");
}

Deno.test({
  name: "ForkingTCPServer skips a client that is gone before it is accepted",
  ignore,
  async fn() {
    await using server = new TCP(LOCAL, Asks);
    await connectAndReset(server.serverAddress);
    await server.handleRequest();
    assertEquals(server.status.transientErrors, 1);
    assertEquals(server.status.accepted, 0);
  },
});

Deno.test({
  name: "ForkingTCPServer runs handlers in a child, with the real connection",
  ignore,
  async fn() {
    await using server = new TCP(LOCAL, Asks);
    await using _ = serving(server);
    assertStrictEquals(server.activeChildren, null);
    using client = await LineClient.connect(server.serverAddress);
    const pid = Number(await client.ask("pid"));
    assert(pid !== Deno.pid);
    assertEquals([...server.activeChildren!], [pid]);
    const me = client.socket.getsockname();
    assertEquals(JSON.parse(await client.ask("names")), [
      me,
      me,
      server.serverAddress,
    ]);
    assertStrictEquals(await client.ask("main"), "false");
  },
});

Deno.test({
  name: "ForkingMixIn tells handlers the options that childOptions names only",
  ignore,
  async fn() {
    const options = {
      maxChildren: 1,
      databasePassword: "hidden",
      key: "a private key",
      greeting: { text: "hello", to: ["all"] },
      childEnv: { A: "1" },
      timeout: null,
    };
    const told = async (server: TCP) => {
      await using _ = serving(server);
      using client = await LineClient.connect(server.serverAddress);
      return JSON.parse(await client.ask("server"));
    };
    await using none = new TCP(LOCAL, Asks, options);
    assertEquals(await told(none), {
      serverAddress: none.serverAddress,
      options: {},
    });
    const childOptions = ["greeting", "timeout", "toString", "left out"];
    await using some = new TCP(LOCAL, Asks, { ...options, childOptions });
    assertEquals((await told(some)).options, {
      greeting: options.greeting,
      timeout: null,
    });
    class Telling extends TCP {
      static override childOptions = ["maxChildren"];
    }
    await using own = new Telling(LOCAL, Asks, options);
    assertEquals((await told(own)).options, { maxChildren: 1 });
  },
});

Deno.test({
  name:
    "ForkingTCPServer binds at once, and a taken port fails in the constructor",
  ignore,
  async fn() {
    await using server = new TCP(LOCAL, Echo);
    const [, port] = server.serverAddress as [string, number];
    assert(port > 0);
    const taken = assertThrows(
      () => new TCP(["127.0.0.1", port], Echo),
      OSError,
    );
    assertStrictEquals(taken.code, "EADDRINUSE");
    const away = assertThrows(() => new TCP(["192.0.2.1", 0], Echo), OSError);
    assertStrictEquals(away.code, "EADDRNOTAVAIL");
    await server.serverClose();
    await using again = new TCP(["127.0.0.1", port], Echo);
    assertStrictEquals((again.serverAddress as [string, number])[1], port);
    await using named = new TCP(["localhost", 0], Echo);
    assertStrictEquals(named.serverAddress[0], "127.0.0.1");
  },
});

Deno.test({
  name: "ForkingTCPServer echoes many connections at once",
  ignore,
  async fn() {
    await using server = new TCP(LOCAL, Echo, { maxChildren: 2 });
    await using _ = serving(server);
    await Promise.all(Array.from({ length: 32 }, async (_, i) => {
      using socket = await dial(server.serverAddress);
      for (let round = 0; round < 5; round++) {
        await socket.sendall(encode(`${i} ${round}`));
        assertStrictEquals(decode(await socket.recv(100)), `${i} ${round}`);
      }
      await socket.shutdown(SHUT_WR);
      assertStrictEquals((await socket.recv(1)).length, 0);
    }));
    assertStrictEquals(server.activeChildren!.size, 2);
    assertStrictEquals(server.reports.left, 0);
    assertStrictEquals(server.status.accepted, 32);
  },
});

const DATA = new Uint8Array(3_000_000).map((_, i) => i * 7);

async function uploadAnswer(): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", DATA);
  return `${DATA.length} ${new Uint8Array(digest).toHex()}\n`;
}

async function checkUpload(server: TCP | UnixStream) {
  using socket = await dial(server.serverAddress);
  await socket.sendall(DATA);
  await socket.shutdown(SHUT_WR);
  assertStrictEquals(decode(await all(socket)), await uploadAnswer());
}

Deno.test({
  name: "ForkingTCPServer takes an upload, and a half-close of either side",
  ignore,
  async fn() {
    await using server = new TCP(LOCAL, Upload);
    await using _ = serving(server);
    await checkUpload(server);
    await using half = new TCP(LOCAL, HalfClose);
    await using _half = serving(half);
    using socket = await dial(half.serverAddress);
    assertStrictEquals(decode(await all(socket)), "bye\n");
    await socket.sendall(encode("12345"));
    await socket.shutdown(SHUT_WR);
    const { error } = await half.reports.next();
    assertStrictEquals(error.message, "read 5 after its end");
  },
});

Deno.test({
  name: "ForkingTCPServer sends all that nobody awaited to a slow reader",
  ignore,
  async fn() {
    await using server = new TCP(LOCAL, Bulk);
    await using _ = serving(server);
    using socket = await dial(server.serverAddress);
    let length = 0;
    for (;;) {
      const data = await socket.recv(20_000);
      if (data.length === 0) break;
      assertStrictEquals(data[0], Math.floor(length / 65536));
      length += data.length;
    }
    assertStrictEquals(length, 128 * 65536);
  },
});

Deno.test({
  name:
    "ForkingMixIn reports what setup, handle and finish throw, with class, stack and cause",
  ignore,
  async fn() {
    await using setup = new TCP(LOCAL, ThrowInSetup);
    await using _1 = serving(setup);
    using first = await dial(setup.serverAddress);
    assertStrictEquals(decode(await all(first)), "setup ");
    const report = await setup.reports.next();
    assertInstanceOf(report.error, TypeError);
    assertStrictEquals(report.error.message, "setup failed");
    assertStringIncludes(report.error.stack!, "handlers.ts");
    assertEquals(report.address, first.getsockname());

    await using handle = new TCP(LOCAL, ThrowInHandle);
    await using _2 = serving(handle);
    using second = await dial(handle.serverAddress);
    assertStrictEquals(decode(await all(second)), "setup handle finish");
    const { error } = await handle.reports.next();
    assertInstanceOf(error, ConnectionResetError);
    assertStrictEquals(error.code, "ECONNRESET");
    assertStrictEquals(error.name, "ConnectionResetError");
    assertInstanceOf(error.cause, TypeError);
    assertStrictEquals((error.cause as Error).message, "the cause");

    await using finish = new TCP(LOCAL, ThrowInFinish);
    await using _3 = serving(finish);
    using third = await dial(finish.serverAddress);
    assertStrictEquals(decode(await all(third)), "setup handle finish");
    assertInstanceOf((await finish.reports.next()).error, SyntaxError);
  },
});

Deno.test({
  name: "ForkingMixIn: requestsPerChild 1 is a fresh process for each request",
  ignore,
  async fn() {
    await using server = new TCP(LOCAL, Asks, {
      requestsPerChild: 1,
      maxChildren: 2,
    });
    await using _ = serving(server);
    const pids = await Promise.all(Array.from({ length: 5 }, async () => {
      using client = await LineClient.connect(server.serverAddress);
      return await client.ask("pid");
    }));
    assertStrictEquals(new Set(pids).size, 5);
  },
});

Deno.test({
  name: "ForkingMixIn gives a request to the idle child, else to a new one",
  ignore,
  async fn() {
    await using server = new TCP(LOCAL, Asks, { maxChildren: 2 });
    await using _ = serving(server);
    using a = await LineClient.connect(server.serverAddress);
    const first = await a.ask("pid");
    using b = await LineClient.connect(server.serverAddress);
    const second = await b.ask("pid");
    assert(first !== second);
    using c = await LineClient.connect(server.serverAddress);
    assert([first, second].includes(await c.ask("pid")));
    assertStrictEquals(server.activeChildren!.size, 2);
  },
});

Deno.test({
  name: "ForkingMixIn: serverClose() drains, counts, and ends all children",
  ignore,
  async fn() {
    const server = new TCP(LOCAL, Asks, { maxChildren: 2 });
    const served = server.serveForever();
    using a = await LineClient.connect(server.serverAddress);
    using b = await LineClient.connect(server.serverAddress);
    await a.ask("x");
    await b.ask("x");
    await a.send("drain");
    const closing = server.serverClose({ timeout: 1 });
    assertStrictEquals(await a.line(), "aborted");
    a.close();
    assertEquals(await closing, { idle: 0, finished: 1, forced: 1 });
    assertStrictEquals(await b.line(), "");
    assertStrictEquals(server.activeChildren!.size, 0);
    assertStrictEquals(server.reports.left, 0);
    await served;
    assertEquals(await server.serverClose(), {
      idle: 0,
      finished: 0,
      forced: 0,
    });
  },
});

Deno.test({
  name:
    "ForkingMixIn: blockOnClose false leaves the children to end by themselves",
  ignore,
  async fn() {
    const server = new TCP(LOCAL, Asks, { blockOnClose: false });
    const served = server.serveForever();
    using client = await LineClient.connect(server.serverAddress);
    await client.ask("x");
    assertEquals(await server.serverClose(), {
      idle: 0,
      finished: 0,
      forced: 0,
    });
    assertStrictEquals(await client.ask("still here"), "STILL");
    client.close();
    await server.collectChildren({ blocking: true });
    assertStrictEquals(server.activeChildren!.size, 0);
    await served;
  },
});

Deno.test({
  name:
    "ForkingMixIn calls collectChildren() from handleTimeout() and serviceActions()",
  ignore,
  async fn() {
    let calls = 0;
    class Counting extends TCP {
      override collectChildren(options = {}): Promise<void> {
        calls++;
        return super.collectChildren(options);
      }
    }
    await using server = new Counting(LOCAL, Asks, { timeout: 0.01 });
    await server.handleRequest();
    assertStrictEquals(calls, 1);
    const served = server.serveForever({ pollInterval: 0.001 });
    using client = await LineClient.connect(server.serverAddress);
    await client.ask("x");
    assertStrictEquals(calls, 2); // after the request; no timer ticks
    await server.shutdown();
    await served;
  },
});

Deno.test({
  name:
    "ForkingTCPServer relays a request whose first bytes verifyRequest has read",
  ignore,
  async fn() {
    class Peeking extends TCP {
      override async verifyRequest(request: Socket): Promise<boolean> {
        return decode(await request.recv(1, MSG_PEEK)) !== "!";
      }
    }
    await using server = new Peeking(LOCAL, Asks);
    await using _ = serving(server);
    using client = await LineClient.connect(server.serverAddress);
    assertStrictEquals(await client.ask("hello"), "HELLO");
    const [address, peer] = JSON.parse(await client.ask("names"));
    assertEquals(address, client.socket.getsockname());
    assertEquals(peer, client.socket.getsockname());
    await using upload = new Peeking(LOCAL, Upload);
    await using _upload = serving(upload);
    await checkUpload(upload);
    await using bulk = new Peeking(LOCAL, Bulk);
    await using _bulk = serving(bulk);
    using slow = await dial(bulk.serverAddress);
    await slow.sendall(encode("x"));
    assertStrictEquals((await all(slow)).length, 128 * 65536);
    using refused = await dial(server.serverAddress);
    await refused.sendall(encode("!"));
    await assertEnd(refused);
  },
});

/** The end of the stream, or a reset. */
async function assertEnd(socket: Socket): Promise<void> {
  try {
    assertStrictEquals((await socket.recv(100)).length, 0);
  } catch (error) {
    assertInstanceOf(error, ConnectionResetError);
  }
}

Deno.test({
  name:
    "ForkingTCPServer mixes relayed connections and connections that are handed over",
  ignore,
  async fn() {
    let count = 0;
    class Mixed extends TCP {
      override async verifyRequest(request: Socket): Promise<boolean> {
        if (count++ % 2 === 0) await request.recv(1, MSG_PEEK);
        return true;
      }
    }
    await using server = new Mixed(LOCAL, Echo, { maxChildren: 1 });
    await using _ = serving(server);
    await Promise.all(Array.from({ length: 30 }, async (_, i) => {
      using socket = await dial(server.serverAddress);
      for (let round = 0; round < 10; round++) {
        await socket.sendall(encode(`${i} ${round}`));
        assertStrictEquals(decode(await socket.recv(100)), `${i} ${round}`);
      }
    }));
    assertStrictEquals(server.reports.left, 0);
  },
});

Deno.test({
  name: "ForkingUDPServer answers from its own address",
  ignore,
  async fn() {
    await using server = new UDP(LOCAL, AsksDatagram);
    await using _ = serving(server);
    const client = new Socket(AF_INET, SOCK_DGRAM);
    client.bind(LOCAL);
    await checkDatagrams(server, client);
  },
});

async function checkDatagrams(server: UDP | UnixDatagram, client: Socket) {
  using _ = client;
  client.settimeout(20);
  const ask = async (text: string) => {
    await client.sendto(encode(text), server.serverAddress);
    const [data, from] = await client.recvfrom(1000);
    assertEquals(from, server.serverAddress);
    return decode(data);
  };
  assertStrictEquals(await ask("hello"), "HELLO");
  const pid = Number(await ask("pid"));
  assert(server.activeChildren!.has(pid));
  await client.sendto(encode("throw"), server.serverAddress);
  const thrown = await server.reports.next();
  assertStrictEquals(thrown.error.message, "datagram failed");
  assertEquals(thrown.address, client.getsockname());
  await client.sendto(encode("receive"), server.serverAddress);
  assertStrictEquals((await server.reports.next()).error.code, "EOPNOTSUPP");
  assertStrictEquals(await ask("twice"), "once");
  assertStrictEquals(decode(await client.recv(100)), "TWICE");
  await client.sendto(encode("die"), server.serverAddress);
  const died = await server.reports.next();
  assertStringIncludes(died.error.message, "exit code 3");
  assertStrictEquals(await ask("again"), "AGAIN");
}

Deno.test({
  name:
    "ForkingUnixStreamServer hands the connection over, and removes its path",
  ignore: !MAY_UNIX,
  async fn() {
    const dir = await Deno.makeTempDir();
    const path = `${dir}/stream`;
    await using server = new UnixStream(path, Asks);
    await using _ = serving(server);
    const taken = assertThrows(() => new UnixStream(path, Asks), OSError);
    assertStrictEquals(taken.code, "EADDRINUSE");
    using client = await LineClient.connect(path);
    assertEquals(JSON.parse(await client.ask("names")), ["", "", path]);
    await using upload = new UnixStream(`${dir}/upload`, Upload);
    await using _upload = serving(upload);
    await checkUpload(upload);
    client.close();
    await server.serverClose();
    await assertRejects(() => Deno.stat(path), Deno.errors.NotFound);
    await Deno.remove(dir, { recursive: true });
  },
});

Deno.test({
  name: "ForkingUnixStreamServer gets a name of its own where it has none",
  ignore: !MAY_UNIX || Deno.build.os !== "linux",
  async fn() {
    const { getRandomValues } = crypto;
    await using server = new UnixStream("", Asks);
    await using _ = serving(server);
    const name = server.serverAddress as string;
    assert(/^\0[0-9a-f]{5}$/.test(name), JSON.stringify(name));
    using client = await LineClient.connect(name);
    assertEquals(JSON.parse(await client.ask("names")), ["", "", name]);
    const taken = parseInt(name.slice(1), 16);
    const numbers = [taken, taken, taken ^ 1];
    crypto.getRandomValues = (array) =>
      Object.assign(array!, [numbers.shift()]);
    try {
      await using other = new UnixStream("", Asks);
      assertStrictEquals(
        other.serverAddress,
        `\0${(taken ^ 1).toString(16).padStart(5, "0")}`,
      );
      crypto.getRandomValues = (array) => Object.assign(array!, [taken]);
      const full = assertThrows(() => new UnixStream("", Asks), OSError);
      assertStrictEquals(full.code, "EADDRINUSE");
    } finally {
      crypto.getRandomValues = getRandomValues;
    }
  },
});

const WATCHED = `
import { ForkingUnixStreamServer } from ${
  JSON.stringify(new URL("../mod.ts", import.meta.url).href)
};
import { Echo } from ${
  JSON.stringify(new URL("./testdata/handlers.ts", import.meta.url).href)
};
const server = new ForkingUnixStreamServer(Deno.args[0], Echo);
console.log("listens");
await server.serveForever();
`;

Deno.test({
  name: "ForkingUnixStreamServer takes its path along when --watch begins anew",
  ignore: !MAY_UNIX,
  async fn() {
    const dir = await Deno.makeTempDir();
    const program = `${dir}/program.ts`;
    await Deno.writeTextFile(program, WATCHED);
    const args = ["run", "--watch", "-A", CONFIG, program, `${dir}/socket`];
    const child = boundedCommand(Deno.execPath(), {
      args,
      stdout: "piped",
      stderr: "null",
    }).spawn();
    try {
      const lines = child.stdout.pipeThrough(new TextDecoderStream())
        .getReader();
      assertStrictEquals((await within(lines.read())).value, "listens\n");
      const changes = setInterval(() => { // again, for Deno may not watch yet
        Deno.writeTextFileSync(program, `${WATCHED}// again\n`);
      }, 500);
      const again = within(lines.read()).finally(() => clearInterval(changes));
      assertStrictEquals((await again).value, "listens\n");
      await lines.cancel();
    } finally {
      child.kill("SIGKILL");
      await child.status;
      await Deno.remove(dir, { recursive: true });
    }
  },
});

Deno.test({
  name: "ForkingUnixDatagramServer answers from its own path",
  ignore: !MAY_UNIX || !unstableNet,
  async fn() {
    const dir = await Deno.makeTempDir();
    await using server = new UnixDatagram(`${dir}/server`, AsksDatagram);
    await using _ = serving(server);
    const client = new Socket(AF_UNIX, SOCK_DGRAM);
    client.bind(`${dir}/client`);
    await checkDatagrams(server, client);
    await server.serverClose();
    await Deno.remove(dir, { recursive: true });
  },
});

Deno.test({
  name:
    "ForkingMixIn: requests that were quick do not hold up those that are not",
  ignore,
  async fn() {
    await using server = new TCP(LOCAL, Asks);
    await using _ = serving(server);
    for (let i = 0; i < 50; i++) {
      using client = await LineClient.connect(server.serverAddress);
      await client.ask("x");
    }
    const clients = [];
    const pids = new Set<string>();
    for (let i = 0; i < 2 * navigator.hardwareConcurrency + 2; i++) {
      const client = await LineClient.connect(server.serverAddress);
      clients.push(client);
      pids.add(await client.ask("pid"));
    }
    assertStrictEquals(pids.size, clients.length);
    for (const client of clients) client.close();
  },
});

Deno.test({
  name: "ForkingTCPServer relays where node:net cannot bind at once",
  ignore,
  async fn() {
    const net = globalThis.process.getBuiltinModule("node:net") as {
      _createServerHandle?: unknown;
    };
    const { _createServerHandle } = net;
    net._createServerHandle = undefined;
    try {
      await using server = new TCP(LOCAL, Asks);
      await using _ = serving(server);
      using client = await LineClient.connect(server.serverAddress);
      assertEquals(await client.ask("x"), "X");
      assert(Number(await client.ask("pid")) !== Deno.pid);
      assertEquals(server.activeChildren!.size, 1);
    } finally {
      net._createServerHandle = _createServerHandle;
    }
  },
});

Deno.test("ConcurrencyLimit says after quick requests that a few children are enough", () => {
  const limit = new ConcurrencyLimit();
  assertStrictEquals(limit.isReached(BUSY_CHILDREN_MAX), false); // nobody knows yet
  limit.record(5);
  assertStrictEquals(limit.isReached(BUSY_CHILDREN_MAX), true);
  assertStrictEquals(limit.isReached(BUSY_CHILDREN_MAX - 1), false);
  for (let i = 0; i < 10; i++) limit.record(40);
  assertStrictEquals(limit.isReached(BUSY_CHILDREN_MAX), false);
  for (let i = 0; i < 12; i++) limit.record(i % 4 === 0 ? 5 : 12); // some quick ones are enough
  assertStrictEquals(limit.isReached(BUSY_CHILDREN_MAX), true);
});

Deno.test("PoolChild that ends one of its requests is seen to get on", () => {
  const { child, poolChild } = fakeMember();
  for (let i = 0; i < 2; i++) poolChild.run(fakeJob());
  const begun = poolChild.lastProgress;
  const now = performance.now();
  child.say({ type: "done", ids: [1], ms: 1 });
  assert(begun <= now && poolChild.lastProgress >= now);
});

Deno.test({
  name: "ForkingMixIn: a higher maxChildren is for requests that wait, too",
  ignore,
  async fn() {
    const options = { maxChildren: 1, requestsPerChild: 1 };
    await using server = new TCP(LOCAL, Asks, options);
    await using _ = serving(server);
    using first = await LineClient.connect(server.serverAddress);
    await first.ask("x");
    using second = await LineClient.connect(server.serverAddress);
    while (server.status.active < 2) await delay(1);
    server.maxChildren = 2;
    assertStrictEquals(await second.ask("served"), "SERVED");
  },
});

Deno.test({
  name: "ForkingMixIn rejects a handler that is none, and names it",
  ignore,
  fn() {
    for (const Handler of [undefined, null, {}, class {}]) {
      assertThrows(
        () => new TCP(LOCAL, Handler as unknown as typeof Echo),
        TypeError,
        `must be a class with a handle method, got ${Deno.inspect(Handler)}`,
      );
    }
  },
});

Deno.test({
  name: "ForkingMixIn rejects a handler that cannot be found again",
  ignore,
  async fn() {
    class Local extends Echo {}
    const error = assertThrows(() => new TCP(LOCAL, Local), TypeError);
    assertStringIncludes(
      error.message,
      "static readonly moduleUrl = import.meta.url",
    );
    for (
      const [name, advice] of [
        ["Hidden", `write "export class Hidden"`],
        ["Renamed", `static readonly exportName = "Other"`],
      ] as const
    ) {
      await using server: TCP = new TCP(LOCAL, unexported[name]);
      await using _ = serving(server);
      using socket = await dial(server.serverAddress);
      await assertEnd(socket);
      const { error } = await server.reports.next();
      assertInstanceOf(error, TypeError);
      assertStringIncludes(error.message, advice);
    }
    await using server = new TCP(LOCAL, unexported.Named);
    await using _ = serving(server);
    using socket = await dial(server.serverAddress);
    await socket.sendall(encode("found"));
    assertStrictEquals(decode(await socket.recv(100)), "found");
  },
});

Deno.test({
  name: "ForkingMixIn refuses cleanly when the module cannot be loaded",
  ignore,
  async fn() {
    class Lost extends Echo {
      static override readonly moduleUrl =
        new URL("./testdata/no_such_module.ts", import.meta.url).href;
    }
    class Broken extends Echo {
      static override readonly moduleUrl = "data:text/javascript,let let = 1";
    }
    class Throwing extends Echo {
      static override readonly moduleUrl =
        "data:text/javascript,throw new RangeError('while loading')";
    }
    for (
      const [Handler, text] of [
        [Lost, "no_such_module.ts"],
        [Broken, "let"],
        [Throwing, "while loading"],
      ] as const
    ) {
      await using server = new TCP(LOCAL, Handler);
      await using _ = serving(server);
      for (let i = 0; i < 3; i++) {
        using socket = await dial(server.serverAddress);
        await assertEnd(socket);
        const { error } = await server.reports.next();
        assertStringIncludes(error.message, text);
      }
    }
  },
});

Deno.test({
  name: "ForkingMixIn gives children a small young generation, and childFlags",
  ignore,
  async fn() {
    for (
      const [flags, limit] of [
        ["--max-old-space-size=64", 64 + 3 * 8],
        ["--max-old-space-size=64,--max-semi-space-size=16", 64 + 3 * 16],
      ]
    ) {
      const options = { childFlags: [`--v8-flags=${flags}`] };
      await using server = new TCP(LOCAL, Asks, options);
      await using _ = serving(server);
      using client = await LineClient.connect(server.serverAddress);
      assertStrictEquals(Number(await client.ask("heap")), limit);
    }
  },
});

Deno.test({
  name: "ForkingMixIn checks its options",
  ignore,
  fn() {
    const make = (options: object) => () =>
      new ForkingTCPServer(LOCAL, Echo, options);
    assertThrows(make({ maxChildren: 0 }), RangeError, "maxChildren");
    assertThrows(
      make({ requestsPerChild: 1.5 }),
      RangeError,
      "requestsPerChild",
    );
    assertThrows(make({ childTimeout: 0 }), RangeError, "childTimeout");
    assertThrows(make({ childEnv: { A: 1 } }), TypeError, "childEnv");
    for (const names of ["timeout", [1], null, {}]) {
      assertThrows(
        make({ childOptions: names ?? {} }),
        TypeError,
        "childOptions",
      );
    }
    for (const value of [() => {}, Symbol(), new Map(), [new Date()]]) {
      const options = { secret: value, childOptions: ["secret"] };
      assertThrows(make(options), TypeError, "the option secret");
    }
    for (const flag of ["-A", "--allow-all", "--permission-set=x", "x.ts"]) {
      assertThrows(make({ childFlags: [flag] }), TypeError, "childFlags");
    }
  },
});

Deno.test({
  name: "ForkingMixIn: a child that starts while the server drains knows of it",
  ignore,
  async fn() {
    const options = { maxChildren: 1, requestsPerChild: 1 };
    const server = new TCP(LOCAL, Asks, options);
    const served = server.serveForever();
    const first = await LineClient.connect(server.serverAddress);
    await first.ask("x");
    using second = await LineClient.connect(server.serverAddress);
    while (server.status.active < 2) await delay(1);
    const closing = server.serverClose({ timeout: 5 });
    first.close(); // makes room for the second, in a child of its own
    assertStrictEquals(await second.ask("drain"), "aborted");
    second.close();
    assertEquals(await closing, { idle: 0, finished: 2, forced: 0 });
    await served;
  },
});
