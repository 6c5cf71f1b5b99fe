import { createConnection, OSError, select, Socket } from "../../socket.ts";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
} from "../deps.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { listen, tcpPair, udp } from "../helpers/sockets.ts";
import { codeOf } from "../helpers/thrown.ts";
import { within } from "../helpers/within.ts";

Deno.test("select() gives what is ready of each list, in its order", async () => {
  const [client, server] = await tcpPair();
  using listener = listen();
  using receiver = udp();
  assertEquals(
    await select([client, server, listener, receiver], [client, receiver], [
      client,
    ], 0),
    [
      [],
      [client, receiver],
      [],
    ],
  );
  await client.sendall(bytes("x"));
  using knocking = new Socket();
  await knocking.connect(listener.getsockname());
  using sender = udp();
  await sender.sendto(bytes("x"), receiver.getsockname());
  let ready: Socket[] = [];
  while (ready.length < 3) {
    [ready] = await within(
      select([receiver, client, listener, server], [], []),
    );
  }
  assertEquals(ready, [receiver, listener, server]);
  const [accepted] = await listener.accept();
  assertEquals(text(await server.recv(9)), "x");
  assertEquals(await select([listener, server], [], [], 0), [[], [], []]);
  for (const socket of [client, server, accepted]) socket.close();
});

Deno.test("select() takes numbers, and whatever has a fileno", async () => {
  const [client, server] = await tcpPair();
  const serverLike = { fileno: () => server.fileno(), name: "echo" };
  await client.sendall(bytes("x"));
  assertEquals((await within(select(new Set([serverLike]), [], [])))[0], [
    serverLike,
  ]);
  assertEquals((await within(select([], [client.fileno()], [])))[1], [
    client.fileno(),
  ]);
  assertEquals((await within(select([server.fileno()], [], [])))[0], [
    server.fileno(),
  ]);
  client.close();
  server.close();
});

Deno.test("select() watches several listeners at once", async () => {
  const listeners = Array.from({ length: 5 }, () => listen());
  for (const index of [3, 0, 4]) {
    const waiting = select(listeners, [], []);
    const client = await createConnection(listeners[index].getsockname());
    assertEquals(await within(waiting), [[listeners[index]], [], []]);
    const [server] = await listeners[index].accept();
    server.close();
    client.close();
  }
  for (const listener of listeners) listener.close();
});

Deno.test("select() ends after the timeout with nothing", async () => {
  using listener = listen();
  const begin = performance.now();
  assertEquals(await within(select([listener], [], [], 0.03)), [[], [], []]);
  assert(performance.now() - begin >= 29);
  assertEquals(await within(select([], [], [], 0.01)), [[], [], []]);
  await assertRejects(() => select([], [], [], -1), RangeError, "got -1");
});

Deno.test("select() finds ready what ends a call at once", async () => {
  using fresh = new Socket();
  const [client, server] = await tcpPair();
  server.close();
  assertEquals(await within(select([fresh], [fresh], [])), [
    [fresh],
    [fresh],
    [],
  ]);
  assertEquals((await within(select([client], [], [])))[0], [client]); // the end of the stream
  assertEquals(await client.recv(1), bytes(""));
  client.close();
});

Deno.test("select() refuses closed sockets and unknown numbers", async () => {
  const closed = new Socket();
  const number = closed.fileno();
  closed.close();
  for (const item of [closed, -1, number, 99999, { fileno: () => -1 }]) {
    assertEquals(await codeOf(() => select([item], [], [], 0)), "EBADF");
    assertEquals(await codeOf(() => select([], [item], [], 0)), "EBADF");
    assertEquals(await codeOf(() => select([], [], [item], 0)), "EBADF");
  }
  const error = await assertRejects(() => select([99999], [], []), OSError);
  assertEquals(
    error.message,
    "Cannot select: no open socket has the number 99999 (EBADF)",
  );
  assertInstanceOf(error, OSError);
});

Deno.test("select() wakes when a socket that it watches is closed", async () => {
  const listener = listen();
  const [client, server] = await tcpPair();
  for (const socket of [listener, client]) {
    const waiting = select([socket], [], []);
    socket.close();
    assertEquals((await within(waiting))[0], [socket]);
  }
  server.close();
});
