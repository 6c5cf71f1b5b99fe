/** How a child process handles requests, and how children start and end. */

import { type InetAddress, MSG_PEEK, SHUT_WR, type Socket } from "../../mod.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
} from "../deps.ts";
import { mayFork } from "../helpers/allowed.ts";
import { bytes, digest, text } from "../helpers/bytes.ts";
import { assertEnd, dial, LineClient } from "../helpers/clients.ts";
import { serving, TCP } from "../helpers/forking.ts";
import { recvToEnd } from "../helpers/sockets.ts";
import { Asks } from "../testdata/forking_handlers.ts";
import { until } from "../helpers/within.ts";

const LOCAL: InetAddress = ["127.0.0.1", 0];
const ignore = !mayFork;

/** A server that peeks at some connections, which it therefore relays. */
class Peeking extends TCP {
  /** Whether to peek at the next connection. */
  peeks: () => boolean = () => false;

  override async verifyRequest(request: Socket): Promise<boolean> {
    if (!this.peeks()) return true;
    return text(await request.recv(1, MSG_PEEK)) !== "!";
  }
}

/** A child sends all data before it closes the connection, awaited or not. */
async function checkFlood(server: TCP): Promise<void> {
  using client = await dial(server.serverAddress);
  await client.sendall(bytes("flood\n"));
  const data = await recvToEnd(client);
  assertStrictEquals(data.length, 2 * 128 * 65536);
  for (let i = 0; i < 256; i++) assertStrictEquals(data[i * 65536], i % 128);
}

/** `send` sends all in a child, too. */
async function checkSend(server: TCP): Promise<void> {
  using client = await dial(server.serverAddress);
  await client.sendall(bytes("send\n"));
  await client.shutdown(SHUT_WR);
  const data = await recvToEnd(client);
  assertStrictEquals(text(data.subarray(2_000_000)), "2000000\n");
}

const DATA = new Uint8Array(3_000_000).map((_, i) => i * 7);

async function checkUpload(server: TCP): Promise<void> {
  using client = await dial(server.serverAddress);
  await client.sendall(bytes("upload\n"));
  await client.sendall(DATA);
  await client.shutdown(SHUT_WR);
  assertStrictEquals(
    text(await recvToEnd(client)),
    `${DATA.length} ${digest(DATA)}\n`,
  );
}

/** A child half-closes, and reads on. */
async function checkHalfClose(server: TCP): Promise<void> {
  using client = await dial(server.serverAddress);
  await client.sendall(bytes("half\n"));
  assertStrictEquals(text(await recvToEnd(client)), "bye\n");
  await client.sendall(bytes("12345"));
  await client.shutdown(SHUT_WR);
  const { error } = await server.reports.next();
  assertStrictEquals(error.message, "read 5 after its end");
}

/** A child knows the addresses of a connection, and forgets it at its end. */
async function checkRequests(server: TCP): Promise<void> {
  for (let i = 0; i < 3; i++) {
    await until(() => server.status.active === 0);
    using client = await LineClient.connect(server.serverAddress);
    assertStrictEquals(await client.ask("active"), "1");
    const me = client.socket.getsockname();
    assertEquals(JSON.parse(await client.ask("names")), [
      me,
      me,
      server.serverAddress,
    ]);
  }
}

/** Talks with many clients at once. */
async function checkMany(server: TCP): Promise<void> {
  await Promise.all(Array.from({ length: 30 }, async (_, i) => {
    using client = await LineClient.connect(server.serverAddress);
    for (let round = 0; round < 5; round++) {
      assertStrictEquals(await client.ask(`c${i}x${round}`), `C${i}X${round}`);
    }
  }));
}

Deno.test({
  name:
    "A child serves connections that were passed, connections that are relayed, and both at once",
  ignore,
  async fn() {
    await using server = new Peeking(LOCAL, Asks, { maxChildren: 1 });
    await using _ = serving(server);
    for (const relays of [false, true]) {
      server.peeks = () => relays;
      await checkFlood(server);
      await checkSend(server);
      await checkUpload(server);
      await checkHalfClose(server);
      await checkRequests(server);
    }
    let count = 0;
    server.peeks = () => count++ % 2 === 0;
    await checkMany(server);
    server.peeks = () => true;
    using refused = await dial(server.serverAddress);
    await refused.sendall(bytes("!"));
    await assertEnd(refused);
    assertStrictEquals(server.reports.left, 0);
    assertStrictEquals(server.activeChildren!.size, 1);
  },
});

Deno.test({
  name:
    "ForkingMixIn: a pool that starts during the drain tells its children of it",
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
    await until(() => server.status.active >= 1);
    const closed = server.serverClose({ timeout: 30 });
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
    await until(() => server.status.active >= 6);
    assertStrictEquals(server.activeChildren?.size ?? 0, 1); // the child is not ready
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
    "ForkingMixIn: serverClose() drains, counts requests, and ends all children",
  ignore,
  async fn() {
    const server = new TCP(LOCAL, Asks, { maxChildren: 1 });
    const served = server.serveForever();
    using a = await LineClient.connect(server.serverAddress);
    using b = await LineClient.connect(server.serverAddress);
    await a.ask("x");
    await b.ask("x");
    await a.send("drain");
    const closing = server.serverClose();
    assertStrictEquals(await a.line(), "aborted");
    a.close();
    await until(() => server.status.active <= 1);
    await server.serverClose({ timeout: 0 });
    assertEquals(await closing, { idle: 0, finished: 1, forced: 1 });
    assertStrictEquals(await b.line().catch(({ code }) => code), "");
    assertStrictEquals(server.activeChildren!.size, 0);
    assertStrictEquals(server.reports.left, 0);
    await served;
    const none = { idle: 0, finished: 0, forced: 0 };
    assertEquals(await server.serverClose(), none);
  },
});

Deno.test({
  name:
    "ForkingMixIn: serverClose() closes the connections that wait for a child at its timeout",
  ignore,
  async fn() {
    const options = { requestsPerChild: 1, maxChildren: 1 };
    const server = new TCP(LOCAL, Asks, options);
    const served = server.serveForever();
    using first = await LineClient.connect(server.serverAddress);
    await first.ask("x");
    using second = await LineClient.connect(server.serverAddress);
    await until(() => server.status.active >= 2);
    const report = await server.serverClose({ timeout: 0.05 });
    assertEquals(report, { idle: 0, finished: 0, forced: 2 });
    for (const client of [first, second]) await assertEnd(client.socket);
    assertStrictEquals(server.activeChildren!.size, 0);
    await served;
  },
});

Deno.test({
  name:
    "ForkingMixIn: requestsPerChild 1 starts a process for each request, also for one that has waited for maxChildren or during the drain",
  ignore,
  async fn() {
    const options = { maxChildren: 1, requestsPerChild: 1 };
    const server = new TCP(LOCAL, Asks, options);
    const served = server.serveForever();
    const clients: LineClient[] = [];
    const connect = async (): Promise<LineClient> => {
      const client = await LineClient.connect(server.serverAddress);
      clients.push(client);
      await until(() => server.status.active >= clients.length);
      return client;
    };
    const first = await connect();
    const pids = [await first.ask("pid")];
    const second = await connect();
    server.maxChildren = 2;
    pids.push(await second.ask("pid"));
    const third = await connect();
    assertStrictEquals(server.activeChildren!.size, 2);
    const closing = server.serverClose({ timeout: 30 });
    first.close(); // makes room for the third, in a child of its own
    assertStrictEquals(await third.ask("drain"), "aborted");
    pids.push(await third.ask("pid"));
    assertStrictEquals(new Set(pids).size, 3);
    for (const client of clients) client.close();
    assertEquals(await closing, { idle: 0, finished: 3, forced: 0 });
    assert(!pids.includes(String(Deno.pid)));
    await served;
  },
});
