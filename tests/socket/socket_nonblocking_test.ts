import {
  AF_INET,
  BlockingIOError,
  MSG_DONTWAIT,
  MSG_PEEK,
  select,
  SO_ERROR,
  SOCK_DGRAM,
  Socket,
  SOL_SOCKET,
} from "../../socket.ts";
import { assertEquals, assertRejects } from "../deps.ts";
import { bytes, text } from "../helpers/bytes.ts";
import {
  deadPort,
  listen,
  portOf,
  recvToEnd,
  tcpPair,
  udp,
} from "../helpers/sockets.ts";
import { codeOf, ERRNO } from "../helpers/thrown.ts";
import { within } from "../helpers/within.ts";

const MIB = 1024 * 1024;

/** A listener whose backlog is full: who connects now has to wait. */
async function fullListener(): Promise<[Socket, Socket[]]> {
  const listener = listen(AF_INET, 1);
  const clients = [new Socket(), new Socket()];
  for (const client of clients) await client.connect(listener.getsockname());
  return [listener, clients];
}

/** Whether a full backlog makes others wait here. */
const backlogHolds = Deno.build.os === "linux";

Deno.test("Socket with timeout 0 throws if it would wait, and then has the data", async () => {
  using listener = listen();
  listener.setblocking(false);
  assertEquals(await codeOf(() => listener.accept()), "EAGAIN");
  using client = new Socket();
  await client.connect(listener.getsockname());
  await select([listener], [], [], 20);
  const [server] = await listener.accept();
  server.setblocking(false);
  const error = await assertRejects(() => server.recv(9), BlockingIOError);
  assertEquals(
    error.message,
    "Cannot recv: Resource temporarily unavailable (EAGAIN)",
  );
  for (
    const call of [
      () => server.recvInto(new Uint8Array(1)),
      () => server.recv(1, MSG_PEEK),
    ]
  ) {
    assertEquals(await codeOf(call), "EAGAIN");
  }
  await client.sendall(bytes("data"));
  assertEquals(await select([server], [], [], 20), [[server], [], []]);
  assertEquals(text(await server.recv(9)), "data");
  assertEquals(await codeOf(() => server.recv(9)), "EAGAIN");
  server.close();
});

Deno.test("Socket with timeout 0 finds data that the system has already", async () => {
  const [client, server] = await tcpPair();
  await client.sendall(bytes("there")); // over the loopback it has arrived
  server.setblocking(false);
  assertEquals(text(await server.recv(9)), "there");
  using receiver = udp();
  receiver.setblocking(false);
  assertEquals(await codeOf(() => receiver.recvfrom(9)), "EAGAIN");
  using sender = udp();
  await sender.sendto(bytes("datagram"), receiver.getsockname());
  await select([receiver], [], [], 20);
  assertEquals(text(await receiver.recv(9)), "datagram");
  client.close();
  server.close();
});

Deno.test("Socket.send() with timeout 0 throws if the peer reads too slowly", async () => {
  const [client, server] = await tcpPair();
  let sent = 0;
  while (
    await codeOf(async () =>
      sent += await client.send(new Uint8Array(MIB), MSG_DONTWAIT)
    ) === undefined
  );
  assertEquals(client.gettimeout(), null);
  client.setblocking(false);
  assertEquals(
    await codeOf(() => client.sendall(new Uint8Array(MIB))),
    "EAGAIN",
  );
  assertEquals(await select([], [client], [], 0), [[], [], []]);
  const received = recvToEnd(server);
  await select([], [client], [], 20); // there is room again
  sent += await client.send(bytes("more"));
  client.close();
  assertEquals((await received).length, sent);
  server.close();
});

Deno.test("Socket.sendall() with timeout 0 sends what there is room for", async () => {
  const [client, server] = await tcpPair();
  client.setblocking(false);
  await client.sendall(bytes("small"));
  assertEquals(text(await within(server.recv(9))), "small");
  client.close();
  server.close();
});

Deno.test("Socket.connect() with timeout 0 goes on, and select() tells the end", async () => {
  using listener = listen();
  using socket = new Socket();
  socket.setblocking(false);
  const address = listener.getsockname();
  assertEquals(await codeOf(() => socket.connect(address)), "EINPROGRESS");
  assertEquals(await select([socket], [socket], [], 20), [[], [socket], []]);
  assertEquals(socket.getsockopt(SOL_SOCKET, SO_ERROR), 0);
  await socket.connect(address);
  assertEquals(await codeOf(() => socket.connect(address)), "EISCONN");
  const [server] = await within(listener.accept());
  await socket.sendall(bytes("hello"));
  assertEquals(text(await within(server.recv(9))), "hello");
  server.close();
});

Deno.test("Socket.connect() with timeout 0 does not begin twice", async () => {
  const [listener, clients] = await fullListener();
  using socket = new Socket();
  socket.setblocking(false);
  const address = listener.getsockname();
  const codes = [
    await codeOf(() => socket.connect(address)),
    await codeOf(() => socket.connect(address)),
  ];
  if (backlogHolds) assertEquals(codes, ["EINPROGRESS", "EALREADY"]);
  if (backlogHolds) {
    assertEquals(await socket.connectEx(address), ERRNO.EALREADY);
  }
  for (const client of clients) client.close();
  listener.close();
});

Deno.test("Socket.connect() with timeout 0 tells a failure through SO_ERROR, once", async () => {
  using socket = new Socket();
  socket.setblocking(false);
  const port = deadPort();
  assertEquals(
    await socket.connectEx(["127.0.0.1", port]),
    ERRNO.EINPROGRESS,
  );
  assertEquals(await select([socket], [socket], [], 20), [
    [socket],
    [socket],
    [],
  ]);
  assertEquals(
    socket.getsockopt(SOL_SOCKET, SO_ERROR),
    ERRNO.ECONNREFUSED,
  );
  assertEquals(socket.getsockopt(SOL_SOCKET, SO_ERROR), 0);
  assertEquals(await codeOf(() => socket.recv(1)), "ENOTCONN");
});

Deno.test("Socket.connect() called again tells the failure of the first", async () => {
  using socket = new Socket();
  socket.setblocking(false);
  const address: [string, number] = ["127.0.0.1", deadPort()];
  assertEquals(await codeOf(() => socket.connect(address)), "EINPROGRESS");
  socket.setblocking(true);
  assertEquals(await codeOf(() => socket.connect(address)), "ECONNREFUSED");
});

Deno.test("Socket.connectEx() gives the error number", async () => {
  using listener = listen();
  using socket = new Socket();
  assertEquals(
    await socket.connectEx(["127.0.0.1", deadPort()]),
    ERRNO.ECONNREFUSED,
  );
  assertEquals(await socket.connectEx(listener.getsockname()), 0);
  assertEquals(
    await socket.connectEx(listener.getsockname()),
    ERRNO.EISCONN,
  );
  using other = new Socket();
  assertEquals(
    await codeOf(() => other.connectEx(["::1", 1])),
    "EAI_ADDRFAMILY",
  );
  using datagrams = new Socket(AF_INET, SOCK_DGRAM);
  assertEquals(
    await datagrams.connectEx(["127.0.0.1", portOf(listener.getsockname())]),
    0,
  );
});
