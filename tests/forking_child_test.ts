/** What a child process does with requests, and how children live and end. */

import { ChildStreamTransport } from "../internal/children/child_transports.ts";
import type {
  ChildMessage,
  FromChild,
  RequestMessage,
} from "../internal/children/messages.ts";
import { ParentLink } from "../internal/children/parent_link.ts";
import { streamExecutor } from "../internal/children/call_executor.ts";
import type { CallMessage } from "../internal/children/messages.ts";
import {
  type InetAddress,
  IPPROTO_TCP,
  MSG_PEEK,
  OSError,
  SHUT_WR,
  SO_KEEPALIVE,
  Socket,
  SOL_SOCKET,
  TCP_NODELAY,
} from "../mod.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  delay,
  fakeTime,
} from "./deps.ts";
import {
  acceptingMember,
  all,
  CONFIG,
  decode,
  dial,
  encode,
  fakeJob,
  fakeMember,
  LineClient,
  serving,
  startingMember,
  TCP,
} from "./forking_helpers.ts";
import { tcpPair, turn } from "./helpers.ts";
import { Asks, Flood, SendOnce } from "./testdata/forking_handlers.ts";
import { HalfClose } from "./testdata/handlers.ts";
import { boundedCommand, within } from "./helpers/within.ts";
import { mayFork } from "./helpers/allowed.ts";

const LOCAL: InetAddress = ["127.0.0.1", 0];
const ignore = !mayFork;

/** A link to a server that is none: what it was told, and what is to happen when a message is sent. */
function fakeLink(): {
  link: ParentLink;
  said: ChildMessage[];
  sent: (() => void)[];
} {
  const said: ChildMessage[] = [];
  const sent: (() => void)[] = [];
  const link = new ParentLink((message: FromChild, done) => {
    const { token, ...rest } = message;
    assertStrictEquals(token, "secret");
    said.push(rest);
    sent.push(done);
  });
  link.identify("secret");
  return { link, said, sent };
}

Deno.test("ParentLink sends with the next message what ended while one was on its way", () => {
  const { link, said, sent } = fakeLink();
  link.done(1, 5);
  link.done(2, 6);
  link.done(3, 7);
  assertEquals(said, [{ type: "done", ids: [1], ms: 5 }]);
  sent[0]();
  assertEquals(said.slice(1), [{ type: "done", ids: [2, 3], ms: 7 }]);
  sent[1]();
  assertStrictEquals(said.length, 2);
  link.done(4, 8);
  assertEquals(said.at(-1), { type: "done", ids: [4], ms: 8 });
  link.done(5, 9);
  link.done(6, 10, { bytesIn: 7, bytesOut: 1 });
  sent[2]();
  const bytes = [0, 0, 7, 1];
  assertEquals(said.at(-1), { type: "done", ids: [5, 6], ms: 10, bytes });
});

Deno.test("ParentLink says that a request has come, unless that is clear already", async () => {
  const { link, said } = fakeLink();
  link.begin(2);
  link.begin(3);
  link.done(3, 0);
  link.begin(4);
  link.call(4, { operation: "close" });
  link.begin(5);
  link.failed(5, "thrown");
  await turn();
  await turn();
  const acknowledged = said.filter(({ type }) => type === "acknowledge");
  assertEquals(acknowledged, [{ type: "acknowledge", id: 2 }]);
});

Deno.test("ParentLink makes no call for a request that has ended", async () => {
  const { link, said } = fakeLink();
  link.begin(1);
  link.begin(2);
  link.done(1, 0);
  link.failed(2, "thrown");
  const before = said.length;
  for (const id of [1, 2, 3]) {
    await assertRejects(
      () => link.call(id, { operation: "read" }),
      Error,
      "the request has ended",
    );
  }
  assertStrictEquals(said.length, before);
});

/** A relayed stream in a child, and the calls that it makes. */
function fakeStream() {
  const { link, said } = fakeLink();
  link.begin(1);
  const stream = new ChildStreamTransport(link, { id: 1 } as RequestMessage);
  const calls = () => said.filter((each) => each.type === "call");
  const settle = (value?: unknown, error?: { thrown: string }) => {
    const { call } = calls().at(-1)!;
    const failure = error && { ...error, name: "", message: "" };
    link.settle({ type: "result", call, value, error: failure });
  };
  return { stream, calls, settle };
}

Deno.test("ChildStreamTransport.write() ends with the server's write, and as that does", async () => {
  const { stream, calls, settle } = fakeStream();
  let count: number | undefined;
  const large = new Uint8Array(100_000);
  const written = stream.write(large).then((n) => count = n);
  await turn();
  assertStrictEquals(count, undefined);
  assertEquals((calls()[0].argument as Uint8Array).length, 65536);
  settle();
  assertStrictEquals(await within(written), 65536);
  const failed = stream.write(large);
  await turn();
  settle(undefined, { thrown: "gone" });
  assertStrictEquals(await within(failed.catch((error) => error)), "gone");
});

Deno.test("ChildStreamTransport.read() asks for no more than there is room for", async () => {
  const { stream, calls, settle } = fakeStream();
  const buffer = new Uint8Array(10);
  const some = stream.read(buffer);
  assertStrictEquals(calls()[0].argument, 10);
  settle(encode("abc"));
  assertStrictEquals(await within(some), 3);
  assertEquals(decode(buffer.subarray(0, 3)), "abc");
  const end = stream.read(new Uint8Array(1e6));
  await turn();
  assertStrictEquals(calls()[1].argument, 65536);
  settle(new Uint8Array());
  assertStrictEquals(await within(end), null);
});

Deno.test("ChildStreamTransport makes one call of a kind at a time", async () => {
  const { stream, calls, settle } = fakeStream();
  stream.setNoDelay(true);
  stream.setNoDelay(false);
  stream.setKeepAlive();
  stream.setNoDelay();
  const made = () =>
    calls().map(({ operation, argument }) => [operation, argument]);
  assertEquals(made(), [["setNoDelay", true], ["setKeepAlive", true]]);
  settle();
  await turn();
  assertStrictEquals(calls().length, 2); // that was the other kind
  const { call } = calls()[0];
  assertStrictEquals(call, 1);
  const closed = stream.closeWrite();
  assertEquals(made().at(-1), ["closeWrite", undefined]);
  settle();
  await within(closed);
  stream.close();
  assertEquals(made().at(-1), ["close", undefined]);
});

Deno.test("ChildStreamTransport goes on after a call of the same kind that failed", async () => {
  const { stream, calls, settle } = fakeStream();
  stream.setNoDelay(true);
  stream.setNoDelay(false);
  settle(undefined, { thrown: "no TCP" });
  await turn();
  assertEquals(calls().map(({ argument }) => argument), [true, false]);
});

Deno.test("streamExecutor() sets the options of the connection", async () => {
  const [client, server] = await tcpPair();
  using _client = client;
  using _server = server;
  const execute = streamExecutor(server);
  for (const on of [true, false, true]) {
    for (const operation of ["setNoDelay", "setKeepAlive"]) {
      await execute({ operation, argument: on } as CallMessage);
    }
    assertEquals(server.getsockopt(IPPROTO_TCP, TCP_NODELAY), Number(on));
    assertEquals(server.getsockopt(SOL_SOCKET, SO_KEEPALIVE), Number(on));
  }
});

Deno.test("streamExecutor() has a write wait until the connection took it", async () => {
  const taken = Promise.withResolvers<void>();
  const execute = streamExecutor(
    { sendall: () => taken.promise } as unknown as Socket,
  );
  const argument = encode("x");
  let done = false;
  const written = execute({ operation: "write", argument } as CallMessage)
    .then(() => done = true);
  await turn();
  assertStrictEquals(done, false);
  taken.resolve();
  await within(written);
});

Deno.test("streamExecutor() rejects the end of the stream of a closed connection, and does not throw", async () => {
  const closed = new Socket();
  closed.close();
  const ending = streamExecutor(closed)(
    { operation: "closeWrite" } as CallMessage,
  );
  const error = await assertRejects(() => ending, OSError);
  assertStrictEquals(error.code, "EBADF");
});

/** A server that has read of each connection, and so relays it. */
class Peeking extends TCP {
  override async verifyRequest(request: Socket): Promise<boolean> {
    await request.recv(1, MSG_PEEK);
    return true;
  }
}

for (const Server of [TCP, Peeking]) {
  const way = Server === TCP ? "itself" : "through the server";
  Deno.test({
    name: `A child that has the connection ${way} sends all before it closes`,
    ignore,
    async fn() {
      await using server = new Server(LOCAL, Flood);
      await using _ = serving(server);
      using client = await dial(server.serverAddress);
      await client.sendall(encode("x"));
      let length = 0;
      for (let n = -1; n !== 0; length += n) {
        n = (await client.recv(1_000_000)).length;
      }
      assertStrictEquals(length, 20_000_000);
    },
  });

  Deno.test({
    name: `Socket.send() in a child that has the connection ${way} takes all`,
    ignore,
    async fn() {
      await using server = new Server(LOCAL, SendOnce);
      await using _ = serving(server);
      using client = await dial(server.serverAddress);
      await client.sendall(encode("x"));
      const data = await all(client);
      assertStrictEquals(decode(data.subarray(2_000_000)), " 2000000");
    },
  });

  Deno.test({
    name: `A child that has the connection ${way} ends its side, and reads on`,
    ignore,
    async fn() {
      await using server = new Server(LOCAL, HalfClose);
      await using _ = serving(server);
      using client = await dial(server.serverAddress);
      await client.sendall(encode("12"));
      assertStrictEquals(decode(await all(client)), "bye\n");
      await client.sendall(encode("345"));
      await client.shutdown(SHUT_WR);
      const { error } = await server.reports.next();
      assertStrictEquals(error.message, "read 5 after its end");
    },
  });

  Deno.test({
    name: `A child that has the connection ${way} forgets it when it has ended`,
    ignore,
    async fn() {
      await using server = new Server(LOCAL, Asks, { maxChildren: 1 });
      await using _ = serving(server);
      for (let i = 0; i < 5; i++) {
        using client = await LineClient.connect(server.serverAddress);
        assertStrictEquals(await client.ask("active"), "1");
        client.close();
        while (server.status.active > 0) await delay(1);
      }
    },
  });
}

Deno.test("PoolChild does not kill a child for a request that ended in time", async () => {
  const { child, poolChild } = fakeMember({ childTimeout: 0.05 });
  const ran = poolChild.run(fakeJob());
  child.say({ type: "done", ids: [1], ms: 1 });
  await within(ran);
  const failed = poolChild.run(fakeJob());
  child.say({
    type: "error",
    id: 2,
    error: { thrown: "", name: "", message: "" },
  });
  await within(failed.catch(() => {}));
  await delay(150);
  assertEquals(child.signals, []);
  const late = poolChild.run(fakeJob());
  await assertRejects(() => within(late), Error, "childTimeout");
  assertEquals(child.signals, ["SIGKILL"]);
});

Deno.test("PoolChild limits the time of a request once its child is ready, and the time of the start", async () => {
  const { child, poolChild } = startingMember({ childTimeout: 0.05 });
  const slow = poolChild.run(fakeJob());
  await delay(150);
  assertEquals(child.signals, []);
  child.say({ type: "ready" });
  await assertRejects(() => within(slow), Error, "than childTimeout, 0.05 s");
  assertEquals(child.signals, ["SIGKILL"]);

  using time = await fakeTime();
  const hangs = startingMember();
  const never = hangs.poolChild.run(fakeJob());
  never.catch(() => {});
  time.tick(60_000);
  assertEquals(hangs.child.signals, ["SIGKILL"]);
  const message = "file:///handlers.ts has not loaded within 60 s";
  await assertRejects(() => never, Error, message);
  assertStringIncludes(String(hangs.poolChild.failure), message);
  assertEquals((await hangs.poolChild.exited).reason, "load");
  const ended = startingMember();
  ended.child.exit(1);
  await ended.poolChild.exited;
  time.tick(60_000);
  assertEquals(ended.child.signals, []);
});

Deno.test("PoolChild stops the server's loop for a child, and answers with its error", async () => {
  const gate = Promise.withResolvers<void>();
  let calls = 0;
  const shutdown = () => {
    calls++;
    return gate.promise;
  };
  const { child } = fakeMember({ shutdown });
  const results = () =>
    child.sent.map(([message]) => message)
      .filter((message) => message.type === "result");
  child.say({ type: "shutdown", call: 1 });
  assertEquals(calls, 1);
  assertEquals(results(), []);
  gate.resolve();
  while (results().length === 0) await delay(0);
  assertEquals(results(), [{ type: "result", call: 1, error: undefined }]);

  const failing = fakeMember({
    shutdown: () => Promise.reject(new Error("no")),
  });
  failing.child.say({ type: "shutdown", call: 7 });
  await delay(0);
  const [answer] = failing.child.sent.map(([message]) => message)
    .filter((message) => message.type === "result");
  assertEquals(answer.call, 7);
  assertEquals(answer.error?.message, "no");
});

Deno.test("PoolChild kills a child that asks for a second shutdown before the result", () => {
  const { child } = fakeMember({ shutdown: () => new Promise(() => {}) });
  child.say({ type: "shutdown", call: 1 });
  assertEquals(child.signals, []);
  child.say({ type: "shutdown", call: 2 });
  assertEquals(child.signals, ["SIGKILL"]);
});

Deno.test("PoolChild kills a child that does not exit when it is told to", async () => {
  const { child, poolChild } = fakeMember();
  poolChild.leave();
  poolChild.leave();
  assertEquals(child.types.filter((type) => type === "leave"), ["leave"]);
  assertEquals(child.signals, []);
  await within(poolChild.exited);
  assertEquals(child.signals, ["SIGKILL"]);
});

Deno.test("PoolChild tells a child that accepts to leave once all is known that it has accepted", async () => {
  const { child, poolChild } = acceptingMember();
  void poolChild.pause(false, false);
  child.say({ type: "paused" });
  poolChild.leave();
  poolChild.leave();
  void poolChild.pause(false, false); // as when the server goes on after suspend()
  await turn();
  assert(!child.types.includes("leave"));
  child.say({ type: "accepted", ids: [-1], clients: [["127.0.0.1", 1]] });
  child.say({ type: "paused" });
  child.say({ type: "paused" });
  await turn();
  assert(!child.types.includes("leave"));
  child.say({ type: "done", ids: [-1], ms: 1 });
  assertStrictEquals(child.types.at(-1), "leave");
  const pauses = child.sent.map(([message]) => message)
    .filter((message) => message.type === "pause");
  assertEquals(pauses.map(({ paused }) => paused), [false, true, true]);
  await within(poolChild.exited);
});

Deno.test("PoolChild closes what a child passes with a message that it may not send", async () => {
  const messages = [
    { type: "offer", count: 1 }, // a second one
    { type: "returned", credit: 1 }, // more than it has
    { type: "returned", credit: 0, token: "of another" },
  ];
  for (const message of messages) {
    const { child, poolChild } = acceptingMember();
    child.say({ type: "offer", count: 1 });
    let closed = 0;
    child.say(message, { close: () => closed++ });
    assertEquals(closed, 1, Deno.inspect(message));
    assertEquals(child.signals, ["SIGKILL"]);
    await within(poolChild.exited);
  }
});

Deno.test("PoolChild fails a request of a child whose report comes after its exit", async () => {
  const runs: Promise<unknown>[] = [];
  const { child, poolChild } = acceptingMember(
    {},
    (ended) => void runs.push(ended),
  );
  child.exit(0);
  await within(poolChild.exited);
  child.say({ type: "accepted", ids: [-1], clients: [["127.0.0.1", 1]] });
  await assertRejects(
    () => within(runs[0]),
    Error,
    "Child process 1 ended (exit code 0)",
  );
  assertStrictEquals(poolChild.load, 0);
});

Deno.test("PoolChild retires a child for clients that were gone when it accepted them, too", async () => {
  const { child, poolChild } = acceptingMember({ requestsPerChild: 9 });
  const counts = { ms: 1, bytesIn: 0, bytesOut: 0 };
  child.say({ type: "ended", count: 4, gone: 4, ...counts });
  assert(poolChild.open);
  child.say({ type: "ended", count: 0, gone: 1, ...counts });
  assert(!poolChild.open);
  child.say({ type: "paused" });
  await within(poolChild.exited);
});

Deno.test("PoolChild finds a child silent that does not answer, and ends it after childTimeout", async () => {
  const { child, poolChild } = acceptingMember({ childTimeout: 0.05 });
  poolChild.probe();
  child.say({ type: "alive" });
  poolChild.probe();
  assert(!poolChild.accepting.silent);
  poolChild.probe();
  assert(poolChild.accepting.silent);
  child.say({ type: "alive" });
  assert(!poolChild.accepting.silent);
  poolChild.probe();
  poolChild.probe();
  await delay(60);
  assertEquals(child.signals, []);
  poolChild.probe();
  assertEquals(child.signals, ["SIGKILL"]);
  await within(poolChild.exited);
});

Deno.test("PoolChild forgets a request that has ended", async () => {
  const { child, poolChild } = fakeMember();
  const runs = [poolChild.run(fakeJob()), poolChild.run(fakeJob())];
  child.say({ type: "acknowledge", id: 2 });
  child.say({ type: "done", ids: [1, 2], ms: 1 });
  await within(Promise.all(runs));
  assertEquals(poolChild.load, 0);
  assertEquals(poolChild.free, true);
});

Deno.test({
  name:
    "ForkingMixIn: a pool that starts while the server drains tells its children",
  ignore,
  async fn() {
    const drains = Promise.withResolvers<void>();
    class Late extends TCP {
      override async finishRequest(request: Socket, client: InetAddress) {
        await drains.promise;
        await super.finishRequest(request, client);
      }
    }
    const server = new Late(LOCAL, Asks);
    const served = server.serveForever();
    using client = await LineClient.connect(server.serverAddress);
    while (server.status.active < 1) await delay(1);
    const closed = server.serverClose({ timeout: 15 });
    drains.resolve();
    assertStrictEquals(await client.ask("drain"), "aborted");
    client.close();
    assertEquals(await closed, { idle: 0, finished: 1, forced: 0 });
    await served;
  },
});

Deno.test({
  name: "ForkingMixIn starts no pool once the server is closed",
  ignore,
  async fn() {
    const server = new TCP(LOCAL, Asks, { blockOnClose: false });
    await server.serverClose();
    await assertRejects(
      async () => await server.finishRequest({} as Socket, LOCAL),
      Error,
      "the server is closed",
    );
    assertStrictEquals(server.activeChildren, null);
  },
});

Deno.test({
  name:
    "ForkingMixIn: blockOnClose false serves the connections that wait for a child",
  ignore,
  async fn() {
    const options = { blockOnClose: false, maxChildren: 1 };
    const server = new TCP(LOCAL, Asks, options);
    const served = server.serveForever();
    const clients = await Promise.all(
      Array.from({ length: 6 }, () => LineClient.connect(server.serverAddress)),
    );
    while (server.status.active < 6) await delay(1);
    assertStrictEquals(server.activeChildren?.size ?? 0, 1); // it is not ready yet
    await server.serverClose();
    for (const client of clients) {
      assertStrictEquals(await client.ask("served"), "SERVED");
      client.close();
    }
    await server.collectChildren({ blocking: true });
    assertStrictEquals(server.activeChildren!.size, 0);
    await served;
  },
});

Deno.test({
  name:
    "ForkingMixIn: serverClose() refuses the connections that wait for a child when time is up",
  ignore,
  async fn() {
    const options = { requestsPerChild: 1, maxChildren: 1 };
    const server = new TCP(LOCAL, Asks, options);
    const served = server.serveForever();
    using first = await LineClient.connect(server.serverAddress);
    await first.ask("x");
    using second = await LineClient.connect(server.serverAddress);
    while (server.status.active < 2) await delay(1);
    const report = await server.serverClose({ timeout: 0.05 });
    assertEquals(report, { idle: 0, finished: 0, forced: 2 });
    for (const client of [first, second]) {
      const end = await client.line().catch(({ code }) => code);
      assert(["", "ECONNRESET"].includes(end), end);
    }
    assertStrictEquals(server.activeChildren!.size, 0);
    await served;
  },
});

const CUSTOMS = `
import { ForkingTCPServer } from ${
  JSON.stringify(new URL("../mod.ts", import.meta.url).href)
};
import { Asks } from ${
  JSON.stringify(
    new URL("./testdata/forking_handlers.ts", import.meta.url).href,
  )
};
const server = new ForkingTCPServer(["127.0.0.1", 0], Asks);
const served = server.serveForever();
const client = await Deno.connect({ port: server.serverAddress[1] });
await client.write(new TextEncoder().encode("customs\\n"));
const answer = new Uint8Array(99);
const count = await client.read(answer);
console.log(new TextDecoder().decode(answer.subarray(0, count)).trim());
client.close();
await server.serverClose();
await served;
`;

Deno.test({
  name:
    "A child has the time zone, language and colours of its server, which may not read them",
  ignore: ignore || Deno.build.os === "windows",
  async fn() {
    const url = `data:text/javascript,${encodeURIComponent(CUSTOMS)}`;
    const flags = ["--no-prompt", "--allow-net", "--allow-run"];
    for (
      const [env, customs] of [
        [{ TZ: "Asia/Tokyo", LANG: "de_DE.UTF-8", NO_COLOR: "1" }, [
          -540,
          "de-DE",
          true,
        ]],
        [{ TZ: "UTC", LC_ALL: "fr_CA.UTF-8" }, [0, "fr-CA", false]],
      ] as const
    ) {
      for (const allowed of ["--allow-env=NODE_V8_COVERAGE", "--allow-env"]) {
        const { stdout, stderr } = await within(
          boundedCommand(Deno.execPath(), {
            args: ["run", CONFIG, ...flags, allowed, url],
            clearEnv: true,
            env: { HOME: Deno.env.get("HOME") ?? "", ...env },
          }).output(),
        );
        const said = decode(stdout).trim();
        assertStrictEquals(said, JSON.stringify(customs), decode(stderr));
      }
    }
  },
});

Deno.test("PoolChild goes on with a child that has ended before Deno tells", async () => {
  const { child, poolChild } = fakeMember();
  child.ref = child.unref = () => {
    throw new Deno.errors.BadResource("Bad resource ID");
  };
  const run = poolChild.run(fakeJob());
  poolChild.kill("it did not exit when it was told to");
  await assertRejects(() => run, Error, "it did not exit when it was told to");
  assertEquals(child.signals, ["SIGKILL"]);
});
