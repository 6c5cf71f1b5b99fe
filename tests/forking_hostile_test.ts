/** What a hostile handler can do in a child, and what not; docs/guide.md says the same, sentence by sentence. */

import {
  datagramExecutor,
  streamExecutor,
} from "../internal/children/call_executor.ts";
import { type CallMessage, OPERATIONS } from "../internal/children/messages.ts";
import {
  type Address,
  AF_INET,
  AF_UNIX,
  type InetAddress,
  PermissionError,
  SOCK_DGRAM,
  Socket,
  TimeoutError,
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
  CONFIG,
  decode,
  encode,
  exists,
  fakeJob,
  fakeMember,
  LineClient,
  MAY_UNIX,
  serving,
  TCP,
  UDP,
  UnixDatagram,
} from "./forking_helpers.ts";
import { tcpPair } from "./helpers.ts";
import { Elsewhere, Hostile } from "./testdata/hostile_handlers.ts";
import { mayFork } from "./helpers/allowed.ts";
import { assertNoneLeft, descriptors } from "./helpers/descriptors.ts";
import { within } from "./helpers/within.ts";

const LOCAL: InetAddress = ["127.0.0.1", 0];
const ignore = !mayFork;
const ignoreProc = ignore || Deno.build.os !== "linux";

type Options = ConstructorParameters<typeof TCP>[2];

/** A server of hostile handlers, and a client of it. */
async function withHostile(
  options: Options,
  fn: (client: LineClient, server: TCP) => Promise<void>,
): Promise<void> {
  await using server = new TCP(LOCAL, Hostile, options);
  await using _ = serving(server);
  using client = await LineClient.connect(server.serverAddress);
  await fn(client, server);
}

/** The end of the stream, by a FIN or a reset. */
async function assertGone(client: LineClient): Promise<void> {
  try {
    while (await client.line() !== "");
  } catch (error) {
    assertStrictEquals((error as { code?: string }).code, "ECONNRESET");
  }
}

Deno.test({
  name:
    "A hostile handler reads, writes, runs and reaches nothing that childPermissions does not list",
  ignore,
  fn: () =>
    withHostile({ databasePassword: "secret" } as Options, async (client) => {
      for (
        const attempt of [
          "read /etc/passwd",
          "write /tmp/by_a_hostile_handler",
          "run /bin/true",
          "env HOME",
          "connect 80",
        ]
      ) {
        assertStrictEquals(await client.ask(attempt), "NotCapable", attempt);
      }
      assertStrictEquals(await client.ask("options"), "{}");
    }),
});

for (const what of ["done", "internal", "handle"]) {
  Deno.test({
    name:
      `A hostile handler that sends the messages of the library loses its child: ${what}`,
    ignore: ignoreProc,
    fn: () =>
      withHostile({ maxConnections: 1 }, async (client, server) => {
        const pid = Number(await client.ask("pid"));
        const before = descriptors();
        await client.send(what);
        await assertGone(client);
        const { error } = await server.reports.next();
        assertStringIncludes(error.message, "cannot be understood");
        assert(!exists(pid));
        await assertNoneLeft(before);
        using next = await LineClient.connect(server.serverAddress);
        assertStrictEquals(await next.ask("hello"), "hello");
        assertStrictEquals(server.status.active, 1);
      }),
  });
}

Deno.test({
  name:
    "A hostile handler that acknowledges a connection once more changes nothing",
  ignore,
  fn: () =>
    withHostile({}, async (client, server) => {
      assertStrictEquals(await client.ask("acknowledge"), "acknowledge");
      using next = await LineClient.connect(server.serverAddress);
      assertStrictEquals(await next.ask("hello"), "hello");
      assertStrictEquals(await client.ask("hello"), "hello");
    }),
});

Deno.test({
  name: "A hostile handler cannot outlast childTimeout",
  ignore: ignoreProc,
  fn: () =>
    withHostile({ childTimeout: 3 }, async (client, server) => {
      const pid = Number(await client.ask("pid"));
      await client.send("spin");
      await assertGone(client);
      assertInstanceOf((await server.reports.next()).error, TimeoutError);
      await server.collectChildren({ blocking: true });
      assert(!exists(pid));
    }),
});

Deno.test({
  name:
    "A hostile handler that holds its connection counts until its process has ended, with requestsPerChild 1",
  ignore: ignoreProc,
  fn: () =>
    withHostile(
      { requestsPerChild: 1, maxConnections: 1 },
      async (client, server) => {
        const pid = Number(await client.ask("pid"));
        await client.send("hold"); // and its process does not exit when it is told to
        const { error } = await server.reports.next();
        assertStringIncludes(error.message, "says that it has ended");
        assert(!exists(pid));
        await assertGone(client);
        using next = await LineClient.connect(server.serverAddress);
        assertStrictEquals(await next.ask("hello"), "hello");
        assertStrictEquals(server.status.active, 1);
      },
    ),
});

Deno.test({
  name:
    "A hostile handler sees the other requests of its child, and with requestsPerChild 1 there are none",
  ignore,
  async fn() {
    for (const [requestsPerChild, seen] of [[2, "2"], [1, "1"]] as const) {
      const maxChildren = requestsPerChild === 2 ? 1 : 2;
      const options = { requestsPerChild, maxChildren };
      await withHostile(options, async (client, server) => {
        await client.ask("hello");
        using other = await LineClient.connect(server.serverAddress);
        assertStrictEquals(await other.ask("requests"), seen);
      });
    }
  },
});

const SERVER = `
import { ForkingTCPServer } from ${
  JSON.stringify(new URL("../mod.ts", import.meta.url).href)
};
import { Hostile } from ${
  JSON.stringify(
    new URL("./testdata/hostile_handlers.ts", import.meta.url).href,
  )
};
const server = new ForkingTCPServer(["127.0.0.1", 0], Hostile);
const served = server.serveForever();
const client = await Deno.connect({ port: server.serverAddress[1] });
await client.write(new TextEncoder().encode("print mischief\\n"));
await client.read(new Uint8Array(99));
client.close();
await server.serverClose();
await served;
`;

Deno.test({
  name: "A hostile handler writes to the stdout and stderr of its server",
  ignore,
  async fn() {
    const url = `data:text/javascript,${encodeURIComponent(SERVER)}`;
    const { stdout, stderr } = await within(
      new Deno.Command(Deno.execPath(), { args: ["run", "-A", CONFIG, url] })
        .output(),
    );
    assertStrictEquals(decode(stdout), "mischief\n");
    assertStringIncludes(decode(stderr), "mischief\n");
  },
});

Deno.test({
  name:
    "ForkingUDPServer sends datagrams of a child to its client only, unless childPermissions.net lists more",
  ignore,
  async fn() {
    using client = new Socket(AF_INET, SOCK_DGRAM);
    using other = new Socket(AF_INET, SOCK_DGRAM);
    for (const socket of [client, other]) {
      socket.settimeout(20);
      socket.bind(LOCAL);
    }
    const [, port] = other.getsockname() as [string, number];
    const ask = async (server: UDP, text: string) => {
      await client.sendto(encode(text), server.serverAddress);
      return decode((await client.recvfrom(1000))[0]);
    };
    const [, own] = client.getsockname() as [string, number];
    for (
      const [net, answer] of [
        [[], "EACCES"],
        [["127.0.0.2", `127.0.0.1:${port ^ 1}`, "localhost"], "EACCES"],
        [[`127.0.0.1:${port}`], "sent"],
        [["127.0.0.0/8"], "sent"],
        [true, "sent"],
      ] as const
    ) {
      await using server: UDP = new UDP(LOCAL, Elsewhere, {
        childPermissions: { net: net === true ? net : [...net] },
      });
      await using _ = serving(server);
      const said = await ask(server, `to 127.0.0.1 ${port}`);
      assertStrictEquals(said.split(" ")[0], answer, `${net}`);
      if (answer === "sent") await other.recvfrom(100);
      assertStringIncludes(await ask(server, `to 127.0.0.1 ${own}`), "to 127");
      assertStringIncludes(decode((await client.recvfrom(100))[0]), "sent");
      assertStrictEquals(server.reports.left, 0);
    }
  },
});

Deno.test({
  name:
    "ForkingUnixDatagramServer sends datagrams of a child to its client only",
  ignore: !MAY_UNIX || !("listenDatagram" in Deno),
  async fn() {
    const dir = await Deno.makeTempDir();
    using client = new Socket(AF_UNIX, SOCK_DGRAM);
    using other = new Socket(AF_UNIX, SOCK_DGRAM);
    client.bind(`${dir}/client`);
    other.bind(`${dir}/other`);
    client.settimeout(20);
    await using server = new UnixDatagram(`${dir}/server`, Elsewhere);
    await using _ = serving(server);
    await client.sendto(encode(`to ${dir}/other`), `${dir}/server`);
    assertStrictEquals(decode((await client.recvfrom(99))[0]), "EACCES");
    await client.sendto(encode(`to ${dir}/client`), `${dir}/server`);
    assertStringIncludes(decode((await client.recvfrom(99))[0]), "to ");
    await server.serverClose();
    await Deno.remove(dir, { recursive: true });
  },
});

Deno.test("datagramExecutor() knows the client, and what may be reached, by address", async () => {
  const sent: unknown[] = [];
  const socket = {
    family: AF_INET,
    sendto: (_: Uint8Array, to: Address) => Promise.resolve(sent.push(to)),
  } as unknown as Socket;
  const ask = (net: true | string[], address: Address) =>
    datagramExecutor(socket, ["10.0.0.1", 5], { net })({
      operation: "sendto",
      argument: encode("x"),
      address,
    } as CallMessage);
  for (
    const [net, address] of [
      [[], ["10.0.0.1", 5]],
      [["10.0.0.2"], ["10.0.0.2", 9]],
      [["10.0.0.2:9"], ["10.0.0.2", 9]],
      [[":9"], ["127.0.0.1", 9]],
      [["10.0.0.0/31:9"], ["10.0.0.1", 9]],
      [["[::1]"], ["::1", 9]],
      [["[0:0::1]:9"], ["::1", 9]],
      [true, ["10.9.9.9", 9]],
    ] as [true | string[], Address][]
  ) {
    await ask(net, address);
    assertEquals(sent.pop(), address);
  }
  for (
    const [net, address] of [
      [[], ["10.0.0.1", 6]],
      [[], ["10.0.0.2", 5]],
      [["10.0.0.2:8"], ["10.0.0.2", 9]],
      [["10.0.0.0/31:9"], ["10.0.0.2", 9]],
      [["10.0.0.0/31:9"], ["10.0.0.1", 8]],
      [["a.example"], ["10.0.0.2", 9]],
      [["*.example"], ["10.0.0.2", 9]],
      [["[::1]:8"], ["::1", 9]],
      [["0.0.0.0/0"], ["::1", 9]],
      [["unix:/x"], ["10.0.0.2", 9]],
    ] as [string[], InetAddress][]
  ) {
    await assertRejects(() => ask(net, address), PermissionError, "EACCES");
  }
  assertEquals(sent, []);
});

/** Says something, and gives the reason with which the child was killed for it. */
async function killedFor(
  message: Record<string, unknown>,
  rest: Parameters<typeof fakeJob>[0] = {},
): Promise<string> {
  const { child, poolChild } = fakeMember();
  const ran = poolChild.run(fakeJob(rest));
  child.say(message);
  assertEquals(child.signals, ["SIGKILL"]);
  const error = await assertRejects(() => within(ran), Error);
  return error.message;
}

Deno.test("PoolChild kills a child that says what the library would not", async () => {
  const call = { type: "call", id: 1, call: 1, operation: "read", argument: 9 };
  const execute = streamExecutor(new Socket());
  for (
    const [message, reason, rest] of [
      [{ type: "done", ids: [1], ms: NaN }, "NaN ms"],
      [{ type: "done", ids: [1], ms: -1 }, "-1 ms"],
      [{ type: "done", ids: [1], ms: "x" }, "x ms"],
      [{ type: "done", ids: [1] }, "undefined ms"],
      [{ type: "done", ids: [2], ms: 1 }, "no request 2"],
      [{ type: "done", ids: [1, 2], ms: 1 }, "no request 2"],
      [{ type: "done", ms: 1 }, "of undefined"],
      [{ type: "limit", id: 2, limit: "idleTimeout" }, "no request 2"],
      [{ type: "limit", id: 1, limit: "maxConnections" }, "no limit"],
      [{ type: "done", ids: [1], ms: 1, bytes: [1, -1] }, "-1 bytes"],
      [{ type: "done", ids: [1], ms: 1, bytes: [NaN, 1] }, "NaN bytes"],
      [{ type: "done", ids: [1], ms: 1, bytes: ["9", 1] }, '"9" bytes'],
      [{ type: "done", ids: [1], ms: 1, bytes: [9] }, "undefined bytes"],
      [{ type: "done", ids: [1], ms: 1, bytes: null }, "of null"],
      [{ type: "error", id: 1, error: { thrown: "" }, bytes: [1.5, 1] }, "1.5"],
      [{ type: "error", id: 2, error: { thrown: "" } }, "no request 2"],
      [{ type: "error", id: 1 }, "of undefined"],
      [{ type: "done", ids: [1], ms: 1, idle: [2] }, "no request 2"],
      [{ type: "idle", count: -1 }, "-1 idle requests"],
      [{ type: "idle", count: "many" }, '"many" idle requests'],
      [{ type: "idle" }, "undefined idle requests"],
      [{ type: "acknowledge", id: 0 }, "no request 0"],
      [{ type: "ready" }, "ready before"],
      [{ type: "sync" }, "nobody asked"],
      [{ type: "constructor" }, "its type is"],
      [{ type: "done", ids: [1], ms: 1, token: "guessed" }, "not from this"],
      [{ type: "done", ids: [1], ms: 1, token: undefined }, "not from this"],
      [{ ...call, id: 3 }, "no request 3"],
      [call, "it has the connection"],
      [{ ...call, argument: 0 }, "Cannot read 0 bytes", { execute }],
      [{ ...call, argument: 65537 }, "Cannot read 65537", { execute }],
      [{ ...call, argument: "9" }, 'Cannot read "9"', { execute }],
      [{ ...call, operation: "write" }, "no chunk", { execute }],
      [
        { ...call, operation: "write", argument: new Uint8Array(65537) },
        "no chunk",
        { execute },
      ],
      [{ ...call, operation: "sendto" }, "the request is a stream", {
        execute,
      }],
    ] as [Record<string, unknown>, string, { execute?: typeof execute }?][]
  ) {
    assertStringIncludes(await killedFor(message, rest), reason);
  }
});

Deno.test("PoolChild kills a child that makes a second call of a kind before the result of the first", async () => {
  const { child, poolChild } = fakeMember();
  const answers: PromiseWithResolvers<unknown>[] = [];
  const execute = () => {
    const answer = Promise.withResolvers<unknown>();
    answers.push(answer);
    return answer.promise;
  };
  const ran = poolChild.run(fakeJob({ execute }));
  const ask = (call: number, operation: string) =>
    child.say({ type: "call", id: 1, call, operation, argument: 1 });
  ask(1, "read");
  ask(2, "write"); // another kind is fine
  answers[0].resolve("data");
  await delay(0);
  assertEquals(child.sent.at(-1)![0], {
    type: "result",
    call: 1,
    value: "data",
  });
  ask(3, "read");
  assertEquals(child.signals, []);
  ask(4, "read");
  assertEquals(child.signals, ["SIGKILL"]);
  assertEquals(answers.length, 3);
  await assertRejects(() => within(ran), Error, "a second read");
});

Deno.test("PoolChild kills a child that does not read the results of its calls", async () => {
  const { child, poolChild } = fakeMember();
  const ran = poolChild.run(fakeJob({ execute: () => Promise.resolve() }));
  const killed = assertRejects(() => within(ran), Error, "does not read");
  child.writes = false;
  let calls = 0;
  while (child.signals.length === 0 && calls < 100) {
    child.say({ type: "call", id: 1, call: ++calls, operation: "close" });
    await delay(0);
  }
  assertStrictEquals(calls, 2 * OPERATIONS.length + 1);
  await killed;
});

Deno.test("PoolChild closes a descriptor that a child sends, and ends it", async () => {
  for (const method of ["destroy", "close"]) {
    const { child, poolChild } = fakeMember();
    let closed = 0;
    child.emit("message", { type: "sync" }, { [method]: () => closed++ });
    assertEquals(closed, 1);
    assertEquals(child.signals, ["SIGKILL"]);
    await poolChild.exited;
  }
});

Deno.test("PoolChild believes no request that took longer than it was away", async () => {
  const { child, poolChild } = fakeMember();
  const ran = poolChild.run(fakeJob());
  child.say({ type: "done", ids: [1], ms: 1e308 });
  assert((await within(ran)).ms < 20_000);
});

Deno.test("PoolChild believes no request that moved more bytes than a machine can", async () => {
  const { child, poolChild } = fakeMember();
  const counted: { bytesIn: number; bytesOut: number }[] = [];
  const ran = poolChild.run(fakeJob({ count: (bytes) => counted.push(bytes) }));
  const bytes = [Number.MAX_SAFE_INTEGER, 5];
  child.say({ type: "done", ids: [1], ms: 1, bytes });
  await within(ran);
  assertEquals(counted[0].bytesOut, 5);
  assert(counted[0].bytesIn < 1e13, `${counted[0].bytesIn} bytes`);
});

Deno.test("streamExecutor() does what is asked for, on the connection", async () => {
  const [client, server] = await tcpPair();
  using _ = client;
  const execute = streamExecutor(server);
  const ask = (operation: string, argument?: unknown) =>
    within(execute({ operation, argument } as CallMessage));
  await client.sendall(encode("hello"));
  assertEquals(await ask("read", 3), encode("hel"));
  await ask("write", encode("answer"));
  assertEquals(decode(await client.recv(100)), "answer");
  await ask("closeWrite");
  assertEquals((await client.recv(1)).length, 0);
  await ask("close");
  assertStrictEquals(server.fileno(), -1);
  await assertRejects(() => ask("setNoDelay", true), Error, "EBADF");
  assertThrows(
    () => execute({ operation: "sendto" } as CallMessage),
    TypeError,
  );
});
