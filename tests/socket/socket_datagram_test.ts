import {
  AF_INET,
  AF_INET6,
  type DatagramTransport,
  MSG_DONTWAIT,
  MSG_PEEK,
  MSG_WAITALL,
  OSError,
  PermissionError,
  SHUT_RDWR,
  SOCK_DGRAM,
  Socket,
} from "../../socket.ts";
import { assertEquals, assertRejects, assertThrows } from "../deps.ts";
import { unstableNet } from "../helpers/allowed.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { FakeDatagram } from "../helpers/fakes.ts";
import { nodeUdp, portOf, udp } from "../helpers/sockets.ts";
import { codeOf, codesOf } from "../helpers/thrown.ts";
import { turn } from "../helpers/turns.ts";
import { within } from "../helpers/within.ts";

/** A socket of a family on a free port of the loopback. */
type Bind = (family?: number, host?: string) => Socket;

const loopback = (family: number) => family === AF_INET ? "127.0.0.1" : "::1";

const bindFacade: Bind = (family = AF_INET, host = loopback(family)) =>
  udp(host, family);
const bindNode: Bind = (family = AF_INET, host = loopback(family)) =>
  nodeUdp(host, family);

/** The two that UDP can stand on. Without the flag the socket takes the second by itself. */
const BACKENDS: [name: string, bind: Bind, ignore: boolean][] = [
  ["Deno.listenDatagram", bindFacade, !unstableNet],
  ["node:dgram", unstableNet ? bindNode : bindFacade, false],
];

/** A test of each backend. */
function testEach(name: string, fn: (bind: Bind) => Promise<void>): void {
  for (const [backend, bind, ignore] of BACKENDS) {
    Deno.test({
      name: `Socket over ${backend} ${name}`,
      ignore,
      fn: () => fn(bind),
    });
  }
}

testEach("sends, receives and answers", async (bind) => {
  for (const family of [AF_INET, AF_INET6]) {
    using server = bind(family);
    using client = bind(family);
    assertEquals(await client.sendto(bytes("ping"), server.getsockname()), 4);
    const [data, sender] = await within(server.recvfrom(100));
    assertEquals(text(data), "ping", "data");
    assertEquals(sender, client.getsockname(), "sender");
    assertEquals(await server.sendto(bytes("pong"), MSG_DONTWAIT, sender!), 4);
    const memory = new Uint8Array(10);
    assertEquals(await within(client.recvfromInto(memory, 4)), [
      4,
      server.getsockname(),
    ]);
    assertEquals(text(memory.subarray(0, 4)), "pong");
  }
});

testEach(
  "drops what is too long for the caller, as the system does",
  async (bind) => {
    using receiver = bind();
    using sender = bind();
    for (const datagram of ["abcdef", "next"]) {
      await sender.sendto(bytes(datagram), receiver.getsockname());
    }
    assertEquals(text(await within(receiver.recv(3))), "abc");
    assertEquals(text(await within(receiver.recv(9, MSG_WAITALL))), "next");
  },
);

testEach("knows the empty datagram", async (bind) => {
  using receiver = bind();
  using sender = bind();
  assertEquals(await sender.sendto(bytes(""), receiver.getsockname()), 0);
  assertEquals(await within(receiver.recvfrom(9)), [
    bytes(""),
    sender.getsockname(),
  ]);
});

testEach(
  "leaves a datagram for recv(0), and takes it for recvfrom(0)",
  async (bind) => {
    using a = bind();
    using b = bind();
    await a.sendto(bytes("1"), b.getsockname());
    assertEquals((await b.recv(0)).length, 0);
    assertEquals(text(await b.recv(9)), "1");
    await a.sendto(bytes("2"), b.getsockname());
    assertEquals((await b.recvfrom(0))[0].length, 0);
    b.setblocking(false);
    assertEquals(await codeOf(() => b.recv(9)), "EAGAIN");
    assertEquals((await b.recv(0)).length, 0);
    b.close();
    assertEquals(await codeOf(() => b.recv(0)), "EBADF");
  },
);

testEach("sends up to 65507 bytes", async (bind) => {
  using receiver = bind();
  using sender = bind();
  const largest = new Uint8Array(65507).map((_, i) => i % 251);
  assertEquals(await sender.sendto(largest, receiver.getsockname()), 65507);
  assertEquals(await within(receiver.recv(65536)), largest);
  const address = receiver.getsockname();
  const error = await assertRejects(
    () => sender.sendto(new Uint8Array(65508), address),
    OSError,
  );
  assertEquals(
    error.message,
    `Cannot sendto "${error.address}": Message too long (EMSGSIZE)`,
  );
  assertEquals(error.address, `127.0.0.1:${portOf(address)}`);
  assertEquals(await sender.sendto(bytes("the socket goes on"), address), 18);
  assertEquals(text(await within(receiver.recv(99))), "the socket goes on");
});

testEach("leaves what MSG_PEEK looks at", async (bind) => {
  using receiver = bind();
  using sender = bind();
  for (const datagram of ["first", "second"]) {
    await sender.sendto(bytes(datagram), receiver.getsockname());
  }
  assertEquals(text(await within(receiver.recv(2, MSG_PEEK))), "fi");
  assertEquals(await within(receiver.recvfrom(9, MSG_PEEK)), [
    bytes("first"),
    sender.getsockname(),
  ]);
  assertEquals(text(await within(receiver.recv(9))), "first");
  assertEquals(text(await within(receiver.recv(9))), "second");
});

testEach("keeps 500 calls that nobody awaits in order", async (bind) => {
  using receiver = bind();
  using sender = bind();
  const address = receiver.getsockname();
  for (let sent = 0; sent < 500;) { // by the hundred, which fit into the receive buffer
    const first = sent;
    while (sent < first + 100) sender.sendto(bytes(`${sent++}`), address);
    for (let i = first; i < sent; i++) {
      assertEquals(text(await within(receiver.recv(9))), `${i}`);
    }
  }
});

testEach(
  "serves calls that wait at the same time, one datagram each",
  async (bind) => {
    using receiver = bind();
    using sender = bind();
    const waiting = [receiver.recv(9), receiver.recv(9), receiver.recv(9)];
    for (const datagram of "abc") {
      await sender.sendto(
        bytes(datagram),
        receiver.getsockname(),
      );
    }
    assertEquals((await within(Promise.all(waiting))).map(text), [
      "a",
      "b",
      "c",
    ]);
  },
);

testEach("hears its peer only, once it is connected", async (bind) => {
  using one = bind();
  using peer = bind();
  using stranger = bind();
  assertEquals(await codeOf(() => one.getpeername()), "ENOTCONN");
  await one.connect(peer.getsockname());
  assertEquals(one.getpeername(), peer.getsockname());
  assertEquals(await one.send(bytes("to the peer")), 11);
  assertEquals(await within(peer.recvfrom(99)), [
    bytes("to the peer"),
    one.getsockname(),
  ]);
  await stranger.sendto(bytes("dropped"), one.getsockname());
  await peer.sendto(bytes("heard"), one.getsockname());
  assertEquals(text(await within(one.recv(99))), "heard");
  await one.sendall(bytes("all"));
  await one.sendto(bytes("elsewhere"), stranger.getsockname());
  assertEquals(text(await within(peer.recv(99))), "all");
  assertEquals(text(await within(stranger.recv(99))), "elsewhere");
  await one.connect(stranger.getsockname()); // another peer
  assertEquals(one.getpeername(), stranger.getsockname());
});

testEach("takes names as targets", async (bind) => {
  using receiver = bind();
  using sender = bind();
  const port = portOf(receiver.getsockname());
  for (const host of ["localhost", "127.1", "::ffff:127.0.0.1"]) {
    await sender.sendto(bytes(host), [host, port]);
    assertEquals(text(await within(receiver.recv(99))), host);
  }
  assertEquals(
    await codeOf(() => sender.sendto(bytes("x"), ["::1", port])),
    "EAI_ADDRFAMILY",
  );
  assertEquals(
    await codeOf(() => sender.sendto(bytes("x"), ["no..name", port])),
    "EAI_NONAME",
  );
});

testEach("refuses port 0 as a target", async (bind) => {
  using socket = bind();
  using other = bind();
  for (const host of ["127.0.0.1", "localhost"]) {
    const error = await assertRejects(
      () => socket.sendto(bytes("x"), [host, 0]),
      OSError,
    );
    assertEquals(error.code, "EINVAL", "code");
    assertEquals(error.address, "127.0.0.1:0", "address");
    assertEquals(
      await codeOf(() => socket.sendmsg([bytes("x")], [], 0, [host, 0])),
      "EINVAL",
    );
  }
  assertEquals(await socket.sendto(bytes("on"), other.getsockname()), 2);
  assertEquals(text(await within(other.recv(9))), "on");
});

testEach(
  "does not come back when it is closed during a lookup",
  async (bind) => {
    using receiver = bind();
    receiver.setblocking(false);
    const target: [string, number] = [
      "localhost",
      portOf(receiver.getsockname()),
    ];
    for (const call of ["sendto", "connect"] as const) {
      const socket = new Socket(AF_INET, SOCK_DGRAM);
      const called = call === "connect"
        ? socket.connect(target)
        : socket.sendto(bytes("x"), target);
      socket.close();
      assertEquals(await codeOf(() => called), "EBADF");
      assertEquals(await codeOf(() => socket.getsockname()), "EBADF");
    }
    assertEquals(await codeOf(() => receiver.recv(9)), "EAGAIN");
  },
);

testEach("needs a target", async (bind) => {
  using socket = bind();
  for (
    const call of [
      () => socket.send(bytes("x")),
      () => socket.sendall(bytes("x")),
      () => socket.sendmsg([]),
    ]
  ) {
    assertEquals(await codeOf(call), "EDESTADDRREQ");
  }
  assertEquals(await codeOf(() => socket.shutdown(SHUT_RDWR)), "ENOTCONN");
});

testEach("refuses a port that is taken", async (bind) => {
  using first = bind();
  using second = new Socket(AF_INET, SOCK_DGRAM);
  const address = first.getsockname();
  assertEquals(await codeOf(() => second.bind(address)), "EADDRINUSE");
  const [hostname, port] = address as [string, number];
  const error = assertThrows(() => nodeUdp(hostname, AF_INET, port), Error) as
    & Error
    & { code: string };
  assertEquals(error.code, "EADDRINUSE");
});

testEach("ends each call that waits when it is closed", async (bind) => {
  const socket = bind();
  const calls = [socket.recv(1), socket.recvfrom(1), socket.recv(1, MSG_PEEK)];
  socket.close();
  assertEquals(await codesOf(calls), ["EBADF", "EBADF", "EBADF"]);
  assertEquals(
    await codeOf(() => socket.sendto(bytes("x"), ["127.0.0.1", 9])),
    "EBADF",
  );
});

testEach(
  "ends sends that wait for their turn when it is closed",
  async (bind) => {
    using receiver = bind();
    const socket = bind();
    const calls = [1, 2, 3].map(() =>
      socket.sendto(bytes("x"), receiver.getsockname())
    );
    socket.close();
    const codes = await codesOf(calls.slice(1)); // the first may have left
    await calls[0].catch(() => {});
    assertEquals(codes, ["EBADF", "EBADF"]);
  },
);

Deno.test("Socket of datagrams binds when it first sends or receives", async () => {
  using receiver = bindFacade();
  using sender = new Socket(AF_INET, SOCK_DGRAM);
  assertEquals(sender.getsockname(), ["0.0.0.0", 0]);
  await sender.sendto(bytes("hello"), receiver.getsockname());
  const [, from] = await within(receiver.recvfrom(9));
  assertEquals(from, ["127.0.0.1", portOf(sender.getsockname())]);
  using connected = new Socket(AF_INET, SOCK_DGRAM);
  await connected.connect(receiver.getsockname());
  assertEquals(connected.getsockname()[0], "127.0.0.1");
  using idle = new Socket(AF_INET, SOCK_DGRAM);
  idle.setblocking(false);
  assertEquals(await codeOf(() => idle.recv(1)), "EAGAIN");
  assertEquals(portOf(idle.getsockname()) > 0, true);
});

Deno.test("Socket of datagrams meets an error of the system once, and goes on", async () => {
  const refused = Object.assign(new Error("recv ECONNREFUSED"), {
    code: "ECONNREFUSED",
  });
  using socket = Socket.from(
    new FakeDatagram(refused, bytes("next"), new Deno.errors.NotConnected("x")),
  );
  assertEquals(await codeOf(() => socket.recv(9)), "ECONNREFUSED");
  assertEquals(text(await socket.recv(9)), "next");
  assertEquals(await codeOf(() => socket.recv(9, MSG_PEEK)), "ENOTCONN");
});

Deno.test("Socket of datagrams sends one after the other", async () => {
  const gates = [1, 2, 3].map(() => Promise.withResolvers<number>());
  const fake = new FakeDatagram();
  const sent: string[] = [];
  fake.send = (p) => gates[sent.push(text(p)) - 1].promise;
  using socket = Socket.from(fake);
  const address: [string, number] = ["127.0.0.1", 9];
  const calls = ["a", "b"].map((data) => socket.sendto(bytes(data), address));
  await turn();
  assertEquals(sent, ["a"]);
  socket.settimeout(0.01);
  assertEquals(
    await codeOf(() => socket.sendto(bytes("too late"), address)),
    "ETIMEDOUT",
  );
  socket.settimeout(0);
  assertEquals(
    await codeOf(() => socket.sendto(bytes("too soon"), address)),
    "EAGAIN",
  );
  gates[0].reject(
    Object.assign(new Error("send EMSGSIZE"), { code: "EMSGSIZE" }),
  );
  assertEquals(await codeOf(() => calls[0]), "EMSGSIZE");
  await turn();
  assertEquals(sent, ["a", "b"]);
  gates[1].resolve(1);
  assertEquals(await calls[1], 1);
});

Deno.test("Socket.sendto() answers the last sender by the address as it came, and checks every other", async () => {
  const fake = new FakeDatagram(bytes("x"));
  const targets: unknown[] = [];
  fake.send = (p, addr) => (targets.push(addr), Promise.resolve(p.length));
  using socket = Socket.from(fake);
  const [, from] = await socket.recvfrom(9);
  assertEquals(from, ["127.0.0.1", 1]);
  await socket.sendto(bytes("answer"), from!);
  await socket.sendto(bytes("other"), ["127.0.0.1", 2]);
  assertEquals(targets[0] === fake.addr, true);
  assertEquals(targets[1], {
    transport: "udp",
    hostname: "127.0.0.1",
    port: 2,
  });
  const wrong = ["127.0.0.1", 1, 2] as unknown as [string, number];
  await assertRejects(() => socket.sendto(bytes("x"), wrong), RangeError);
  (from as [string, number])[1] = -1; // it is the caller's
  await assertRejects(() => socket.sendto(bytes("x"), from!), RangeError);
});

Deno.test("Socket.sendto() that fails names the address, and lets the next go", async () => {
  const fake = new FakeDatagram();
  const { send } = fake;
  fake.send = () => {
    throw Object.assign(new Error("at once"), { code: "EMSGSIZE" });
  };
  using socket = Socket.from(fake);
  const error = await socket.sendto(bytes("x"), ["127.0.0.1", 9]).catch(
    (error) => error,
  );
  assertEquals(error.code, "EMSGSIZE", "code");
  assertEquals(error.address, "127.0.0.1:9", "address");
  fake.send = send;
  assertEquals(await socket.sendto(bytes("x"), ["127.0.0.1", 9]), 1);
});

/** Sends datagrams to a socket that is not read meanwhile; returns how many it has kept in each round. */
async function keptOf(
  count: number,
  size: number,
  rounds = 1,
): Promise<number[]> {
  using receiver = bindNode();
  using sender = bindNode();
  receiver.setblocking(false);
  await codeOf(() => receiver.recv(1)); // from now on it listens
  const address = receiver.getsockname();
  const kept = new Array<number>(rounds).fill(0);
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < count; i++) {
      await sender.sendto(new Uint8Array(size), address);
      for (let turns = 0; turns < size; turns += 5000) await turn(); // few large ones fit into the kernel's buffer
    }
    for (let i = 0; i < 100; i++) await turn(); // all have arrived by now
    while (await codeOf(() => receiver.recv(1)) === undefined) kept[round]++;
  }
  return kept;
}

Deno.test("NodeDatagram keeps so many datagrams, and so many bytes", async () => {
  const [many] = await keptOf(1300, 1);
  assertEquals(many <= 1025, true, `${many}`); // and the one that a read has waited for
  assertEquals(many > 900, true, `${many}`);
  const [large] = await keptOf(60, 60_000);
  assertEquals(large <= 18, true, `${large}`);
  assertEquals(large > 10, true, `${large}`);
});

Deno.test("NodeDatagram keeps as many again once they are taken", async () => {
  const kept = await keptOf(60, 60_000, 3);
  assertEquals(Math.min(...kept) > 10, true, `${kept}`);
});

Deno.test("NodeDatagram says EACCES for a broadcast that was not asked for", async () => {
  using socket = bindNode(AF_INET, "0.0.0.0");
  const send = () => socket.sendto(bytes("x"), ["255.255.255.255", 9]);
  const error = await assertRejects(send, PermissionError);
  assertEquals(error.code, "EACCES");
});

Deno.test("NodeDatagram drops what comes when its queue is full", async () => {
  using receiver = bindNode();
  using sender = bindNode();
  receiver.setblocking(false);
  await codeOf(() => receiver.recv(1)); // from now on it listens
  const address = receiver.getsockname();
  for (let i = 0; i < 1300; i++) await sender.sendto(bytes(`${i}`), address);
  await turn();
  assertEquals(text(await receiver.recv(9)), "0");
  let last = "";
  while (
    await codeOf(async () => last = text(await receiver.recv(9))) === undefined
  );
  await sender.sendto(bytes("end"), address);
  receiver.settimeout(20);
  while ((last = text(await receiver.recv(9))) !== "end");
  assertEquals(last, "end");
});

Deno.test("Socket.sendto() names what is wrong with each argument", async () => {
  using socket = udp();
  const data = bytes("x");
  const own = socket.getsockname();
  // deno-fmt-ignore
  const rows: [unknown[], string][] = [
    [["\u2620", own], "data must be bytes, got string; encode it first"],
    [[5n, own], "data must be bytes, got bigint"],
    [[data, null], "Cannot sendto null: the address must be [host, port]"],
    [["\u2620", 0, own], "data must be bytes, got string; encode it first"],
    [[5n, 0, own], "data must be bytes, got bigint"],
    [[data, 0, null], "Cannot sendto null: the address must be [host, port]"],
    [[data, "bar", own], 'Cannot sendto "bar": the address must be [host, port]'],
    [[data, null, null], "Cannot sendto null: the address must be [host, port]"],
    [[data, 1.5, own], "Cannot sendto: flags must be an integer, got 1.5"],
    [[data], "Cannot sendto undefined: the address must be [host, port]"],
  ];
  const loose = socket.sendto.bind(socket) as (
    ...args: unknown[]
  ) => Promise<number>;
  for (const [args, message] of rows) {
    await assertRejects(() => loose(...args), TypeError, message);
  }
  assertEquals(await socket.sendto(data, 0, own), 1); // the only one that is sent
  assertEquals(await within(socket.recv(9)), data);
  assertEquals(await codeOf(() => socket.recv(9, MSG_DONTWAIT)), "EAGAIN");
});

Deno.test("Socket.recvfrom() of datagrams refuses a negative size", async () => {
  using socket = udp();
  await socket.sendto(bytes("x"), socket.getsockname());
  await assertRejects(() => socket.recvfrom(-1), RangeError, "got -1");
  assertEquals(text((await within(socket.recvfrom(1)))[0]), "x");
});

Deno.test("Socket of datagrams refuses what is no address", async () => {
  using socket = bindFacade();
  await assertRejects(
    () => socket.sendto(bytes("x"), "path"),
    TypeError,
    "the address must be [host, port]",
  );
  await assertRejects(
    () => socket.connect(undefined!),
    TypeError,
    "the address must be [host, port]",
  );
});

/** A datagram socket whose sends do not end before the test says so. */
function stuckSocket(): [Socket, FakeDatagram, PromiseWithResolvers<number>] {
  const fake = new FakeDatagram();
  const gate = Promise.withResolvers<number>();
  fake.send = () => gate.promise;
  return [Socket.from(fake), fake, gate];
}

Deno.test("Socket of datagrams ends a send that takes too long by its limit", async () => {
  const [socket, , gate] = stuckSocket();
  const send = () => socket.sendto(bytes("x"), ["127.0.0.1", 9]);
  using _socket = socket;
  socket.settimeout(0.01);
  assertEquals(await codeOf(send), "ETIMEDOUT");
  assertEquals(await codeOf(send), "ETIMEDOUT"); // behind the first
  socket.settimeout(0);
  assertEquals(await codeOf(send), "EAGAIN");
  socket.settimeout(null);
  const waits = send();
  gate.resolve(1);
  assertEquals(await within(waits), 1);
});

Deno.test("Socket of datagrams ends a first send that must not wait with EAGAIN", async () => {
  const [socket, , gate] = stuckSocket();
  using _socket = socket;
  const send = () => socket.sendto(bytes("x"), MSG_DONTWAIT, ["127.0.0.1", 9]);
  assertEquals(await codeOf(send), "EAGAIN");
  gate.resolve(1);
});

Deno.test("Socket.close() of datagrams that were closed underneath does not fail", async () => {
  for (
    const error of [
      new Deno.errors.BadResource("Bad resource ID"),
      new Error("odd"),
    ]
  ) {
    const fake = new FakeDatagram();
    fake.close = () => {
      throw error;
    };
    const socket = Socket.from(fake);
    socket.close();
    assertEquals(socket.fileno(), -1);
    await turn(); // nothing is left unhandled
  }
});

Deno.test("Socket.close() after Deno.DatagramConn.close()", {
  ignore: !unstableNet,
}, async () => {
  const conn = (Deno as unknown as {
    listenDatagram(options: object): DatagramTransport;
  }).listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const socket = Socket.from(conn);
  const waits = socket.recv(1);
  conn.close();
  assertEquals(await codeOf(() => waits), "EBADF");
  socket.close();
  await turn();
  assertEquals(await codeOf(() => socket.recv(1)), "EBADF");
});
