/** Forking servers: where handlers run, their options, and the mistakes that are refused. */

import { once } from "node:events";
import { connect } from "node:net";
import {
  AF_INET,
  ForkingTCPServer,
  type InetAddress,
  OSError,
  SHUT_WR,
  SOCK_DGRAM,
  Socket,
} from "../../mod.ts";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "../deps.ts";
import { have, havePython, mayFork } from "../helpers/allowed.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { assertEnd, dial, LineClient } from "../helpers/clients.ts";
import {
  CONFIG,
  MAY_UNIX,
  serving,
  TCP,
  UDP,
  UnixStream,
} from "../helpers/forking.ts";
import { boundedCommand, outputOf, until, within } from "../helpers/within.ts";
import {
  Asks,
  AsksDatagram,
  unexported,
} from "../testdata/forking_handlers.ts";
import { Echo } from "../testdata/handlers.ts";

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
    for (let i = 0; i < 4; i++) { // with more, the system would delay connects by a second
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

/** Connects, and resets the connection before it is accepted. */
async function connectAndReset([, port]: InetAddress): Promise<void> {
  const socket = connect(port as number, "127.0.0.1");
  await once(socket, "connect");
  socket.resetAndDestroy();
  await once(socket, "close");
}

Deno.test({
  name: "ForkingTCPServer skips a client that has left before it is accepted",
  ignore,
  async fn() {
    await using server = new TCP(LOCAL, Asks);
    await connectAndReset(server.serverAddress);
    await server.handleRequest();
    assertEquals(server.status.transientErrors, 1);
    assertEquals(server.status.accepted, 0);
  },
});

/** A child has the real connection, and no code of the server's program. */
async function checkChild(server: TCP): Promise<void> {
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
  assertStrictEquals(Number(await client.ask("heap")), 64 + 3 * 8);
}

/** A request goes to an idle child, to a new one, or at `maxChildren` to a busy one. */
async function checkChoice(server: TCP): Promise<void> {
  await until(() => server.status.active === 0);
  const [only] = server.activeChildren!;
  using a = await LineClient.connect(server.serverAddress);
  assertStrictEquals(Number(await a.ask("pid")), only);
  using b = await LineClient.connect(server.serverAddress);
  await b.ask("pid");
  assertStrictEquals(server.activeChildren!.size, 2);
  using c = await LineClient.connect(server.serverAddress);
  assert(server.activeChildren!.has(Number(await c.ask("pid"))));
  assertStrictEquals(server.activeChildren!.size, 2);
}

/** A child ignores SIGINT and SIGTERM, which a terminal or a service manager sends to the whole group. */
async function checkSignals(server: TCP): Promise<void> {
  using client = await LineClient.connect(server.serverAddress);
  const pid = Number(await client.ask("pid"));
  Deno.kill(pid, "SIGINT");
  Deno.kill(pid, "SIGTERM");
  assertStrictEquals(await client.ask("still"), "STILL");
  assertStrictEquals(Number(await client.ask("pid")), pid);
}

/** Programs in other languages get their answers. */
async function checkOthers(server: TCP): Promise<void> {
  const port = String(server.serverAddress[1]);
  const script = "import socket,sys\n" +
    "s=socket.create_connection(('127.0.0.1',int(sys.argv[1])))\n" +
    "s.sendall(b'python\\n'); s.shutdown(socket.SHUT_WR)\n" +
    "print(s.makefile('rb').read())";
  if (havePython()) {
    const said = await outputOf("python3", ["-c", script, port]);
    assertStrictEquals(said, "b'PYTHON\\n'\n");
  }
  if (have("ncat")) {
    const said = await outputOf("ncat", ["127.0.0.1", port], "ncat\n");
    assertStrictEquals(said, "NCAT\n");
  }
}

/** Many clients are served at once. */
async function checkMany(server: TCP): Promise<void> {
  const { accepted } = server.status;
  await Promise.all(Array.from({ length: 32 }, async (_, i) => {
    using client = await LineClient.connect(server.serverAddress);
    for (let round = 0; round < 5; round++) {
      assertStrictEquals(await client.ask(`c${i}x${round}`), `C${i}X${round}`);
    }
    await client.socket.shutdown(SHUT_WR);
    assertStrictEquals(await client.line(), "");
  }));
  assertStrictEquals(server.status.accepted, accepted + 32);
}

Deno.test({
  name: "ForkingTCPServer runs handlers in children, for many clients at once",
  ignore,
  async fn() {
    await using server = new TCP(LOCAL, Asks, {
      maxChildren: 2,
      childFlags: ["--v8-flags=--max-old-space-size=64"],
      childTimeout: 3e6, // more than the longest timer
    });
    await using _ = serving(server);
    assertStrictEquals(server.activeChildren, null);
    await checkChild(server);
    await checkChoice(server);
    if (Deno.build.os !== "windows") await checkSignals(server);
    await checkOthers(server);
    await checkMany(server);
    assertStrictEquals(server.activeChildren!.size, 2);
    assertStrictEquals(server.reports.left, 0);
  },
});

Deno.test({
  name:
    "ForkingMixIn passes handlers only the options that childOptions names, and takes childFlags",
  ignore,
  async fn() {
    class Telling extends TCP {
      static override childOptions = [
        "greeting",
        "timeout",
        "toString",
        "left out",
      ];
    }
    const greeting = { text: "hello", to: ["all"] };
    const flags = "--max-old-space-size=64,--max-semi-space-size=16";
    const options = {
      maxChildren: 1,
      databasePassword: "hidden",
      key: "a private key",
      greeting,
      childEnv: { A: "1" },
      childFlags: [`--v8-flags=${flags}`],
      timeout: null,
    };
    await using server = new Telling(LOCAL, Asks, options);
    await using _ = serving(server);
    using client = await LineClient.connect(server.serverAddress);
    assertEquals(JSON.parse(await client.ask("server")), {
      serverAddress: server.serverAddress,
      options: { greeting, timeout: null },
    });
    assertStrictEquals(Number(await client.ask("heap")), 64 + 3 * 16);
  },
});

Deno.test({
  name:
    "ForkingTCPServer binds in the constructor, which throws if the port is taken",
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
  name:
    "ForkingMixIn calls collectChildren() on its ticks and after requests, and does not wait for children with blockOnClose false",
  ignore,
  async fn() {
    let calls = 0;
    class Counting extends TCP {
      override collectChildren(options = {}): Promise<void> {
        calls++;
        return super.collectChildren(options);
      }
    }
    const options = { timeout: 0.01, blockOnClose: false };
    const server = new Counting(LOCAL, Asks, options);
    await server.handleRequest();
    assertStrictEquals(calls, 1);
    const served = server.serveForever({ pollInterval: 0.001 });
    using client = await LineClient.connect(server.serverAddress);
    await client.ask("x");
    assertStrictEquals(calls, 2); // after the request: there is no tick
    const none = { idle: 0, finished: 0, forced: 0 };
    assertEquals(await server.serverClose(), none);
    await served;
    assertStrictEquals(await client.ask("still here"), "STILL");
    client.close();
    await server.collectChildren({ blocking: true });
    assertStrictEquals(server.activeChildren!.size, 0);
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

async function checkDatagrams(server: UDP, client: Socket) {
  using _ = client;
  client.settimeout(20);
  const ask = async (question: string) => {
    await client.sendto(bytes(question), server.serverAddress);
    const [data, from] = await client.recvfrom(1000);
    assertEquals(from, server.serverAddress);
    return text(data);
  };
  assertStrictEquals(await ask("hello"), "HELLO");
  const pid = Number(await ask("pid"));
  assert(server.activeChildren!.has(pid));
  await client.sendto(bytes("throw"), server.serverAddress);
  const thrown = await server.reports.next();
  assertStrictEquals(thrown.error.message, "datagram failed");
  assertEquals(thrown.address, client.getsockname());
  await client.sendto(bytes("receive"), server.serverAddress);
  assertStrictEquals((await server.reports.next()).error.code, "EOPNOTSUPP");
  assertStrictEquals(await ask("twice"), "twice");
  assertStrictEquals(text(await client.recv(100)), "TWICE");
  await client.sendto(bytes("die"), server.serverAddress);
  const died = await server.reports.next();
  assertStringIncludes(died.error.message, "exit code 3");
  assertStrictEquals(await ask("again"), "AGAIN");
}

Deno.test({
  name: "ForkingUnixStreamServer with an empty address gets a unique one",
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
  JSON.stringify(new URL("../../mod.ts", import.meta.url).href)
};
import { Echo } from ${
  JSON.stringify(new URL("../testdata/handlers.ts", import.meta.url).href)
};
const server = new ForkingUnixStreamServer(Deno.args[0], Echo);
console.log("listens");
await server.serveForever();
`;

Deno.test({
  name:
    "ForkingUnixStreamServer binds its path again when --watch restarts the program",
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
  name: "ForkingMixIn: the average of short requests does not delay long ones",
  ignore,
  async fn() {
    await using server = new TCP(LOCAL, Asks);
    await using _ = serving(server);
    const count = navigator.hardwareConcurrency + 2; // one more than short requests keep busy
    const pids = async () => {
      const clients = await Promise.all(
        Array.from(
          { length: count },
          () => LineClient.connect(server.serverAddress),
        ),
      );
      const asked = clients.map((client) => client.ask("pid"));
      const pids = await within(Promise.all(asked));
      for (const client of clients) client.close();
      await until(() => server.status.active === 0);
      return new Set(pids).size;
    };
    while (await pids() < count); // until all children have started
    for (let i = 0; i < 50; i++) {
      using client = await LineClient.connect(server.serverAddress);
      await client.send("x");
      await client.socket.shutdown(SHUT_WR); // the child waits for no client
      assertStrictEquals(await client.line(), "X");
    }
    assertStrictEquals(await pids(), count);
  },
});

Deno.test({
  name:
    "ForkingTCPServer relays connections if node:net cannot bind synchronously",
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

Deno.test({
  name:
    "ForkingMixIn refuses a handler that is no class of handlers, and names it",
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
  name: "ForkingMixIn refuses a handler that its module does not export",
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
      await checkRefusal(unexported[name], advice);
    }
    await using server = new TCP(LOCAL, unexported.Named);
    await using _ = serving(server);
    using socket = await dial(server.serverAddress);
    await socket.sendall(bytes("found"));
    assertStrictEquals(text(await socket.recv(100)), "found");
  },
});

/** Checks that a client whose handler cannot be loaded is closed, and that the error says why. */
async function checkRefusal(
  Handler: typeof Echo,
  message: string,
  clients = 1,
): Promise<void> {
  await using server = new TCP(LOCAL, Handler);
  await using _ = serving(server);
  for (let i = 0; i < clients; i++) {
    using socket = await dial(server.serverAddress);
    await assertEnd(socket);
    const { error } = await server.reports.next();
    assertInstanceOf(error, Error);
    assertStringIncludes(error.message, message);
  }
}

Deno.test({
  name:
    "ForkingMixIn closes clients and reports the reason if the module cannot be loaded",
  ignore,
  async fn() {
    class Throwing extends Echo {
      static override readonly moduleUrl =
        "data:text/javascript,throw new RangeError('while loading')";
    }
    await checkRefusal(Throwing, "while loading", 2);
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
