import {
  AF_INET,
  createConnection,
  getdefaulttimeout,
  MSG_PEEK,
  MSG_WAITALL,
  select,
  setdefaulttimeout,
  SHUT_WR,
  Socket,
  TimeoutError,
  warnings,
} from "../../socket.ts";
import {
  assertEquals,
  assertGreater,
  assertLess,
  assertRejects,
  assertThrows,
  spy,
} from "../deps.ts";
import { granted } from "../helpers/allowed.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { listen, recvToEnd, tcpPair, udp } from "../helpers/sockets.ts";
import { codeOf, ERRNO } from "../helpers/thrown.ts";
import { compute } from "../helpers/turns.ts";
import { boundedCommand, within } from "../helpers/within.ts";

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

/** Puts a method in the place of an object's until the end of the block. */
function replaced<K extends string>(
  owner: Record<K, unknown>,
  name: K,
  method: (message: string) => void,
): Disposable {
  const original = owner[name];
  owner[name] = method;
  return { [Symbol.dispose]: () => owner[name] = original };
}

Deno.test("warnings.showwarning() prints, and does not throw if stderr takes nothing", () => {
  const printed: string[] = [];
  using _full = replaced(console, "warn", (message) => {
    printed.push(message);
    throw new Error("No space left on device");
  });
  warnings.showwarning("the warning");
  assertEquals(printed, ["the warning"]);
});

/** Prints what is shown of three times; in a process of its own, because a test before may have had the warning. */
const SHOWN = `
import { Socket, warnings } from ${
  JSON.stringify(new URL("../../mod.ts", import.meta.url).href)
};
warnings.showwarning = (message) => console.log(message);
using socket = new Socket();
socket.settimeout(86_400);
socket.settimeout(5000);
socket.setdeadline(6000);
`;

Deno.test({
  name:
    "a time in milliseconds is shown once, by the program's own warnings.showwarning()",
  ignore: !granted("run"),
  async fn() {
    const { stdout } = await boundedCommand(Deno.execPath(), {
      args: ["eval", "--no-check", SHOWN],
    }).output();
    assertEquals(
      new TextDecoder().decode(stdout),
      "A timeout of 5000 is 1.4 hours: timeouts are in seconds. For 5000 milliseconds write 5, for no limit null.\n",
    );
  },
});

Deno.test("Socket.settimeout() takes seconds, 0 and null, and nothing else", () => {
  using socket = new Socket();
  for (const timeout of [0.25, 3, null, 0]) {
    socket.settimeout(timeout);
    assertEquals(socket.gettimeout(), timeout, "timeout");
    assertEquals(socket.getblocking(), timeout !== 0, "blocking");
  }
  for (const timeout of [-1, Infinity, NaN]) {
    assertThrows(
      () => socket.settimeout(timeout),
      RangeError,
      `finite and not negative, got ${timeout}`,
    );
  }
  for (const timeout of ["1", undefined, true]) {
    const number = timeout as unknown as number;
    assertThrows(
      () => socket.settimeout(number),
      TypeError,
      `got ${typeof timeout}`,
    );
  }
  assertEquals(socket.gettimeout(), 0); // none of these changed it
});

Deno.test("Socket.setblocking() sets the timeout to null or 0", () => {
  using socket = new Socket();
  socket.setblocking(false);
  assertEquals(socket.gettimeout(), 0, "timeout");
  assertEquals(socket.getblocking(), false, "blocking");
  socket.setblocking(true);
  assertEquals(socket.gettimeout(), null, "timeout");
  assertEquals(socket.getblocking(), true, "blocking");
  const { type } = socket;
  for (const timeout of [null, 0, 10, 0, 2.5]) {
    socket.settimeout(timeout);
    assertEquals(socket.getblocking(), timeout !== 0);
    assertEquals(socket.gettimeout(), timeout);
    assertEquals(socket.type, type);
  }
  socket.setblocking(false);
  socket.setblocking(2 ** 32 as unknown as boolean); // true, as in Python
  assertEquals(socket.gettimeout(), null);
});

Deno.test("setdefaulttimeout() is for new and accepted sockets", async () => {
  assertThrows(() => setdefaulttimeout(-1), RangeError);
  const text = "spam" as unknown as number;
  assertThrows(() => setdefaulttimeout(text), TypeError);
  setdefaulttimeout(7.5);
  try {
    assertEquals(getdefaulttimeout(), 7.5);
    const [client, server] = await tcpPair();
    assertEquals(client.gettimeout(), 7.5, "clientTimeout");
    assertEquals(server.gettimeout(), 7.5, "serverTimeout");
    using listener = listen();
    listener.settimeout(10); // which accepted sockets do not inherit
    using second = await createConnection(listener.getsockname());
    const [accepted] = await listener.accept();
    assertEquals(accepted.gettimeout(), 7.5, "acceptedTimeout");
    assertEquals(second.gettimeout(), 7.5, "secondTimeout");
    for (const socket of [accepted, client, server]) socket.close();
  } finally {
    setdefaulttimeout(null);
  }
  using socket = new Socket();
  assertEquals(socket.gettimeout(), null);
});

Deno.test("Socket.recv() times out, not before its time, and loses nothing", async () => {
  const [client, server] = await tcpPair();
  server.settimeout(0.05);
  const begin = performance.now();
  const error = await assertRejects(() => within(server.recv(5)), TimeoutError);
  const took = performance.now() - begin;
  assertEquals(
    error.message,
    "Cannot recv: timed out after 0.05 s (ETIMEDOUT)",
  );
  assertGreater(took, 49);
  for (const flags of [MSG_PEEK, 0]) {
    assertEquals(await codeOf(() => server.recv(5, flags)), "ETIMEDOUT");
  }
  await client.sendall(bytes("late data"));
  server.settimeout(20);
  assertEquals(text(await within(server.recv(4))), "late");
  assertEquals(text(await within(server.recv(9))), " data");
  client.close();
  server.close();
});

Deno.test("Socket.accept() times out, and the connection that comes later waits", async () => {
  using listener = listen();
  listener.settimeout(0.02);
  assertEquals(await codeOf(() => listener.accept()), "ETIMEDOUT");
  using client = new Socket();
  await client.connect(listener.getsockname());
  listener.settimeout(20);
  const [server, peer] = await within(listener.accept());
  assertEquals(peer, client.getsockname());
  server.close();
});

Deno.test("Socket.recvfrom() times out, and the datagram that comes later waits", async () => {
  using receiver = udp();
  using sender = udp();
  receiver.settimeout(0.02);
  assertEquals(await codeOf(() => receiver.recvfrom(9)), "ETIMEDOUT");
  await sender.sendto(bytes("late"), receiver.getsockname());
  receiver.settimeout(20);
  assertEquals(await within(receiver.recvfrom(9)), [
    bytes("late"),
    sender.getsockname(),
  ]);
});

Deno.test({
  name: "Socket.connect() times out, and may be tried again",
  ignore: !backlogHolds,
  async fn() {
    const [listener, clients] = await fullListener();
    using socket = new Socket();
    socket.settimeout(0.05);
    const begin = performance.now();
    assertEquals(
      await codeOf(() => socket.connect(listener.getsockname())),
      "ETIMEDOUT",
    );
    assertEquals(
      await socket.connectEx(listener.getsockname()),
      ERRNO.EAGAIN,
    );
    assertGreater(performance.now() - begin, 99);
    for (const client of clients) client.close();
    listener.close();
    using free = listen();
    await within(socket.connect(free.getsockname()));
  },
});

Deno.test("Socket.sendall() times out if nobody reads", async () => {
  const [client, server] = await tcpPair();
  client.settimeout(0.05);
  const huge = new Uint8Array(64 * MIB);
  const first = within(client.sendall(huge));
  const second = codeOf(() =>
    client.sendall(bytes("waits for the first, and for too long"))
  );
  await assertRejects(
    () => first,
    TimeoutError,
    "Cannot sendall: timed out after 0.05 s",
  );
  assertEquals(await second, "ETIMEDOUT");
  assertEquals(await codeOf(() => client.shutdown(SHUT_WR)), "ETIMEDOUT");
  client.close(); // what was given up is not waited for
  assertLess((await recvToEnd(server)).length, huge.length);
  server.close();
});

Deno.test("Socket.shutdown() may be tried again after a timeout", async () => {
  const [client, server] = await tcpPair();
  client.setblocking(false);
  let sent = 0;
  while (
    await codeOf(async () => sent += await client.send(new Uint8Array(MIB))) ===
      undefined
  );
  assertEquals(await codeOf(() => client.shutdown(SHUT_WR)), "EAGAIN");
  client.settimeout(0.01);
  assertEquals(await codeOf(() => client.shutdown(SHUT_WR)), "ETIMEDOUT");
  client.settimeout(20);
  const shut = within(client.shutdown(SHUT_WR));
  assertEquals((await recvToEnd(server)).length, sent);
  await shut;
  client.close();
  server.close();
});

Deno.test("Socket.send() with a timeout counts every byte that it takes", async () => {
  const [client, server] = await tcpPair();
  client.settimeout(0.02);
  let sent = 0;
  let calls = 0;
  for (;;) {
    const code = await codeOf(async () => {
      sent += await client.send(new Uint8Array(MIB));
    });
    if (code !== undefined) {
      assertEquals(code, "ETIMEDOUT");
      break;
    }
    calls++;
  }
  assertGreater(calls, 1);
  client.close();
  assertEquals((await recvToEnd(server)).length, sent);
  server.close();
});

Deno.test("Socket with a timeout sets a timer for many calls, not for each", async () => {
  const [client, server] = await tcpPair();
  client.settimeout(30);
  server.settimeout(30);
  using timers = spy(globalThis, "setTimeout");
  for (let i = 0; i < 500; i++) {
    const waiting = server.recv(4);
    await client.sendall(bytes("ping"));
    assertEquals((await waiting).length, 4);
  }
  assertLess(timers.calls.length, 5);
  client.close();
  server.close();
});

Deno.test("Socket.settimeout() is for the calls that come after it", async () => {
  using listener = listen();
  listener.settimeout(30);
  const long = codeOf(() => listener.accept());
  listener.settimeout(0.01); // for the next call
  assertEquals(await codeOf(() => listener.accept()), "ETIMEDOUT");
  listener.close();
  assertEquals(await long, "EBADF");
});

/** Calls with a timeout, begun on a socket, whose result is in the system before the time is over. */
const IN_TIME: Record<string, () => Promise<unknown>> = {
  async recv() {
    const [client, server] = await tcpPair();
    server.settimeout(0.02);
    const received = server.recv(9);
    client.sendall(bytes("in time"));
    compute(40);
    assertEquals(text(await received), "in time");
    client.close();
    server.close();
  },
  async recvInto() {
    const [client, server] = await tcpPair();
    server.settimeout(0.02);
    const received = server.recvInto(new Uint8Array(9));
    client.sendall(bytes("in time"));
    compute(40);
    assertEquals(await received, 7);
    client.close();
    server.close();
  },
  async "recv() of a deadline"() {
    const [client, server] = await tcpPair();
    server.setdeadline(0.02);
    const received = server.recv(9, MSG_PEEK);
    client.sendall(bytes("in time"));
    compute(40);
    assertEquals(text(await received), "in time");
    client.close();
    server.close();
  },
  async recvfrom() {
    using receiver = udp();
    using sender = udp();
    receiver.settimeout(0.02);
    const received = receiver.recvfrom(9);
    await sender.sendto(bytes("in time"), receiver.getsockname());
    compute(40);
    assertEquals(text((await received)[0]), "in time");
  },
  async connect() {
    using listener = listen();
    using client = new Socket();
    client.settimeout(0.02);
    const connected = client.connect(listener.getsockname());
    compute(40);
    await connected;
  },
  async accept() {
    using listener = listen();
    listener.settimeout(0.02);
    const accepted = listener.accept();
    const connected = createConnection(listener.getsockname());
    compute(40);
    (await accepted)[0].close();
    (await connected).close();
  },
  async sendall() {
    const [client, server] = await tcpPair();
    client.settimeout(0.02);
    const sent = client.sendall(new Uint8Array(MIB));
    const received = recvToEnd(server);
    compute(40);
    await sent;
    client.close();
    assertEquals((await received).length, MIB);
    server.close();
  },
  async select() {
    const [client, server] = await tcpPair();
    const ready = select([server], [], [], 0.02);
    client.sendall(bytes("in time"));
    compute(40);
    assertEquals((await ready)[0], [server]);
    client.close();
    server.close();
  },
};

for (const [name, call] of Object.entries(IN_TIME)) {
  Deno.test(`${name} does not time out if the program kept the event loop from looking in time`, async () => {
    await within(call());
  });
}

/** Calls that a peer would prolong for ever if each of its bytes gave them more time. */
const PROLONGED: Record<string, (server: Socket) => Promise<unknown>> = {
  "a timeout": (server) => {
    server.settimeout(0.05);
    return server.recv(MIB, MSG_WAITALL);
  },
  "a deadline": async (server) => {
    server.setdeadline(0.05);
    for (;;) await server.recv(1);
  },
};

for (const [name, call] of Object.entries(PROLONGED)) {
  Deno.test(`${name} of a socket ends in time whose peer sends a byte in each turn`, async () => {
    const [client, server] = await tcpPair();
    let over = false;
    const sending = (async () => {
      while (!over) {
        await client.send(bytes("x"));
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    await assertRejects(() => within(call(server), 10_000), TimeoutError);
    over = true;
    await sending;
    client.close();
    server.close();
  });
}
