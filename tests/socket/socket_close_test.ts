import {
  AF_INET,
  BlockingIOError,
  formatAddress,
  MSG_PEEK,
  OSError,
  SHUT_RDWR,
  SHUT_WR,
  SO_TYPE,
  SOCK_DGRAM,
  SOCK_STREAM,
  Socket,
  SOL_SOCKET,
} from "../../socket.ts";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertThrows,
  fakeTime,
} from "../deps.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { FakeStream } from "../helpers/fakes.ts";
import {
  listen,
  recvToEnd,
  tcpPair,
  tcpSocketAndConn,
  udp,
} from "../helpers/sockets.ts";
import { codeOf, codesOf } from "../helpers/thrown.ts";
import { turn } from "../helpers/turns.ts";
import { within } from "../helpers/within.ts";

/** Each call on a socket that can fail because of its state. */
const CALLS: Record<string, (socket: Socket) => unknown> = {
  accept: (socket) => socket.accept(),
  bind: (socket) => socket.bind(["127.0.0.1", 0]),
  connect: (socket) => socket.connect(["127.0.0.1", 1]),
  detach: (socket) => socket.detach(),
  getpeername: (socket) => socket.getpeername(),
  getsockname: (socket) => socket.getsockname(),
  getsockopt: (socket) => socket.getsockopt(SOL_SOCKET, SO_TYPE),
  listen: (socket) => socket.listen(),
  makefile: (socket) => socket.makefile("rb"),
  recv: (socket) => socket.recv(1),
  recvPeek: (socket) => socket.recv(1, MSG_PEEK),
  recvInto: (socket) => socket.recvInto(new Uint8Array(1)),
  recvfrom: (socket) => socket.recvfrom(1),
  recvfromInto: (socket) => socket.recvfromInto(new Uint8Array(1)),
  send: (socket) => socket.send(bytes("x")),
  sendall: (socket) => socket.sendall(bytes("x")),
  sendmsg: (socket) => socket.sendmsg([bytes("x")]),
  sendfile: (socket) => socket.sendfile("x"),
  sendto: (socket) => socket.sendto(bytes("x"), ["127.0.0.1", 1]),
  setblocking: (socket) => socket.setblocking(false),
  settimeout: (socket) => socket.settimeout(1),
  setsockopt: (socket) => socket.setsockopt(SOL_SOCKET, 9, 1),
  shutdown: (socket) => socket.shutdown(SHUT_WR),
};

async function codesByName(
  socket: Socket,
  names: string[],
): Promise<Record<string, unknown>> {
  const codes: Record<string, unknown> = {};
  for (const name of names) {
    codes[name] = await codeOf(() => CALLS[name](socket));
  }
  return codes;
}

Deno.test("Socket methods end with EBADF on a closed socket", async () => {
  const [client, server] = await tcpPair();
  const closed = [
    new Socket(),
    new Socket(AF_INET, SOCK_DGRAM),
    listen(),
    udp(),
    client,
    server,
  ];
  for (const socket of closed) {
    socket.close();
    for (
      const [name, code] of Object.entries(
        await codesByName(socket, Object.keys(CALLS)),
      )
    ) {
      assertEquals(code, "EBADF", name);
    }
    assertEquals(await socket.connectEx(["127.0.0.1", 1]), 9);
  }
});

Deno.test("Socket methods tell that a stream socket is not connected", async () => {
  using socket = new Socket();
  const names = [
    "recv",
    "recvPeek",
    "recvInto",
    "recvfrom",
    "getpeername",
    "shutdown",
    "detach",
  ];
  for (const [name, code] of Object.entries(await codesByName(socket, names))) {
    assertEquals(code, "ENOTCONN", name);
  }
  for (
    const [name, code] of Object.entries(
      await codesByName(socket, ["send", "sendall", "sendmsg", "sendto"]),
    )
  ) {
    assertEquals(code, "EPIPE", name);
  }
  using listener = listen();
  assertEquals(
    await codesByName(listener, ["recv", "sendall", "getpeername"]),
    {
      recv: "ENOTCONN",
      sendall: "EPIPE",
      getpeername: "ENOTCONN",
    },
  );
});

Deno.test("Socket.close() twice is fine, and so is using", async () => {
  const [client, server] = await tcpPair();
  client.close();
  client.close();
  {
    using _ = server;
    server.close();
  }
  using fresh = new Socket();
  fresh.close();
});

Deno.test("Socket.fileno() is unique while the socket is open, and -1 after", () => {
  const sockets = Array.from({ length: 20 }, () => new Socket());
  const numbers = sockets.map((socket) => socket.fileno());
  assertEquals(new Set(numbers).size, 20);
  assert(numbers.every((number) => number > 2));
  assertEquals(sockets.map((socket) => socket.fileno()), numbers);
  for (const socket of sockets) socket.close();
  assertEquals(sockets.map((socket) => socket.fileno()), sockets.map(() => -1));
  using next = new Socket();
  assert(numbers.includes(next.fileno())); // given again
});

Deno.test("Socket.close() ends every recv that waits with EBADF", async () => {
  for (const timeout of [null, 60]) {
    const [client, server] = await tcpPair();
    client.settimeout(timeout);
    const waiting = [
      client.recv(1),
      client.recvInto(new Uint8Array(1)),
      client.recv(1, MSG_PEEK),
    ];
    client.close();
    assertEquals(await codesOf(waiting), waiting.map(() => "EBADF"));
    server.close();
  }
});

Deno.test("Socket.close() ends every accept and recvfrom that waits with EBADF", async () => {
  for (const timeout of [null, 60]) {
    const listener = listen();
    const datagrams = udp();
    for (const socket of [listener, datagrams]) socket.settimeout(timeout);
    const waiting = [
      listener.accept(),
      listener.accept(),
      datagrams.recvfrom(1),
      datagrams.recv(1),
    ];
    listener.close();
    datagrams.close();
    assertEquals(await codesOf(waiting), waiting.map(() => "EBADF"));
  }
});

Deno.test("Socket.close() ends a connect that waits with EBADF", async () => {
  using listener = listen();
  for (const timeout of [null, 60]) {
    const socket = new Socket();
    socket.settimeout(timeout);
    const waiting = socket.connect(listener.getsockname());
    socket.close();
    assertEquals(await codeOf(() => waiting), "EBADF");
  }
});

Deno.test("Socket.close() of a listener closes a connection that nobody took", async () => {
  const listener = listen();
  listener.settimeout(0);
  assertEquals(await codeOf(() => listener.accept()), "EAGAIN"); // it waits on, in the background
  using client = new Socket();
  await client.connect(listener.getsockname());
  listener.close();
  assertEquals(await within(client.recv(1).catch(() => bytes(""))), bytes(""));
});

Deno.test("Socket.close() frees the port of a listener", async () => {
  const listener = listen();
  const address = listener.getsockname();
  const waiting = listener.accept().catch(() => {});
  listener.close();
  await within(waiting);
  using again = new Socket();
  again.bind(address);
});

Deno.test("Socket.close() sends first what nobody awaited", async () => {
  const [client, conn] = await tcpSocketAndConn();
  const data = new Uint8Array(3_000_000).fill(7);
  client.sendall(data);
  client.sendall(bytes("end"));
  client.close();
  using peer = Socket.from(conn);
  let count = 0;
  let last = bytes("");
  for (;;) {
    const piece = await within(peer.recv(65536));
    if (piece.length === 0) break;
    count += piece.length;
    last = piece;
  }
  assertEquals(count, data.length + 3);
  assertEquals(text(last).endsWith("end"), true);
});

Deno.test("Socket.shutdown() and close() in one turn still end what was sent", async () => {
  const [client, server] = await tcpPair();
  client.sendall(new Uint8Array(2_000_000));
  const shut = client.shutdown(SHUT_RDWR);
  client.close();
  let count = 0;
  for (let piece; (piece = await within(server.recv(65536))).length > 0;) {
    count += piece.length;
  }
  assertEquals(count, 2_000_000);
  await within(shut);
  server.close();
});

Deno.test("Socket.close() waits for the files made of the socket", async () => {
  const [client, server] = await tcpPair();
  const file = client.makefile("rb");
  client.close();
  await server.sendall(bytes("line\n"));
  assertEquals(text(await within(file.readline())), "line\n");
  assert(client.fileno() > 0);
  file.close();
  assertEquals(client.fileno(), -1);
  server.close();
});

Deno.test("Socket.abort() drops what is not sent, and ends calls and files with EBADF", async () => {
  const [client, server] = await tcpPair();
  const file = client.makefile("rb");
  const sent = codeOf(() => client.sendall(new Uint8Array(50_000_000)));
  const read = codeOf(() => file.readline());
  client.abort();
  client.abort();
  assertEquals(await sent, "EBADF", "sent");
  assertEquals(await read, "EBADF", "read");
  assertEquals(client.fileno(), -1);
  let count = 0;
  for (let piece; (piece = await within(server.recv(65536))).length > 0;) {
    count += piece.length;
  }
  assert(count < 50_000_000, `${count} bytes came`);
  server.close();
});

Deno.test("Socket.abort() ends with EBADF also a send that waits for the peer", async () => {
  for (const timeout of [null, 60]) {
    const [client, server] = await tcpPair();
    client.settimeout(timeout);
    const sent = codeOf(() => client.sendall(new Uint8Array(50_000_000)));
    await within(server.recv(1)); // the first part is on its way, and the rest waits
    client.abort();
    assertEquals(await within(sent), "EBADF");
    server.close();
  }
});

Deno.test("Socket.close() closes a listener that was closed underneath, with an accept in flight too", async () => {
  for (const accepts of [false, true]) {
    const denos = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const listener = Socket.from(denos);
    const accepted = accepts ? codeOf(() => listener.accept()) : undefined;
    await turn();
    denos.close();
    if (accepts) assertEquals(await accepted, "EBADF");
    const fd = listener.fileno();
    listener.close();
    assertEquals(fd > 0, true, "opened");
    assertEquals(listener.fileno(), -1, "fileno");
    assertEquals(await codeOf(() => listener.accept()), "EBADF");
    await within(listener.waitClosed());
    listener.close();
  }
});

Deno.test("Socket.waitClosed() waits until the address of a listener can be bound again", async () => {
  for (let round = 0; round < 20; round++) {
    const listener = listen();
    const address = listener.getsockname();
    const accepted = codeOf(() => listener.accept()); // in vain
    await turn();
    listener.close();
    using other = new Socket();
    const error = assertThrows(() => other.bind(address), OSError);
    assertEquals(
      error.message,
      `Cannot bind "${
        formatAddress(address)
      }": a closed socket has it until its waitClosed() resolves (EADDRINUSE)`,
    );
    await within(listener.waitClosed());
    other.bind(address);
    assertEquals(await accepted, "EBADF");
  }
});

Deno.test("Socket.bind() does not name waitClosed() if another socket has the address", async () => {
  const closed = listen();
  const address = closed.getsockname();
  const accepted = codeOf(() => closed.accept());
  await turn();
  closed.close();
  await within(closed.waitClosed());
  assertEquals(await accepted, "EBADF");
  using listener = new Socket();
  listener.bind(address); // the same, which is free by now
  using other = new Socket();
  assertThrows(
    () => other.bind(listener.getsockname()),
    OSError,
    "Address already in use (EADDRINUSE)",
  );
});

Deno.test("Socket.waitClosed() of an open socket waits for close(), and for what was accepted for sending", async () => {
  const [client, server] = await tcpPair();
  using _server = server;
  client.settimeout(0);
  const data = new Uint8Array(4_000_000);
  while (true) { // until the system takes no more
    try {
      await client.send(data);
    } catch (error) {
      assertInstanceOf(error, BlockingIOError);
      break;
    }
  }
  let closed = false;
  const waiting = client.waitClosed().then(() => closed = true);
  await turn();
  client.close();
  const again = client.waitClosed();
  await turn();
  assertEquals(closed, false);
  await recvToEnd(server);
  await within(Promise.all([waiting, again]));
  await within(client.waitClosed());
});

for (const type of [SOCK_STREAM, SOCK_DGRAM]) {
  Deno.test(`Socket.waitClosed() of a socket of type ${type} that never opened`, async () => {
    const socket = new Socket(AF_INET, type);
    const waiting = socket.waitClosed();
    socket.close();
    await within(waiting);
  });
}

Deno.test("Socket.waitClosed() waits for a read in flight, and a UDP address can be bound again", async () => {
  const [client, server] = await tcpPair();
  using _server = server;
  const received = codeOf(() => client.recv(1));
  client.close();
  await within(client.waitClosed());
  assertEquals(await received, "EBADF");
  const receiver = udp();
  const address = receiver.getsockname();
  const waiting = codeOf(() => receiver.recv(1));
  await turn();
  receiver.close();
  await within(receiver.waitClosed());
  assertEquals(await waiting, "EBADF");
  using next = new Socket(AF_INET, SOCK_DGRAM);
  next.bind(address);
});

Deno.test("Socket.close() goes on with what was accepted for 30 seconds, and no longer", async () => {
  using time = await fakeTime();
  const stream = new FakeStream();
  stream.write = () => new Promise(() => {}); // the peer takes nothing
  const socket = Socket.from(stream);
  socket.sendall(bytes("for nobody"));
  socket.close();
  await time.tickAsync(29_999);
  assertEquals(stream.calls, []);
  await time.tickAsync(1);
  assertEquals(stream.calls, ["close"]);
});

Deno.test("Socket.close() ends when what was accepted is sent, and once", async () => {
  using time = await fakeTime();
  const stream = new FakeStream();
  const taken = Promise.withResolvers<number>();
  stream.write = () => taken.promise;
  const socket = Socket.from(stream);
  socket.sendall(bytes("late"));
  socket.close();
  await time.tickAsync(10_000);
  assertEquals(stream.calls, []);
  taken.resolve(4);
  await time.tickAsync(0);
  assertEquals(stream.calls, ["close"]);
  await time.tickAsync(60_000);
  assertEquals(stream.calls, ["close"]);
});
