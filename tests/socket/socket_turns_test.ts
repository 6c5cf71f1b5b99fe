/** A call that fails, or has nothing to wait for, lets the event loop turn all the same. */

import {
  AF_INET,
  createConnection,
  createServer,
  getaddrinfo,
  gethostbyname,
  getnameinfo,
  select,
  SHUT_RD,
  SHUT_RDWR,
  SHUT_WR,
  SOCK_DGRAM,
  SOCK_STREAM,
  Socket,
  socketpair,
} from "../../socket.ts";
import { assert } from "../deps.ts";
import { tcpSocketAndReset } from "../helpers/sockets.ts";

const data = new Uint8Array(8);
const nowhere = ["127.0.0.1", 9] as const;

/** Every method of a socket that gives a promise. */
const CALLS: Record<string, (socket: Socket) => Promise<unknown>> = {
  accept: (socket) => socket.accept(),
  connect: (socket) => socket.connect(nowhere),
  connectEx: (socket) => socket.connectEx(nowhere),
  lingeringClose: (socket) => socket.lingeringClose(),
  recv: (socket) => socket.recv(8),
  "recv of 0 bytes": (socket) => socket.recv(0),
  recvfrom: (socket) => socket.recvfrom(8),
  recvfromInto: (socket) => socket.recvfromInto(data),
  recvInto: (socket) => socket.recvInto(data),
  "recvInto of a part": (socket) => socket.recvInto(data, 4),
  send: (socket) => socket.send(data),
  sendall: (socket) => socket.sendall(data),
  sendfile: (socket) => socket.sendfile("nothing"),
  sendmsg: (socket) => socket.sendmsg([data]),
  sendto: (socket) => socket.sendto(data, nowhere),
  shutdown: (socket) => socket.shutdown(SHUT_RDWR),
  select: (socket) => select([socket], [], []),
};

/** Calls again and again until the event loop has turned; throws where it does not. */
async function turns(name: string, call: () => Promise<unknown>) {
  let turned = false;
  const immediate = setImmediate(() => turned = true);
  for (let i = 0; i < 500 && !turned; i++) {
    await call().catch(() => {});
  }
  clearImmediate(immediate);
  assert(turned, `${name} does not let the event loop turn`);
}

for (const type of [SOCK_STREAM, SOCK_DGRAM]) {
  Deno.test(`Socket of type ${type} lets the event loop turn when it is closed`, async () => {
    using socket = new Socket(AF_INET, type);
    socket.close();
    for (const [name, call] of Object.entries(CALLS)) {
      await turns(name, () => call(socket));
    }
  });
}

Deno.test("Socket lets the event loop turn if a call does not fit its state", async () => {
  using socket = new Socket();
  const { accept, recv, send, sendall, sendfile, shutdown } = CALLS;
  for (const call of [accept, recv, send, sendall, sendfile, shutdown]) {
    await turns(String(call), () => call(socket));
  }
  const [client, server] = await socketpair();
  using _client = client;
  using _server = server;
  await turns("EISCONN", () => client.connect(nowhere));
  await client.shutdown(SHUT_WR);
  for (const call of [send, sendall, sendfile]) {
    await turns(String(call), () => call(client));
  }
});

Deno.test("Socket lets the event loop turn at the end of the stream", async () => {
  const [client, server] = await socketpair();
  using _client = client;
  using other = server;
  await server.shutdown(SHUT_WR);
  for (const timeout of [null, 9, 0]) {
    client.settimeout(timeout);
    for (const name of ["recv", "recvfrom", "recvInto", "recvfromInto"]) {
      await turns(name, () => CALLS[name](client));
    }
  }
  await other.shutdown(SHUT_RD);
  await turns("SHUT_RD", () => other.recv(8));
});

Deno.test("Socket lets the event loop turn when its peer has reset the connection", async () => {
  for (const timeout of [null, 9, 0]) {
    const [socket, reset] = await tcpSocketAndReset();
    using _ = socket;
    reset();
    await socket.recv(1).catch(() => {});
    socket.settimeout(timeout);
    for (const [name, call] of Object.entries(CALLS)) {
      await turns(`${name}, timeout ${timeout}`, () => call(socket));
    }
  }
});

Deno.test("Socket lets the event loop turn when its connection was closed underneath", async () => {
  for (const timeout of [null, 9, 0]) {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    const own = await Deno.connect({ hostname: "127.0.0.1", port });
    (await listener.accept()).close();
    using socket = Socket.from(own);
    own.close();
    socket.settimeout(timeout);
    for (const [name, call] of Object.entries(CALLS)) {
      await turns(`${name}, timeout ${timeout}`, () => call(socket));
    }
  }
});

Deno.test("Socket lets the event loop turn if an argument is wrong", async () => {
  const wrong: Record<string, (socket: Socket) => Promise<unknown>> = {
    "recv of -1": (socket) => socket.recv(-1),
    "recv with a flag": (socket) => socket.recv(1, 1 << 30),
    "recvfrom of -1": (socket) => socket.recvfrom(-1),
    "recvInto text": (socket) => socket.recvInto("text" as never),
    "recvInto of -1": (socket) => socket.recvInto(data, -1),
    "recvInto of 9": (socket) => socket.recvInto(data, 9),
    "recvfromInto text": (socket) => socket.recvfromInto("text" as never),
    "recvfromInto of 9": (socket) => socket.recvfromInto(data, 9),
    "send text": (socket) => socket.send("text" as never),
    "send with a flag": (socket) => socket.send(data, 1 << 30),
    "sendall text": (socket) => socket.sendall("text" as never),
    "sendto text": (socket) => socket.sendto("text" as never, nowhere),
    "sendto nowhere": (socket) => socket.sendto(data, 7 as never),
    "sendmsg text": (socket) => socket.sendmsg("text" as never),
    "sendmsg ancdata": (socket) => socket.sendmsg([data], [1]),
    "sendfile from -1": (socket) => socket.sendfile("nothing", -1),
    "connect to a path": (socket) => socket.connect("path"),
    "connectEx to a path": (socket) => socket.connectEx("path"),
    "shutdown 9": (socket) => socket.shutdown(9),
    "select nothing": () => select(7 as never, [], []),
    "select for -1": () => select([], [], [], -1),
    "createConnection to 7": () => createConnection(7 as never),
  };
  const [client, server] = await socketpair();
  using _server = server;
  using _client = client;
  using udp = new Socket(AF_INET, SOCK_DGRAM);
  udp.bind(["127.0.0.1", 0]);
  for (const socket of [client, udp, new Socket()]) {
    for (const [name, call] of Object.entries(wrong)) {
      await turns(`${name}, type ${socket.type}`, () => call(socket));
    }
  }
});

Deno.test("the resolver lets the event loop turn when it fails at once", async () => {
  const calls: Record<string, () => Promise<unknown>> = {
    "getaddrinfo of a number": () => getaddrinfo(7 as never, 80),
    "getaddrinfo of nothing": () => getaddrinfo(null, null),
    "getaddrinfo with flags": () => getaddrinfo("127.0.0.1", 80, 0, 0, 0, -1),
    "getaddrinfo of a family": () => getaddrinfo("127.0.0.1", 80, 99),
    "getaddrinfo of a service": () => getaddrinfo("127.0.0.1", "nothing"),
    "getaddrinfo of port -1": () => getaddrinfo("127.0.0.1", -1),
    "getaddrinfo of no name": () => getaddrinfo("", 80),
    "gethostbyname of a number": () => gethostbyname(7 as never),
    "gethostbyname of an IPv6 address": () => gethostbyname("::1"),
    "getnameinfo of a number": () => getnameinfo(7 as never, 0),
    "getnameinfo of a name": () => getnameinfo(["localhost", 80], 0),
    "getnameinfo with flags": () => getnameinfo(["127.0.0.1", 80], -1),
  };
  for (const [name, call] of Object.entries(calls)) await turns(name, call);
});

Deno.test("Socket.accept() lets the event loop turn when the listener was closed underneath", async () => {
  const denos = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using listener = Socket.from(denos);
  denos.close();
  await turns("accept", () => listener.accept());
});

Deno.test("createConnection() lets the event loop turn when it fails at once", async () => {
  await turns("port 0", () => createConnection(["127.0.0.1", 0]));
  using taken = createServer(["127.0.0.1", 0]);
  const sourceAddress = taken.getsockname();
  await turns(
    "sourceAddress",
    () => createConnection(taken.getsockname(), { sourceAddress }),
  );
});
