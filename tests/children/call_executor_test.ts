/** The calls that a server runs for its children, on a stream and with datagrams. */

import {
  datagramExecutor,
  streamExecutor,
} from "../../internal/children/call_executor.ts";
import type { CallMessage } from "../../internal/children/messages.ts";
import {
  type Address,
  AF_INET,
  type InetAddress,
  IPPROTO_TCP,
  OSError,
  PermissionError,
  SO_KEEPALIVE,
  Socket,
  SOL_SOCKET,
  TCP_NODELAY,
} from "../../mod.ts";
import {
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "../deps.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { tcpPair } from "../helpers/sockets.ts";
import { turn } from "../helpers/turns.ts";
import { within } from "../helpers/within.ts";

Deno.test("streamExecutor() runs each operation on the connection", async () => {
  const [client, server] = await tcpPair();
  using _ = client;
  const execute = streamExecutor(server);
  const ask = (operation: string, argument?: unknown) =>
    within(execute({ operation, argument } as CallMessage));
  await client.sendall(bytes("hello"));
  assertEquals(await ask("read", 3), bytes("hel"));
  await ask("write", bytes("answer"));
  assertEquals(text(await client.recv(100)), "answer");
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

Deno.test("streamExecutor() resolves a write once the connection has taken the data", async () => {
  const taken = Promise.withResolvers<void>();
  const execute = streamExecutor(
    { sendall: () => taken.promise } as unknown as Socket,
  );
  const argument = bytes("x");
  let done = false;
  const written = execute({ operation: "write", argument } as CallMessage)
    .then(() => done = true);
  await turn();
  assertStrictEquals(done, false);
  taken.resolve();
  await within(written);
});

Deno.test("streamExecutor() rejects to half-close a closed connection, and does not throw", async () => {
  const closed = new Socket();
  closed.close();
  const ending = streamExecutor(closed)(
    { operation: "closeWrite" } as CallMessage,
  );
  const error = await assertRejects(() => ending, OSError);
  assertStrictEquals(error.code, "EBADF");
});

Deno.test("datagramExecutor() sends to the client and to permitted addresses only", async () => {
  const sent: unknown[] = [];
  const socket = {
    family: AF_INET,
    sendto: (_: Uint8Array, to: Address) => Promise.resolve(sent.push(to)),
  } as unknown as Socket;
  const ask = (net: true | string[], address: Address) =>
    datagramExecutor(socket, ["10.0.0.1", 5], { net })({
      operation: "sendto",
      argument: bytes("x"),
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
