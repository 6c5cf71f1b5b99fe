/** Calls that wait, and an `AbortSignal` that ends the wait: nothing is lost, and the signal keeps nothing. */

import {
  type Address,
  AF_INET,
  createConnection,
  MSG_PEEK,
  MSG_WAITALL,
  select,
  SHUT_RD,
  SHUT_WR,
  Socket,
  TimeoutError,
} from "../../socket.ts";
import { AsyncTCPServer, BaseRequestHandler } from "../../mod.ts";
import { assertEquals, assertRejects, assertStrictEquals } from "../deps.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { Aborting, FakeStream } from "../helpers/fakes.ts";
import {
  listen,
  recvToEnd,
  tcpPair,
  udp,
  withPair,
} from "../helpers/sockets.ts";
import { codeOf, thrownBy } from "../helpers/thrown.ts";
import { turn } from "../helpers/turns.ts";
import { within } from "../helpers/within.ts";

/** A call that waits, and what it needs for that. */
interface Waiting {
  /** Opens a socket on which the call waits. */
  open(): Promise<{ socket: Socket; others: Disposable[] }>;
  /** Makes the call. */
  call(socket: Socket, signal: AbortSignal): Promise<unknown>;
}

async function pair(): Promise<{ socket: Socket; others: Disposable[] }> {
  const [socket, peer] = await tcpPair();
  return { socket, others: [peer] };
}

function single(open: () => Socket) {
  return () => Promise.resolve({ socket: open(), others: [] });
}

/** A pair whose first socket cannot send. */
async function full(): Promise<{ socket: Socket; others: Disposable[] }> {
  const opened = await pair();
  opened.socket.sendall(new Uint8Array(16_000_000)); // more than the buffers of the system hold
  await turn();
  return opened;
}

const TARGET = new Uint8Array(8);

/** A listener whose queue is full, so that a `connect` to it waits. */
async function unanswered(): Promise<{ socket: Socket; others: Disposable[] }> {
  const listener = listen(AF_INET, 1);
  const others = [listener];
  for (let i = 0; i < 2; i++) {
    others.push(await createConnection(listener.getsockname()));
  }
  deaf = listener.getsockname();
  return { socket: new Socket(), others };
}

let deaf: Address;

const CALLS: Record<string, Waiting> = {
  accept: { open: single(listen), call: (s, signal) => s.accept({ signal }) },
  recv: { open: pair, call: (s, signal) => s.recv(8, { signal }) },
  "recv with MSG_PEEK": {
    open: pair,
    call: (s, signal) => s.recv(8, { flags: MSG_PEEK, signal }),
  },
  "recv with MSG_WAITALL": {
    open: pair,
    call: (s, signal) => s.recv(8, { flags: MSG_WAITALL, signal }),
  },
  "recv of UDP": {
    open: single(udp),
    call: (s, signal) => s.recv(8, { signal }),
  },
  recvfrom: { open: pair, call: (s, signal) => s.recvfrom(8, { signal }) },
  "recvfrom of UDP": {
    open: single(udp),
    call: (s, signal) => s.recvfrom(8, { signal }),
  },
  recvInto: {
    open: pair,
    call: (s, signal) => s.recvInto(TARGET, 0, { signal }),
  },
  recvfromInto: {
    open: pair,
    call: (s, signal) => s.recvfromInto(TARGET, 0, { signal }),
  },
  send: { open: full, call: (s, signal) => s.send(TARGET, { signal }) },
  sendall: { open: full, call: (s, signal) => s.sendall(TARGET, { signal }) },
  sendmsg: {
    open: full,
    call: (s, signal) => s.sendmsg([TARGET], [], { signal }),
  },
  sendfile: {
    open: full,
    call: (s, signal) => s.sendfile(import.meta.filename!, 0, 9, { signal }),
  },
  shutdown: {
    open: full,
    call: (s, signal) => s.shutdown(SHUT_WR, { signal }),
  },
  ...(Deno.build.os === "linux"
    ? { // other systems queue more than the backlog
      connect: {
        open: unanswered,
        call: (s: Socket, signal: AbortSignal) => s.connect(deaf, { signal }),
      },
    }
    : {}),
  lingeringClose: {
    open: pair,
    call: (s, signal) => s.lingeringClose(30, 5, { signal }),
  },
  waitClosed: { open: pair, call: (s, signal) => s.waitClosed({ signal }) },
  select: {
    open: pair,
    call: (s, signal) => select([s], [], [], null, { signal }),
  },
};

for (const [name, { open, call }] of Object.entries(CALLS)) {
  Deno.test(`an abort ends ${name}, and leaves no listener`, async () => {
    const { socket, others } = await open();
    const aborting = new Aborting();
    const reason = new Error("enough");
    const waiting = thrownBy(call(socket, aborting.signal));
    await turn();
    assertEquals(aborting.most, 1);
    aborting.abort(reason);
    assertStrictEquals(await waiting, reason);
    assertEquals(aborting.listeners, 0);
    assertStrictEquals(await thrownBy(call(socket, aborting.signal)), reason);
    socket.abort();
    for (const other of others) other[Symbol.dispose]();
  });

  Deno.test(`close() ends ${name} with a signal, and leaves no listener`, async () => {
    const { socket, others } = await open();
    const aborting = new Aborting();
    const waiting = call(socket, aborting.signal).catch(() => {});
    await turn();
    socket.abort();
    await within(waiting);
    assertEquals(aborting.listeners, 0);
    for (const other of others) other[Symbol.dispose]();
  });
}

/** The calls that no timeout of the socket ends with an error. */
const UNTIMED = ["lingeringClose", "select", "waitClosed"];

for (const [name, { open, call }] of Object.entries(CALLS)) {
  if (UNTIMED.includes(name)) continue;
  Deno.test(`a timeout ends ${name} before an abort, and leaves no listener`, async () => {
    const { socket, others } = await open();
    const aborting = new Aborting();
    socket.settimeout(0.02);
    const thrown = await thrownBy(call(socket, aborting.signal));
    assertEquals(thrown instanceof TimeoutError, true);
    assertEquals(aborting.listeners, 0);
    socket.abort();
    for (const other of others) other[Symbol.dispose]();
  });
}

/** Waits for its client until the server drains. */
class WaitsForDrain extends BaseRequestHandler {
  override async handle() {
    const { request, signal } = this;
    await request.sendall(bytes("go"));
    const thrown = await thrownBy(request.recv(1, { signal }));
    await request.sendall(bytes(` ${thrown === signal.reason}`));
  }
}

Deno.test("the signal of a handler ends a recv() when the server drains", async () => {
  const server = new AsyncTCPServer(["127.0.0.1", 0], WaitsForDrain);
  const serving = server.serveForever();
  using client = await createConnection(server.serverAddress);
  assertEquals(text(await within(client.recv(2))), "go");
  const report = await within(server.serverClose({ timeout: 20 }));
  assertEquals(report, { idle: 0, finished: 1, forced: 0 });
  assertEquals(text(await recvToEnd(client)), " true");
  await serving;
});

withPair("the reason is thrown as it is, of whatever kind", async (client) => {
  for (const reason of ["no error", null, 7, new TypeError("mine")]) {
    const aborting = new AbortController();
    const { signal } = aborting;
    const waiting = [
      thrownBy(client.recv(1, { signal })),
      thrownBy(client.waitClosed({ signal })),
    ];
    await turn();
    aborting.abort(reason);
    for (const each of waiting) assertStrictEquals(await each, reason);
    const late = [
      client.recv(1, { signal }),
      client.sendall(TARGET, { signal }),
      client.sendfile("none", 0, 1, { signal }),
      client.shutdown(SHUT_WR, { signal }),
      client.waitClosed({ signal }),
      select([client], [], [], null, { signal }),
    ];
    for (const each of late) assertStrictEquals(await thrownBy(each), reason);
  }
});

withPair(
  "AbortSignal.timeout() ends a call with its TimeoutError",
  async (client) => {
    const signal = AbortSignal.timeout(5);
    const thrown = await thrownBy(client.recv(1, { signal }));
    assertStrictEquals(thrown, signal.reason);
    assertEquals((thrown as DOMException).name, "TimeoutError");
  },
);

withPair("a signal of another kind is a TypeError", async (client, server) => {
  const options = { signal: "soon" as unknown as AbortSignal };
  const message = "signal must be an AbortSignal, got string";
  using listener = listen();
  const calls = [
    () => client.recv(1, options),
    () => client.sendall(TARGET, options),
    () => client.connect(["127.0.0.1", 1], options),
    () => client.shutdown(SHUT_WR, options),
    () => client.sendfile("none", 0, 1, options),
    () => client.waitClosed(options),
    () => listener.accept(options),
    () => select([client], [], [], 0, options),
  ];
  for (const call of calls) await assertRejects(call, TypeError, message);
  client.close();
  assertEquals((await recvToEnd(server)).length, 0);
});

withPair(
  "data after an aborted recv() is for the next call",
  async (client, server) => {
    const aborting = new AbortController();
    const { signal } = aborting;
    const target = new Uint8Array(4);
    const calls = [
      client.recvInto(target, 0, { signal }),
      client.recvfrom(8, { flags: MSG_PEEK, signal }),
    ].map(thrownBy);
    await turn();
    aborting.abort();
    const thrown = await Promise.all(calls);
    assertEquals(thrown, [signal.reason, signal.reason]);
    await server.sendall(bytes("late"));
    assertEquals(text(await within(client.recv(8))), "late");
    assertEquals(target, new Uint8Array(4));
    await server.sendall(bytes("ef"));
    assertEquals(await within(select([client], [], [], 5)), [[client], [], []]);
    assertStrictEquals(
      await thrownBy(client.recv(8, { signal })),
      signal.reason,
    );
    assertEquals(text(await within(client.recv(8))), "ef");
  },
);

withPair(
  "what an aborted MSG_WAITALL has taken is for the next call",
  async (client, server) => {
    const aborting = new AbortController();
    const { signal } = aborting;
    const waiting = thrownBy(client.recv(4, { flags: MSG_WAITALL, signal }));
    await server.sendall(bytes("ab"));
    await within(select([client], [], [], 5)).then(turn); // the call has taken them
    aborting.abort();
    assertStrictEquals(await waiting, signal.reason);
    await server.sendall(bytes("cd"));
    assertEquals(text(await within(client.recv(4, MSG_WAITALL))), "abcd");
  },
);

Deno.test("a connection after an aborted accept() is for the next call", async () => {
  using listener = listen();
  const aborting = new AbortController();
  const waiting = thrownBy(listener.accept({ signal: aborting.signal }));
  await turn();
  aborting.abort();
  assertStrictEquals(await waiting, aborting.signal.reason);
  using client = await createConnection(listener.getsockname());
  const [server, peer] = await within(listener.accept());
  assertEquals(peer, client.getsockname());
  server.close();
});

Deno.test("a datagram after an aborted recvfrom() is for the next call", async () => {
  using receiver = udp();
  using sender = udp();
  const aborting = new AbortController();
  const { signal } = aborting;
  const waiting = thrownBy(receiver.recvfrom(9, { signal }));
  await turn();
  aborting.abort();
  assertStrictEquals(await waiting, signal.reason);
  const late = sender.sendto(bytes("no"), receiver.getsockname(), { signal });
  assertStrictEquals(await thrownBy(late), signal.reason);
  await sender.sendto(bytes("x"), receiver.getsockname(), { flags: 0 });
  assertStrictEquals(
    await thrownBy(receiver.recv(0, { signal })),
    signal.reason,
  );
  const [data, from] = await within(receiver.recvfrom(9));
  assertEquals(text(data), "x", "data");
  assertEquals(from, sender.getsockname(), "from");
});

withPair(
  "a sendall() that is aborted before its turn sends nothing",
  async (client, server) => {
    const aborting = new AbortController();
    const { signal } = aborting;
    const first = client.sendall(new Uint8Array(16_000_000));
    const second = thrownBy(client.sendall(bytes("second"), { signal }));
    const third = client.sendall(bytes("third"));
    await turn();
    aborting.abort();
    assertStrictEquals(await second, signal.reason);
    const received = recvToEnd(server);
    await within(first);
    await within(third);
    client.close();
    const all = await received;
    assertEquals(all.length, 16_000_005, "length");
    assertEquals(text(all.subarray(-5)), "third", "end");
  },
);

withPair(
  "send() with a signal and no timeout sends all",
  async (client, server) => {
    const { signal } = new AbortController();
    const received = recvToEnd(server);
    const sent = await within(
      client.send(new Uint8Array(3_000_000), { signal }),
    );
    client.close();
    assertEquals(sent, 3_000_000, "sent");
    assertEquals((await received).length, 3_000_000, "received");
  },
);

withPair(
  "a sendall() aborted on its way sends no more, and close() does not wait for it",
  async (client, server) => {
    const aborting = new AbortController();
    const { signal } = aborting;
    const sending = thrownBy(
      client.sendall(new Uint8Array(16_000_000), { signal }),
    );
    await turn();
    aborting.abort();
    assertStrictEquals(await sending, signal.reason);
    client.close();
    assertEquals((await recvToEnd(server)).length < 16_000_000, true);
  },
);

withPair("shutdown(SHUT_RD) ends a recv() with a signal", async (client) => {
  const aborting = new Aborting();
  const waiting = client.recv(1, { signal: aborting.signal });
  await turn();
  await client.shutdown(SHUT_RD);
  assertEquals((await within(waiting)).length, 0);
  assertEquals(aborting.listeners, 0);
});

withPair("timeout 0 and a signal: the call does not wait", async (client) => {
  client.settimeout(0);
  const { signal } = new AbortController();
  assertEquals(await codeOf(() => client.recv(1, { signal })), "EAGAIN");
  const aborted = AbortSignal.abort();
  assertStrictEquals(
    await thrownBy(client.recv(1, { signal: aborted })),
    aborted.reason,
  );
});

Deno.test({
  name: "an aborted connect() leaves a socket that may connect elsewhere",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const { socket, others } = await unanswered();
    const aborting = new AbortController();
    const waiting = thrownBy(
      socket.connectEx(deaf, { signal: aborting.signal }),
    );
    await turn();
    aborting.abort();
    assertStrictEquals(await waiting, aborting.signal.reason);
    using listener = listen();
    await within(socket.connect(listener.getsockname()));
    assertEquals(socket.getpeername(), listener.getsockname());
    for (const each of [socket, ...others]) each[Symbol.dispose]();
  },
});

Deno.test("one signal for 100,000 calls keeps nothing of them", async () => {
  const stream = new FakeStream();
  const { read } = stream;
  stream.read = () => Promise.resolve(1);
  using socket = Socket.from(stream);
  const aborting = new Aborting();
  const { signal } = aborting;
  for (let i = 0; i < 100_000; i++) await socket.recv(1, { signal });
  assertEquals(aborting.listeners, 0, "listeners");
  assertEquals(aborting.most, 1, "most");
  stream.read = read;
  const calls = Array.from(
    { length: 1000 },
    () => socket.recv(1, { signal }).catch(() => "aborted"),
  );
  await turn();
  assertEquals(aborting.listeners, 1, "listeners");
  assertEquals(aborting.most, 1, "most"); // one for all
  aborting.abort();
  assertEquals(await Promise.all(calls), Array(1000).fill("aborted"));
  assertEquals(aborting.listeners, 0);
});
