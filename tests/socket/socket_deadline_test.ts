/** Socket.setdeadline() and Socket.lingeringClose(). */

import { SHUT_WR, Socket, TimeoutError } from "../../socket.ts";
import { assertEquals, assertRejects, assertThrows } from "../deps.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { recvToEnd, tcpPair } from "../helpers/sockets.ts";
import { codeOf } from "../helpers/thrown.ts";
import { turn } from "../helpers/turns.ts";
import { within } from "../helpers/within.ts";

Deno.test("Socket.setdeadline() takes seconds and null, and nothing else", () => {
  using socket = new Socket();
  for (const seconds of [0, 0.5, null]) socket.setdeadline(seconds);
  for (const wrong of [-1, NaN, Infinity]) {
    assertThrows(() => socket.setdeadline(wrong), RangeError);
  }
  socket.close();
  const { code } = assertThrows(() => socket.setdeadline(1)) as Error & {
    code?: string;
  };
  assertEquals(code, "EBADF");
});

Deno.test("Socket.setdeadline() is named by the error, and so is a timeout that ends sooner", async () => {
  const [client, server] = await tcpPair();
  using _client = client;
  using _server = server;
  server.setdeadline(0.05);
  await turn(); // of which the deadline has less left
  await within(assertRejects(
    () => server.recv(1),
    TimeoutError,
    "Cannot recv: the deadline of 0.05 s has passed (ETIMEDOUT)",
  ));
  server.setdeadline(60);
  server.settimeout(0.02);
  await within(assertRejects(
    () => server.recv(1),
    TimeoutError,
    "Cannot recv: timed out after 0.02 s (ETIMEDOUT)",
  ));
});

Deno.test("Socket.setdeadline() ends the wait of a peer that sends a byte now and then", async () => {
  const [client, server] = await tcpPair();
  using _client = client;
  using _server = server;
  server.settimeout(60); // each byte is in time
  server.setdeadline(0.15);
  const drip = setInterval(() => client.send(bytes("x")), 20);
  try {
    const file = server.makefile("rb");
    await within(
      assertRejects(
        () => file.readexactly(1_000_000),
        TimeoutError,
        "deadline",
      ),
    );
    file.close();
  } finally {
    clearInterval(drip);
  }
});

Deno.test("Socket.setdeadline() leaves data that is there, the timeout of each call, and calls that do not wait", async () => {
  const [client, server] = await tcpPair();
  using _client = client;
  using _server = server;
  server.setdeadline(0);
  await within(assertRejects(() => server.recv(1), TimeoutError));
  server.setdeadline(60);
  server.settimeout(0.01);
  await within(assertRejects(() => server.recv(1), TimeoutError));
  server.setblocking(false);
  assertEquals(await codeOf(() => server.recv(1)), "EAGAIN");
  server.setblocking(true);
  server.setdeadline(null);
  const received = server.recv(9);
  await client.sendall(bytes("late"));
  assertEquals(text(await within(received)), "late");
  assertEquals(server.gettimeout(), null);
});

Deno.test("Socket.lingeringClose() lets a peer that is sending still have the answer", async () => {
  const [client, server] = await tcpPair();
  using _client = client;
  const sent = client.sendall(new Uint8Array(16 << 20));
  await server.sendall(bytes("too large"));
  const closed = server.lingeringClose();
  await within(sent); // it was not reset
  assertEquals(text(await recvToEnd(client)), "too large");
  await client.shutdown(SHUT_WR);
  await within(closed);
  assertEquals(server.fileno(), -1);
});

Deno.test("Socket.lingeringClose() does not wait longer than it may, for the end or for more", async () => {
  for (const [seconds, timeout] of [[0.05, 60], [60, 0.05]]) {
    const [client, server] = await tcpPair();
    using _client = client;
    await client.sendall(new Uint8Array(10));
    await within(server.lingeringClose(seconds, timeout));
    assertEquals(server.fileno(), -1);
  }
});

Deno.test("Socket.lingeringClose() does not mind a peer that has gone, or no connection", async () => {
  const [client, server] = await tcpPair();
  client.abort();
  await within(server.lingeringClose());
  await within(server.lingeringClose());
  await within(new Socket().lingeringClose());
});
