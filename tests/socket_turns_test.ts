/** A call that fails, or has nothing to wait for, lets the event loop turn all the same. */

import {
  AF_INET,
  createConnection,
  createServer,
  select,
  SHUT_RD,
  SHUT_RDWR,
  SHUT_WR,
  SOCK_DGRAM,
  SOCK_STREAM,
  Socket,
  socketpair,
} from "../socket.ts";
import { assert } from "./deps.ts";

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

Deno.test("Socket lets the event loop turn where a call does not fit its state", async () => {
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
