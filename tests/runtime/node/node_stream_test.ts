import {
  createConnection,
  IPPROTO_TCP,
  MSG_DONTWAIT,
  SHUT_WR,
  SO_KEEPALIVE,
  Socket,
  SOL_SOCKET,
  TCP_NODELAY,
} from "../../../socket.ts";
import {
  connectFrom,
  NodeStream,
} from "../../../internal/runtime/node/node_stream.ts";
import { EventEmitter } from "node:events";
import { connect, type Socket as NetSocket } from "node:net";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  delay,
} from "../../deps.ts";
import {
  bytes,
  digest,
  randomBytes,
  seeded,
  text,
} from "../../helpers/bytes.ts";
import {
  deadPort,
  listen,
  portOf,
  recvToEnd,
  withPair,
} from "../../helpers/sockets.ts";
import { codeOf } from "../../helpers/thrown.ts";
import { until, within } from "../../helpers/within.ts";

/** A connection whose client end is of `node:net`, because it was bound before. */
async function nodePair(): Promise<[client: Socket, server: Socket]> {
  using listener = listen();
  const client = new Socket();
  client.bind(["127.0.0.1", 0]);
  await within(client.connect(listener.getsockname()));
  const [server] = await within(listener.accept());
  return [client, server];
}

/** Runs a test with both ends of such a connection. */
const withNodePair: typeof withPair = (name, fn) =>
  withPair(name, fn, { open: nodePair });

Deno.test("Socket.connect() of a bound socket stands on node:net", async () => {
  const [client, server] = await nodePair();
  const transport = client.detach();
  assertInstanceOf(transport, NodeStream);
  using again = Socket.from(transport);
  assertEquals(again.getsockname(), server.getpeername());
  assertEquals(again.getpeername(), server.getsockname());
  server.close();
});

withNodePair(
  "NodeStream moves much data both ways at once",
  async (client, server) => {
    const data = randomBytes(1_000_000, seeded(1));
    for (const socket of [client, server]) {
      socket.sendall(data);
      socket.shutdown(SHUT_WR);
    }
    const received = await Promise.all([recvToEnd(client), recvToEnd(server)]);
    assertEquals(received.map(digest), [digest(data), digest(data)]);
    assertEquals(await client.recv(1), bytes("")); // and again
  },
);

Deno.test("NodeStream.stop() gives what was read, and leaves what comes later to another process", async () => {
  using listener = listen();
  const accepted = listener.accept();
  const net = connect({
    port: portOf(listener.getsockname()),
    host: "127.0.0.1",
  });
  const stream = new NodeStream(net);
  const [server] = await within(accepted);
  try {
    await server.sendall(bytes("one two "));
    const three = new Uint8Array(3);
    assertEquals(await within(stream.read(three)), 3);
    await server.sendall(bytes("three "));
    await until(() => net.readableLength !== 0);
    assertEquals(text(stream.stop()), " two three ");
    await server.sendall(bytes("four"));
    await delay(50); // nothing happens
    assertEquals(net.readableLength, 0, "readableLength");
    assertEquals(net.bytesRead, 14, "bytesRead");
  } finally {
    net.destroy();
    server.close();
  }
});

withNodePair(
  "NodeStream goes on reading after closeWrite()",
  async (client, server) => {
    await client.sendall(bytes("question"));
    await within(client.shutdown(SHUT_WR));
    assertEquals(text(await recvToEnd(server)), "question");
    await server.sendall(bytes("answer"));
    assertEquals(text(await within(client.recv(3))), "ans"); // the rest is kept
    assertEquals(text(await within(client.recv(9))), "wer");
    server.close();
    assertEquals(await within(client.recv(9)), bytes(""));
  },
);

withNodePair(
  "NodeStream keeps what comes while nobody reads",
  async (client, server) => {
    assertEquals(await codeOf(() => client.recv(9, MSG_DONTWAIT)), "EAGAIN");
    client.settimeout(0.01);
    assertEquals(await codeOf(() => client.recv(9)), "ETIMEDOUT");
    await server.sendall(bytes("late"));
    client.settimeout(20);
    assertEquals(text(await within(client.recv(9))), "late");
  },
);

withNodePair("NodeStream.close() ends a read that waits", async (client) => {
  const waiting = client.recv(1);
  client.close();
  assertEquals(await codeOf(() => waiting), "EBADF");
});

withNodePair(
  "NodeStream.close() underneath ends a read that waits",
  async (client) => {
    const transport = client.detach() as NodeStream;
    const waiting = transport.read(new Uint8Array(1));
    transport.close();
    await assertRejects(() => within(waiting), Deno.errors.Interrupted);
  },
);

withNodePair("NodeStream sets the options of TCP", (client) => {
  for (const value of [1, 0]) {
    client.setsockopt(IPPROTO_TCP, TCP_NODELAY, value);
    client.setsockopt(SOL_SOCKET, SO_KEEPALIVE, value);
  }
  assertEquals(client.getsockopt(IPPROTO_TCP, TCP_NODELAY), 0);
  return Promise.resolve();
});

Deno.test("NodeStream tells a reset, and that nothing can be written after it", async () => {
  using listener = listen();
  const sourceAddress: [string, number] = ["127.0.0.1", 0];
  using client = await within(
    createConnection(listener.getsockname(), { sourceAddress }),
  );
  const [server] = await within(listener.accept());
  server.close();
  assertEquals(await within(client.recv(1)), bytes(""));
  let code: string | undefined;
  while (code === undefined) {
    code = await codeOf(() => client.sendall(bytes("into the void")));
  }
  assertEquals(["EPIPE", "ECONNRESET"].includes(code), true, code);
  assertEquals(await codeOf(() => client.sendall(bytes("again"))), "EPIPE");
});

Deno.test("connectFrom() tells why it failed", async () => {
  const port = deadPort();
  using socket = new Socket();
  socket.bind(["127.0.0.1", 0]);
  assertEquals(
    await codeOf(() => socket.connect(["127.0.0.1", port])),
    "ECONNREFUSED",
  );
  using other = listen();
  const taken = portOf(other.getsockname());
  const error = await assertRejects(
    () => within(connectFrom(["127.0.0.1", taken], ["127.0.0.1", taken])),
    Error,
  ) as Error & { code: string };
  assertEquals(error.code, "EADDRINUSE");
});

Deno.test("connectFrom() can be given up", async () => {
  using listener = listen();
  const target: [string, number] = [
    "127.0.0.1",
    portOf(listener.getsockname()),
  ];
  const giveUp = new AbortController();
  const connecting = connectFrom(["127.0.0.1", 0], target, giveUp.signal);
  giveUp.abort(new Error("given up"));
  await assertRejects(() => within(connecting), Error, "given up");
  await assertRejects(
    () => within(connectFrom(["127.0.0.1", 0], target, giveUp.signal)),
    Error,
    "given up",
  );
});

withNodePair(
  "NodeStream.write() ends when the peer resets meanwhile",
  async (client, server) => {
    const sent = codeOf(() => client.sendall(new Uint8Array(20_000_000)));
    await server.recv(1);
    server.close(); // with data unread: a reset
    assert(["ECONNRESET", "EPIPE"].includes(`${await sent}`));
  },
);

/** A socket of `node:net` whose writes are cancelled, as Deno 2.9.6 does when the peer resets. */
function cancelling(): Socket {
  const socket = Object.assign(new EventEmitter(), {
    localAddress: "127.0.0.1",
    remoteAddress: "127.0.0.1",
    read: () => null,
    destroy: () => {},
    write: (_: unknown, callback: (error: Error) => void) =>
      queueMicrotask(() => callback(new Error("write ECANCELED"))),
  });
  return Socket.from(new NodeStream(socket as unknown as NetSocket));
}

Deno.test("NodeStream.write() that is cancelled names the side that did it", async () => {
  const reset = cancelling();
  assertEquals(await codeOf(() => reset.sendall(bytes("x"))), "ECONNRESET");
  const closed = cancelling();
  const sent = codeOf(() => closed.sendall(bytes("x")));
  closed.abort();
  assertEquals(await sent, "EBADF");
});
