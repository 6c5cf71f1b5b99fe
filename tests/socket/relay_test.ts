/** relay(): bytes and ends in both directions, back-pressure, and what a failure of one side does to the other. */

import {
  AF_INET,
  AF_UNIX,
  ConnectionResetError,
  MSG_PEEK,
  OSError,
  relay,
  select,
  SHUT_WR,
  SOCK_DGRAM,
  Socket,
  socketpair,
  TimeoutError,
} from "../../socket.ts";
import { fragment, memorySocketpair, resume, stall } from "../../testing.ts";
import {
  assert,
  assertEquals,
  assertLess,
  assertRejects,
  assertStrictEquals,
  fakeTime,
} from "../deps.ts";
import { granted, haveUnix } from "../helpers/allowed.ts";
import {
  bytes,
  concat,
  cut,
  digest,
  randomBytes,
  seeded,
  text,
} from "../helpers/bytes.ts";
import {
  recvToEnd,
  tcpPair,
  tcpSocketAndConn,
  tcpSocketAndReset,
} from "../helpers/sockets.ts";
import {
  authority,
  clientContext,
  localhost,
  serverContext,
} from "../helpers/ssl.ts";
import { codeOf } from "../helpers/thrown.ts";
import { compute, FrozenClock, turn } from "../helpers/turns.ts";
import { untilStill, within as soon } from "../helpers/within.ts";

/** A client and a server, with a relay between them. */
class Relayed implements Disposable {
  readonly client: Socket;
  readonly server: Socket;
  /** The ends of the relay. */
  readonly ends: [Socket, Socket];

  constructor(bufferSize?: number) {
    const [client, near] = memorySocketpair({ bufferSize });
    const [far, server] = memorySocketpair({ bufferSize });
    this.client = client;
    this.server = server;
    this.ends = [near, far];
  }

  get closed(): boolean[] {
    return this.ends.map((socket) => socket.fileno() === -1);
  }

  [Symbol.dispose](): void {
    for (const socket of [this.client, this.server, ...this.ends]) {
      socket.abort();
    }
  }
}

Deno.test("relay() passes bytes in both directions, and each end as a half-close", async () => {
  using pair = new Relayed();
  const { client, server } = pair;
  const relaying = relay(...pair.ends);
  await client.sendall(bytes("question"));
  await client.shutdown(SHUT_WR);
  assertEquals(text(await recvToEnd(server)), "question");
  await server.sendall(bytes("a long answer"));
  assertEquals(text(await soon(client.recv(99))), "a long answer");
  server.close();
  assertEquals(await client.recv(99), new Uint8Array(0));
  assertEquals(await soon(relaying), { sent: 8, received: 13 });
  assertEquals(pair.closed, [false, false]); // they are the caller's
});

Deno.test("relay() goes on with one direction after the server has ended the other", async () => {
  using pair = new Relayed();
  const relaying = relay(...pair.ends);
  await pair.server.shutdown(SHUT_WR);
  assertEquals(await soon(pair.client.recv(9)), new Uint8Array(0));
  await pair.client.sendall(bytes("still there"));
  assertEquals(text(await soon(pair.server.recv(99))), "still there");
  pair.client.close();
  assertEquals(await soon(relaying), { sent: 11, received: 0 });
});

Deno.test("relay() passes on what a socket has received before", async () => {
  using pair = new Relayed();
  const { client, server, ends: [near] } = pair;
  await client.sendall(bytes("hello"));
  assertEquals(text(await near.recv(1)), "h");
  assertEquals(text(await near.recv(9, MSG_PEEK)), "ello");
  await select([near], [], [], 5);
  const relaying = relay(...pair.ends);
  client.close();
  assertEquals(text(await recvToEnd(server)), "ello");
  server.close();
  assertEquals(await soon(relaying), { sent: 4, received: 0 });
});

Deno.test("relay() delivers all bytes of both sides, whatever their pieces", async () => {
  const random = seeded(17);
  for (const bufferSize of [1000, 1000000]) {
    using pair = new Relayed(bufferSize);
    const { client, server } = pair;
    const relaying = relay(...pair.ends);
    const sides = await soon(Promise.all(
      [[client, server], [server, client]].map(async ([from, to]) => {
        const sent: Uint8Array[] = [];
        const received = recvToEnd(to);
        for (const most of [300000, 10, 5000, 100, 300000]) { // busy, calm, busy again
          const data = randomBytes(3 * most, random);
          for (const piece of cut(data, random, most)) {
            await from.sendall(piece);
            if (most < 1000) await turn();
          }
          sent.push(data);
        }
        await from.shutdown(SHUT_WR);
        return [digest(concat(sent)), digest(await received)];
      }),
    ));
    for (const [sent, received] of sides) assertEquals(received, sent);
    const { sent, received } = await soon(relaying);
    assertEquals({ sent, received }, { sent: 1815330, received: 1815330 });
  }
});

Deno.test("relay() passes on bytes that arrive one at a time", async () => {
  using pair = new Relayed();
  const relaying = relay(...pair.ends);
  fragment(pair.client);
  fragment(pair.server);
  await pair.client.sendall(bytes("abc"));
  await pair.server.sendall(bytes("xyz"));
  pair.client.shutdown(SHUT_WR);
  assertEquals(text(await recvToEnd(pair.server)), "abc");
  pair.server.shutdown(SHUT_WR);
  assertEquals(text(await recvToEnd(pair.client)), "xyz");
  assertEquals(await soon(relaying), { sent: 3, received: 3 });
});

Deno.test("relay() resets the other side when one is reset", async () => {
  for (
    const [from, to] of [["client", "server"], ["server", "client"]] as const
  ) {
    using pair = new Relayed();
    const relaying = relay(...pair.ends);
    await pair[from].sendall(bytes("part"));
    assertEquals(text(await soon(pair[to].recv(99))), "part");
    pair[from].abort();
    await assertRejects(() => soon(relaying), ConnectionResetError);
    assertEquals(await codeOf(() => pair[to].recv(99)), "ECONNRESET");
    assertEquals(pair.closed, [true, true]);
  }
});

/**
 * A connection that a reset ends as in Linux: the write in flight fails, and the read finds an end, here long before.
 */
function resetInWrite(): { socket: Socket; reset: () => void } {
  const { promise: gone, resolve } = Promise.withResolvers<void>();
  const addr = { transport: "tcp", hostname: "127.0.0.1", port: 9 } as const;
  const socket = Socket.from({
    localAddr: addr,
    remoteAddr: addr,
    read: () => gone.then(() => null),
    write: async () => {
      await gone;
      for (let turns = 0; turns < 9; turns++) await turn();
      throw new Deno.errors.ConnectionReset("reset");
    },
    closeWrite: () => Promise.resolve(),
    close() {},
  });
  return { socket, reset: resolve };
}

Deno.test("relay() passes on no end that a reset is behind", async () => {
  const [client, end] = memorySocketpair();
  const { socket, reset } = resetInWrite();
  const relaying = codeOf(() => relay(end, socket));
  await client.sendall(bytes("upload"));
  await turn();
  reset();
  assertEquals(await relaying, "ECONNRESET");
  assertEquals(await codeOf(() => client.recv(99)), "ECONNRESET");
  client.close();
});

Deno.test("relay() resets the sender when the receiver is gone", async () => {
  using pair = new Relayed(10);
  const { client, server } = pair;
  const relaying = relay(...pair.ends);
  server.close();
  assertEquals(await client.recv(9), new Uint8Array(0)); // an end, so far
  await client.sendall(bytes("into the void"));
  assertEquals(await codeOf(() => relaying), "EPIPE");
  assertEquals(await codeOf(() => client.sendall(new Uint8Array(99))), "EPIPE");
});

Deno.test("relay() holds back a sender whose receiver is slow", async () => {
  using pair = new Relayed(1000);
  const { client, server } = pair;
  const relaying = relay(...pair.ends);
  let sent = 0;
  const sending = (async () => {
    for (; sent < 1000000; sent += 1000) {
      await client.sendall(new Uint8Array(1000));
    }
    await client.shutdown(SHUT_WR);
  })();
  let before = -1;
  while (before < sent) {
    before = sent;
    for (let turns = 0; turns < 100; turns++) await turn();
  }
  assertLess(sent, 20000);
  assertEquals((await recvToEnd(server)).length, 1000000);
  await soon(sending);
  server.close();
  assertEquals(await soon(relaying), { sent: 1000000, received: 0 });
});

Deno.test("relay() fails after its timeout without a byte, and only then", async () => {
  using clock = new FrozenClock();
  using time = await fakeTime();
  const pass = async (seconds: number) => {
    clock.advance(1000 * seconds);
    await time.tickAsync(1000 * seconds);
    for (let turns = 0; turns < 4; turns++) await turn();
  };
  using pair = new Relayed();
  const failed = relay(...pair.ends, { timeout: 60 }).catch((error) => error);
  for (const side of [pair.client, pair.server, pair.client]) {
    await pass(59);
    await side.sendall(bytes("x"));
    await pass(0);
  }
  await pass(59);
  assertEquals(pair.closed, [false, false]);
  await pass(1);
  const error = await failed;
  assertEquals(pair.closed, [true, true]);
  assert(error instanceof TimeoutError);
  const message = "Cannot relay: no byte came for 60 s (ETIMEDOUT)";
  assertEquals(error.message, message);
});

Deno.test("relay() does not fail if the program kept the event loop from looking at bytes that came in time", async () => {
  const [[client, near], [server, far]] = [await tcpPair(), await tcpPair()];
  using _near = near;
  using _far = far;
  const relaying = relay(near, far, { timeout: 0.05 });
  client.sendall(bytes("in time"));
  compute(100);
  client.close();
  server.close();
  assertEquals(await soon(relaying), { sent: 7, received: 0 });
});

Deno.test("relay() takes no notice of the timeouts of its sockets", async () => {
  using pair = new Relayed();
  for (const socket of pair.ends) socket.settimeout(0);
  const relaying = relay(...pair.ends, { timeout: 3600 });
  stall(pair.client);
  await pair.client.sendall(bytes("late"));
  await pair.client.shutdown(SHUT_WR);
  for (let turns = 0; turns < 10; turns++) await turn();
  resume(pair.client);
  assertEquals(text(await recvToEnd(pair.server)), "late");
  pair.server.close();
  assertEquals(await soon(relaying), { sent: 4, received: 0 });
});

Deno.test("relay() ends when its signal aborts", async () => {
  const reason = new Error("enough");
  for (const before of [true, false]) {
    using pair = new Relayed();
    const controller = new AbortController();
    if (before) controller.abort(reason);
    const relaying = relay(...pair.ends, { signal: controller.signal });
    relaying.catch(() => {});
    controller.abort(reason);
    assertStrictEquals(await assertRejects(() => soon(relaying)), reason);
    assertEquals(pair.closed, [true, true]);
    assertEquals(await codeOf(() => pair.client.recv(9)), "ECONNRESET");
  }
});

Deno.test("relay() refuses what it cannot join, and leaves it open", async () => {
  using pair = new Relayed();
  const [near, far] = pair.ends;
  using unconnected = new Socket();
  using datagram = new Socket(AF_INET, SOCK_DGRAM);
  await assertRejects(() => relay(near, near), TypeError, "itself");
  await assertRejects(() => relay(near, datagram), TypeError, "stream");
  await assertRejects(() => relay({} as Socket, far), TypeError, "stream");
  assertEquals(await codeOf(() => relay(near, unconnected)), "ENOTCONN");
  for (const timeout of [0, -1, NaN, Infinity]) {
    await assertRejects(
      () => relay(near, far, { timeout }),
      RangeError,
      "timeout",
    );
  }
  const text = { timeout: "5" as unknown as number };
  await assertRejects(() => relay(near, far, text), TypeError, "timeout");
  const signal = {} as AbortSignal;
  await assertRejects(() => relay(near, far, { signal }), TypeError, "signal");
  assertEquals(pair.closed, [false, false]);
  far.close();
  assertEquals(await codeOf(() => relay(near, far)), "EBADF");
});

/** Resident memory in MiB. */
function resident(): number {
  return Deno.memoryUsage().rss / 2 ** 20;
}

Deno.test({
  name: "relay() passes 256 MB to a slow reader in little memory",
  ignore: !granted("net"),
  async fn() {
    const [client, near] = await tcpPair();
    const [far, server] = await tcpPair();
    const total = 256_000_000;
    const piece = new Uint8Array(1_000_000);
    const target = new Uint8Array(262144);
    const before = resident();
    const relaying = relay(near, far);
    let sent = 0;
    const sending = (async () => {
      for (; sent < total; sent += piece.length) await client.sendall(piece);
      client.close();
    })();
    await untilStill(() => sent, 100); // the kernel's buffers are full
    assertLess(sent, 64_000_000);
    let received = 0;
    for (let count; (count = await soon(server.recvInto(target))) > 0;) {
      received += count;
    }
    const grown = resident() - before;
    assertEquals(received, total);
    assertLess(grown, 64);
    await sending;
    server.close();
    assertEquals(await soon(relaying), { sent: total, received: 0 });
    for (const socket of [near, far]) socket.close();
  },
});

Deno.test({
  name: "relay() over TCP answers a reset with a reset",
  ignore: !granted("net") || Deno.build.os === "windows",
  async fn() {
    const [far, reset] = await tcpSocketAndReset();
    const [near, client] = await tcpSocketAndConn();
    const relaying = relay(near, far);
    const reading = client.read(new Uint8Array(9));
    reading.catch(() => {});
    reset();
    await assertRejects(() => soon(relaying), ConnectionResetError);
    await assertRejects(() => soon(reading), Deno.errors.ConnectionReset);
    client.close();
    await near.waitClosed();
  },
});

Deno.test({
  name:
    "relay() over TCP resets a client that is slow, once it has taken the last bytes",
  ignore: !granted("net") || Deno.build.os === "windows",
  async fn() {
    const [server, far] = await tcpPair();
    const [near, client] = await tcpSocketAndConn();
    const controller = new AbortController();
    const relaying = relay(near, far, { signal: controller.signal });
    relaying.catch(() => {});
    let sent = 0;
    const sending = (async () => {
      for (;; sent++) await server.sendall(new Uint8Array(100_000));
    })();
    sending.catch(() => {});
    await untilStill(() => sent, 50); // the client holds everything up
    controller.abort();
    const buffer = new Uint8Array(100_000);
    const reading = (async () => {
      while (await client.read(buffer) !== null);
    })();
    await assertRejects(() => soon(reading), Deno.errors.ConnectionReset);
    await assertRejects(() => soon(relaying), DOMException);
    await assertRejects(() => soon(sending), OSError);
    client.close();
    for (const socket of [server, near, far]) socket.close();
    await Promise.all([near.waitClosed(), far.waitClosed()]);
  },
});

Deno.test("relay() waits a second for a client that reads nothing, and then aborts", async () => {
  using time = await fakeTime();
  using pair = new Relayed(10);
  const controller = new AbortController();
  const { signal } = controller;
  const failed = relay(...pair.ends, { signal }).catch((error) => error.name);
  await pair.server.sendall(new Uint8Array(20));
  for (let turns = 0; turns < 9; turns++) await turn();
  controller.abort();
  for (let turns = 0; turns < 9; turns++) await turn();
  assertEquals(pair.closed, [false, true]); // the server hears at once
  await time.tickAsync(1000);
  assertEquals(await failed, "AbortError");
  assertEquals(pair.closed, [true, true]);
});

Deno.test({
  name: "relay() joins TCP and a Unix socket",
  ignore: !haveUnix,
  async fn() {
    const [client, near] = await tcpPair();
    const [far, server] = await socketpair(AF_UNIX);
    const relaying = relay(near, far);
    await client.sendall(bytes("over"));
    client.shutdown(SHUT_WR);
    assertEquals(text(await recvToEnd(server)), "over");
    await server.sendall(bytes("back"));
    server.close();
    assertEquals(text(await recvToEnd(client)), "back");
    assertEquals(await soon(relaying), { sent: 4, received: 4 });
    for (const socket of [client, near, far]) socket.close();
  },
});

Deno.test({
  name: "relay() does not end TLS as if all was sent when the server resets",
  ignore: !granted("net"),
  async fn() {
    const [plain, accepted] = await tcpPair();
    const [client, near] = await soon(Promise.all([
      clientContext().wrapSocket(plain, {
        serverHostname: "localhost",
        suppressRaggedEofs: false,
      }),
      serverContext().wrapSocket(accepted, { serverSide: true }),
    ]));
    using _client = client;
    const [far, reset] = await tcpSocketAndReset();
    const relaying = relay(near, far);
    const reading = client.recv(9);
    reading.catch(() => {});
    reset();
    await assertRejects(() => soon(relaying), ConnectionResetError);
    await assertRejects(() => soon(reading), OSError);
  },
});

Deno.test({
  name: "relay() ends TLS: its clear text goes over TCP",
  ignore: !granted("net"),
  async fn() {
    using listener = Deno.listenTls({
      hostname: "127.0.0.1",
      port: 0,
      cert: localhost.cert,
      key: localhost.key,
    });
    const { port } = listener.addr;
    const [near, client] = await Promise.all([
      listener.accept(),
      Deno.connectTls({
        hostname: "localhost",
        port,
        caCerts: [authority.cert],
      }),
    ]);
    const [far, server] = await tcpPair();
    using tls = Socket.from(client);
    using first = Socket.from(near);
    const relaying = relay(first, far);
    const data = new Uint8Array(300000).fill(7);
    const sending = tls.sendall(data).then(() => tls.shutdown(SHUT_WR));
    assertEquals(digest(await recvToEnd(server)), digest(data));
    await server.sendall(bytes("done"));
    server.close();
    assertEquals(text(await recvToEnd(tls)), "done");
    await sending;
    assertEquals(await soon(relaying), { sent: 300000, received: 4 });
    far.close();
  },
});
