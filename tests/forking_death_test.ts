import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertStrictEquals,
  assertStringIncludes,
  delay,
} from "./deps.ts";
import { type InetAddress, TimeoutError } from "../mod.ts";
import {
  CONFIG,
  decode,
  encode,
  exists,
  LineClient,
  serving,
  TCP,
} from "./forking_helpers.ts";
import { Asks } from "./testdata/forking_handlers.ts";
import { Echo } from "./testdata/handlers.ts";
import { boundedCommand } from "./helpers/within.ts";
import { mayFork } from "./helpers/allowed.ts";

const LOCAL: InetAddress = ["127.0.0.1", 0];
const ignore = !mayFork;
const ignoreProc = ignore || Deno.build.os !== "linux";

/** Two clients in two children. */
async function twoChildren(server: TCP): Promise<[LineClient, LineClient]> {
  const a = await LineClient.connect(server.serverAddress);
  await a.ask("x");
  const b = await LineClient.connect(server.serverAddress);
  await b.ask("x");
  assertStrictEquals(server.activeChildren!.size, 2);
  return [a, b];
}

/** The end of the stream: by a FIN or by a reset. */
async function assertGone(client: LineClient) {
  try {
    assertStrictEquals(await client.line(), "");
  } catch (error) {
    assertStrictEquals((error as { code?: string }).code, "ECONNRESET");
  }
}

async function checkDeath(
  kill: (client: LineClient, pid: number) => Promise<void>,
  message: string,
) {
  await using server = new TCP(LOCAL, Asks, { maxChildren: 2 });
  await using _ = serving(server);
  const [a, b] = await twoChildren(server);
  using _a = a;
  using _b = b;
  const pid = Number(await a.ask("pid"));
  await kill(a, pid);
  await assertGone(a);
  const { address, error } = await server.reports.next();
  assertStrictEquals(error.name, "ChildProcessError");
  assertStringIncludes(error.message, message);
  assertStringIncludes(error.message, String(pid));
  assertEquals(address, a.socket.getsockname());
  assert(!server.activeChildren!.has(pid));
  assert(!exists(pid), "a zombie is left");
  assertStrictEquals(await b.ask("unharmed"), "UNHARMED");
  using c = await LineClient.connect(server.serverAddress);
  assertStrictEquals(await c.ask("replaced"), "REPLACED");
  assertStrictEquals(server.activeChildren!.size, 2);
  assertStrictEquals(server.reports.left, 0);
}

Deno.test({
  name:
    "ForkingMixIn: a child killed with SIGKILL costs its own requests and is replaced",
  ignore: ignoreProc,
  fn: () =>
    checkDeath((_, pid) => {
      Deno.kill(pid, "SIGKILL");
      return Promise.resolve();
    }, "killed by SIGKILL"),
});

Deno.test({
  name:
    "ForkingMixIn: a child that exits costs its own requests and is replaced",
  ignore: ignoreProc,
  fn: () => checkDeath((client) => client.send("exit 7"), "exit code 7"),
});

Deno.test({
  name: "ForkingMixIn: a child that closes its channel ends, and is replaced",
  ignore: ignoreProc,
  fn: () => checkDeath((client) => client.send("disconnect"), "exit code 0"),
});

for (
  const message of [
    "null",
    "[]",
    '{"type":"done"}',
    '{"type":"error","id":2}',
    '{"type":"constructor"}',
    '{"type":"ready"}',
    '{"type":"ready","error":{"name":"Error","message":"I was never ready"}}',
  ]
) {
  Deno.test({
    name: `ForkingMixIn: a child that says ${message} is killed`,
    ignore: ignoreProc,
    fn: () =>
      checkDeath(
        (client) => client.send(`say ${message}`),
        "cannot be understood",
      ),
  });
}

Deno.test({
  name: "ForkingMixIn: SIGINT and SIGTERM to a child are left to the server",
  ignore: ignoreProc,
  async fn() {
    await using server = new TCP(LOCAL, Asks);
    await using _ = serving(server);
    using client = await LineClient.connect(server.serverAddress);
    const pid = Number(await client.ask("pid"));
    Deno.kill(pid, "SIGINT");
    Deno.kill(pid, "SIGTERM");
    assertStrictEquals(await client.ask("still"), "STILL");
    assertStrictEquals(Number(await client.ask("pid")), pid);
  },
});

Deno.test({
  name: "ForkingMixIn: childTimeout kills a child that is stuck",
  ignore: ignoreProc,
  async fn() {
    await using server = new TCP(LOCAL, Asks, {
      maxChildren: 1,
      childTimeout: 3,
    });
    await using _ = serving(server);
    using stuck = await LineClient.connect(server.serverAddress);
    const pid = Number(await stuck.ask("pid"));
    await stuck.send("spin");
    await assertGone(stuck);
    const { error } = await server.reports.next();
    assertInstanceOf(error, TimeoutError);
    assertStringIncludes(error.message, "childTimeout");
    assertStringIncludes(error.message, String(pid));
    await server.collectChildren({ blocking: true });
    assert(!exists(pid));
    using next = await LineClient.connect(server.serverAddress);
    assertStrictEquals(await next.ask("next"), "NEXT");
  },
});

Deno.test({
  name: "ForkingMixIn: a childTimeout longer than a timer can be kills nobody",
  ignore,
  async fn() {
    await using server = new TCP(LOCAL, Asks, { childTimeout: 3e6 });
    await using _ = serving(server);
    using client = await LineClient.connect(server.serverAddress);
    const pid = await client.ask("pid");
    await delay(5); // a timer with too long a delay goes off after 1 ms
    assertStrictEquals(await client.ask("pid"), pid);
    assertStrictEquals(server.reports.left, 0);
  },
});

Deno.test({
  name:
    "ForkingMixIn: the only child, killed before it was ready, is replaced at once",
  ignore: ignoreProc,
  async fn() {
    await using server = new TCP(LOCAL, Asks);
    await using _ = serving(server);
    using lost = await LineClient.connect(server.serverAddress);
    while (server.activeChildren === null) await delay(1);
    for (const pid of server.activeChildren) Deno.kill(pid, "SIGKILL");
    await assertGone(lost);
    const { error } = await server.reports.next();
    assertStringIncludes(error.message, "before it was ready");
    using next = await LineClient.connect(server.serverAddress);
    assertStrictEquals(await next.ask("next"), "NEXT");
  },
});

Deno.test({
  name:
    "ForkingMixIn: a child that fails before it is ready costs its own requests only",
  ignore: ignoreProc,
  async fn() {
    await using server = new TCP(LOCAL, Asks, { maxChildren: 2 });
    await using _ = serving(server);
    using first = await LineClient.connect(server.serverAddress);
    await first.ask("x");
    const [ready] = server.activeChildren!;
    using lost = await LineClient.connect(server.serverAddress);
    while (server.activeChildren!.size < 2) await delay(1);
    const [starting] = [...server.activeChildren!].filter((pid) =>
      pid !== ready
    );
    Deno.kill(starting, "SIGABRT");
    await assertGone(lost);
    const { error } = await server.reports.next();
    assertStringIncludes(error.message, "before it was ready");
    using next = await LineClient.connect(server.serverAddress);
    assertStrictEquals(Number(await next.ask("pid")), ready);
    assertStrictEquals(server.reports.left, 0);
  },
});

Deno.test({
  name: "ForkingMixIn: serverClose() ends a child that is stuck",
  ignore: ignoreProc,
  async fn() {
    const server = new TCP(LOCAL, Asks);
    const served = server.serveForever();
    using stuck = await LineClient.connect(server.serverAddress);
    const pid = Number(await stuck.ask("pid"));
    await stuck.send("spin");
    const report = await server.serverClose({ timeout: 0.1 });
    assertEquals(report, { idle: 0, finished: 0, forced: 1 });
    assert(!exists(pid));
    assertStrictEquals(server.reports.left, 0);
    await served;
  },
});

Deno.test({
  name:
    "ForkingMixIn: a connection on its way to a child that dies is closed, and those that wait go to the next",
  ignore: ignoreProc,
  async fn() {
    await using server = new TCP(LOCAL, Asks, { maxChildren: 1 });
    await using _ = serving(server);
    using first = await LineClient.connect(server.serverAddress);
    const pid = Number(await first.ask("pid"));
    Deno.kill(pid, "SIGSTOP"); // from here on the child takes nothing
    using second = await LineClient.connect(server.serverAddress);
    while (server.status.active < 2) await delay(1);
    const others = await Promise.all(
      Array.from({ length: 4 }, () => LineClient.connect(server.serverAddress)),
    );
    while (server.status.active < 6) await delay(1);
    Deno.kill(pid, "SIGKILL");
    for (const client of [first, second]) {
      await assertGone(client);
      await server.reports.next();
    }
    for (const client of others) {
      assertStrictEquals(await client.ask("next"), "NEXT");
      client.close();
    }
    assertStrictEquals(server.reports.left, 0);
  },
});

const PARENT = `
import { ForkingTCPServer } from ${
  JSON.stringify(new URL("../mod.ts", import.meta.url).href)
};
import { Asks } from ${
  JSON.stringify(
    new URL("./testdata/forking_handlers.ts", import.meta.url).href,
  )
};
const server = new ForkingTCPServer(["127.0.0.1", 0], Asks);
console.log(server.serverAddress[1]);
await server.serveForever();
`;

Deno.test({
  name: "ForkingMixIn: no child outlives a server that is killed",
  ignore: ignoreProc,
  async fn() {
    const parent = boundedCommand(Deno.execPath(), {
      args: [
        "run",
        "-A",
        CONFIG,
        `data:text/javascript,${encodeURIComponent(PARENT)}`,
      ],
      stdout: "piped",
    }).spawn();
    const reader = parent.stdout.getReader();
    const { value } = await reader.read();
    const port = Number(decode(value!));
    const clients = await Promise.all(
      Array.from({ length: 3 }, () => LineClient.connect(["127.0.0.1", port])),
    );
    const pids = await Promise.all(
      clients.map(async (client) => Number(await client.ask("pid"))),
    );
    for (const pid of pids) assert(exists(pid));
    parent.kill("SIGKILL");
    await parent.status;
    await reader.cancel();
    for (const client of clients) {
      await assertGone(client); // the child is going
      client.close();
    }
    while (pids.some(exists)) await delay(5);
  },
});

Deno.test({
  name: "ForkingMixIn serves python3 and ncat",
  ignore: ignoreProc,
  async fn() {
    await using server = new TCP(LOCAL, Echo);
    await using _ = serving(server);
    const port = String((server.serverAddress as [string, number])[1]);
    const script = "import socket,sys\n" +
      "s=socket.create_connection(('127.0.0.1',int(sys.argv[1])))\n" +
      "s.sendall(b'from python'); s.shutdown(socket.SHUT_WR)\n" +
      "print(s.makefile('rb').read())";
    assertStrictEquals(
      await output("python3", ["-c", script, port]),
      "b'from python'\n",
    );
    assertStrictEquals(
      await output("ncat", ["127.0.0.1", port], "from ncat\n"),
      "from ncat\n",
    );
  },
});

/** What a program prints; the expected text where it is not installed. */
async function output(
  program: string,
  args: string[],
  input = "",
): Promise<string> {
  const child = boundedCommand(program, {
    args,
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(encode(input));
  await writer.close();
  return decode((await child.output()).stdout);
}

Deno.test({
  name: "ForkingMixIn: an idle child does not keep the process alive",
  ignore: ignoreProc,
  async fn() {
    const script = PARENT.replace(
      "await server.serveForever()",
      `const socket = await Deno.connect({ port: server.serverAddress[1] });
      await socket.write(new TextEncoder().encode("x\\n"));
      await server.handleRequest();
      await socket.read(new Uint8Array(9));
      socket.close()`,
    );
    const { code } = await boundedCommand(Deno.execPath(), {
      args: [
        "run",
        "-A",
        CONFIG,
        `data:text/javascript,${encodeURIComponent(script)}`,
      ],
      stdout: "null",
    }).output();
    assertStrictEquals(code, 0);
  },
});
