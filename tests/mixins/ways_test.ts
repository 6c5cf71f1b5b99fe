/**
 * One set of handlers under all sixteen servers: plain, Async, Threading and Forking, over TCP, UDP, Unix streams
 * and Unix datagrams. The clients get the same bytes, and the hooks are called in the same order. Each server serves
 * all of them, because a worker or a child process for each would take most of the time.
 */

import { Buffer } from "node:buffer";
import * as module from "../../mod.ts";
import {
  type Address,
  type ServerOptions,
  SHUT_WR,
  SOCK_STREAM,
  type Socket,
} from "../../mod.ts";
import {
  assertEquals,
  assertInstanceOf,
  assertLess,
  assertStringIncludes,
  delay,
} from "../deps.ts";
import { haveUnix, mayFork, mayRead, unstableNet } from "../helpers/allowed.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { connectTo } from "../helpers/clients.ts";
import { heapUsed } from "../helpers/heap_used.ts";
import {
  type AnyServer,
  type AnyServerClass,
  type Got,
  LOOPBACK,
} from "../helpers/servers.ts";
import { newPath } from "../helpers/sockets.ts";
import { until, within } from "../helpers/within.ts";
import * as H from "../testdata/handlers.ts";
import { assertPaired, Events } from "../telemetry/telemetry_helpers.ts";

/** The ways to run handlers: what the names of the classes begin with, and what that takes. */
const WAYS: [prefix: string, options: object, ignore: boolean][] = [
  ["", {}, false],
  ["Async", {}, false],
  ["Threading", { maxWorkers: 1 }, !mayRead],
  ["Forking", { maxChildren: 1, childOptions: ["greeting"] }, !mayFork],
];

/** The values that every handler finds in `this.server`. */
const OWN = {
  greeting: "hello",
  shared: { word: "hi", when: new Date(7), bytes: new Uint8Array([1, 2]) },
};

/** The kinds of servers: the end of the class name, an address to bind to, and whether the kind cannot run here. */
const KINDS: [name: string, address: () => Address, ignore: boolean][] = [
  ["TCPServer", () => LOOPBACK, false],
  ["UnixStreamServer", newPath, !haveUnix],
  ["UDPServer", () => LOOPBACK, false],
  ["UnixDatagramServer", newPath, !haveUnix || !unstableNet],
];

/** The calls for a request on the server's side. */
interface Seen {
  hooks: string[];
  errors: (Error & { code?: string })[];
  /** The address of the client in each call of `handleError`. */
  from: Address[];
}

/** A class of servers that notes which hooks are called. */
function noting(Server: AnyServerClass, { hooks, errors, from }: Seen) {
  return class extends Server {
    override async getRequest(): Promise<Got> {
      const got = await super.getRequest();
      hooks.push("getRequest");
      return got;
    }
    override verifyRequest(request: unknown, address: Address) {
      hooks.push("verifyRequest");
      return super.verifyRequest(request, address);
    }
    override async processRequest(request: unknown, address: Address) {
      hooks.push("processRequest");
      await super.processRequest(request, address);
    }
    override async finishRequest(request: unknown, address: Address) {
      hooks.push("finishRequest");
      await super.finishRequest(request, address);
    }
    override handleError(_request: unknown, address: Address, error: unknown) {
      hooks.push("handleError");
      errors.push(error as Error);
      from.push(address);
    }
    override async shutdownRequest(request: unknown) {
      hooks.push("shutdownRequest");
      await super.shutdownRequest(request);
    }
    override closeRequest(request: unknown) {
      hooks.push("closeRequest");
      return super.closeRequest(request);
    }
  };
}

/** The order of the hooks: all of them, once for each request. */
const ORDER = [
  "getRequest",
  "verifyRequest",
  "processRequest",
  "finishRequest",
  "shutdownRequest",
  "closeRequest",
];
/** With the one for errors, after the handler and before the request is shut down. */
const FAILED = ORDER.toSpliced(4, 0, "handleError");

/** A conversation that goes the same in every way to run a handler. */
interface Scenario {
  behaviour: string;
  Handler: H.HandlerName;
  /** Talks with the server as one client. */
  talk: (
    client: Socket,
    server: AnyServer,
    Handler: H.HandlerName,
  ) => Promise<void>;
  /** The class and the message of the error that the handler ends with. */
  // deno-lint-ignore no-explicit-any
  fails?: [Class: new (...args: any[]) => Error, message: string];
}

/** Receives to the end of the stream. */
async function all(client: Socket): Promise<Uint8Array> {
  using file = client.makefile("rb");
  return await file.read();
}

/** Sends, ends the own side, and compares all that comes back. */
function answers(question: Uint8Array, answer: string): Scenario["talk"] {
  return async (client) => {
    await client.sendall(question);
    await client.shutdown(SHUT_WR);
    assertEquals(text(await all(client)), answer);
  };
}

/** Says nothing, and compares all that comes. */
function hears(answer: string): Scenario["talk"] {
  return async (client) => assertEquals(text(await all(client)), answer);
}

const DATA = new Uint8Array(1_000_003).map((_, i) => i * 7);
const DIGEST = new Uint8Array(await crypto.subtle.digest("SHA-256", DATA))
  .toHex();
const DOWNLOAD = 2_000_000;
/** The bytes of a download, from any that is a multiple of 256. */
const PATTERN = new Uint8Array(30_000).map((_, i) => i);

const STREAMS: Scenario[] = [
  {
    behaviour: "echoes until the client ends its side",
    Handler: "Echo",
    async talk(client) {
      for (const word of ["one", "two", "x".repeat(100)]) {
        await client.sendall(bytes(word));
        const flags = module.MSG_WAITALL;
        assertEquals(text(await client.recv(word.length, flags)), word);
      }
      await client.shutdown(SHUT_WR);
      assertEquals((await client.recv(1)).length, 0);
    },
  },
  {
    behaviour: "talks in lines, and ends when asked to",
    Handler: "Lines",
    talk: answers(
      bytes("upper one\r\nwhat\nupper two\nquit\nupper three\n"),
      "ONE\nerror\nTWO\n",
    ),
  },
  {
    behaviour: "answers in order what comes together, by whichever way",
    Handler: "Answers",
    talk: answers(
      bytes("one\nsend two\nthree\nfour\nsend five\n"),
      "one\nsend two\nthree\nfour\nsend five\n",
    ),
  },
  {
    behaviour: "does not hold back the first answer while it waits",
    Handler: "Answers",
    async talk(client) {
      await client.sendall(bytes("one\nlate two\n"));
      assertEquals(text(await client.recv(100)), "one\n");
      await client.sendall(bytes("!")); // what the handler waits for
      assertEquals(text(await client.recv(100)), "late two\n");
      await client.shutdown(SHUT_WR);
      assertEquals(text(await all(client)), "");
    },
  },
  {
    behaviour: "tells the handler the real addresses",
    Handler: "Lines",
    async talk(client, server) {
      const mine = client.getsockname();
      const addresses = [mine, mine, server.serverAddress];
      const answer = `${JSON.stringify(addresses)}\n`;
      await answers(bytes("addr\n"), answer)(client, server, "Lines");
    },
  },
  {
    behaviour: "takes an upload, and answers with its digest",
    Handler: "Upload",
    talk: answers(DATA, `${DATA.length} ${DIGEST}\n`),
  },
  {
    behaviour: "reads on after it has ended its own side",
    Handler: "HalfClose",
    async talk(client) {
      assertEquals(text(await all(client)), "bye\n");
      await client.sendall(bytes("12345"));
      await client.shutdown(SHUT_WR);
    },
    fails: [Error, "read 5 after its end"],
  },
  {
    behaviour: "sends all to a client that reads slowly",
    Handler: "Download",
    async talk(client) {
      await client.sendall(bytes(`${DOWNLOAD}\n`));
      let at = 0;
      for (let turn = 0;; turn++) {
        if (turn % 16 === 0) await delay(1);
        const data = await client.recv(20_011);
        if (data.length === 0) break;
        const expected = PATTERN.subarray(at & 0xff).subarray(0, data.length);
        assertEquals(Buffer.compare(data, expected), 0, `from byte ${at}`);
        at += data.length;
      }
      assertEquals(at, DOWNLOAD);
    },
  },
  {
    behaviour: "answers stream to stream, until the client ends its side",
    Handler: "Streams",
    async talk(client) {
      await client.sendall(bytes("one "));
      assertEquals(text(await client.recv(4, module.MSG_WAITALL)), "ONE ");
      const rest = "two ".repeat(100_000);
      const sending = client.sendall(bytes(rest));
      sending.then(() => client.shutdown(SHUT_WR));
      assertEquals(text(await all(client)), rest.toUpperCase());
    },
  },
  {
    behaviour: "lets a handler give a read up, and keeps what comes later",
    Handler: "GivesUp",
    async talk(client) {
      const heard = await client.recv(8, module.MSG_WAITALL);
      assertEquals(text(heard), "given up");
      await client.sendall(bytes("late"));
      assertEquals(text(await all(client)), "late");
    },
  },
  {
    behaviour: "calls setup, handle, finish",
    Handler: "Hooks",
    talk: hears("setup handle finish"),
  },
  {
    behaviour: "reports what setup throws, and does not call finish",
    Handler: "ThrowInSetup",
    talk: hears("setup "),
    fails: [TypeError, "setup failed"],
  },
  {
    behaviour: "reports what handle throws, and calls finish",
    Handler: "ThrowInHandle",
    talk: hears("setup handle finish"),
    fails: [module.ConnectionResetError, "handle failed"],
  },
  {
    behaviour: "reports what finish throws",
    Handler: "ThrowInFinish",
    talk: hears("setup handle finish"),
    fails: [SyntaxError, "finish failed"],
  },
  {
    behaviour: "ends the connection that setup has put in the place of its own",
    Handler: "Replaces",
    talk: answers(bytes("one\ntwo\n"), "oonneettwwoo bye"),
  },
  {
    behaviour: "ends that connection after an error, too",
    Handler: "Replaces",
    talk: answers(bytes("throw\n"), "tthhrrooww bye"),
    fails: [TypeError, "it threw"],
  },
  {
    behaviour: "runs a handler for both on a connection",
    Handler: "Dual",
    talk: answers(bytes("hello"), "stream 7 true HELLO"),
  },
  {
    behaviour: "reports what a handler for both throws on a connection",
    Handler: "Dual",
    talk: answers(bytes("throw"), ""),
    fails: [Error, "dual failed"],
  },
];

/** Sends a datagram to a handler, and compares the one that comes back. */
function replies(question: string, answer: string): Scenario["talk"] {
  return async (client, server, Handler) => {
    await client.sendall(bytes(`${Handler}\n${question}`));
    const [data, from] = await client.recvfrom(65536);
    assertEquals(text(data), answer);
    assertEquals(from, server.serverAddress);
  };
}

/** Sends a datagram that is not answered. */
function sends(question: string): Scenario["talk"] {
  return async (client, _, Handler) =>
    void await client.sendall(bytes(`${Handler}\n${question}`));
}

const DATAGRAMS: Scenario[] = [
  {
    behaviour: "answers a datagram from the server's own address",
    Handler: "Datagram",
    talk: replies("hello", "HELLO"),
  },
  {
    behaviour: "answers a large datagram",
    Handler: "Datagram",
    talk: replies("x".repeat(8000), "X".repeat(8000)),
  },
  {
    behaviour: "sends no answer where handle throws",
    Handler: "Datagram",
    talk: sends("throw"),
    fails: [Error, "datagram failed"],
  },
  {
    behaviour: "calls setup, handle, finish",
    Handler: "DatagramHooks",
    talk: replies("", "setup handle finish "),
  },
  {
    behaviour: "reports what setup throws, and does not call finish",
    Handler: "DatagramHooks",
    talk: sends("setup"),
    fails: [TypeError, "failed: setup failed "],
  },
  {
    behaviour: "reports what handle throws, and calls finish",
    Handler: "DatagramHooks",
    talk: replies("handle", "setup handle failed finish "),
    fails: [TypeError, "failed: setup handle failed "],
  },
  {
    behaviour: "reports what finish throws",
    Handler: "DatagramHooks",
    talk: sends("finish"),
    fails: [TypeError, "failed: setup handle finish failed "],
  },
  {
    behaviour: "runs a handler for both on a datagram",
    Handler: "Dual",
    talk: replies("hello", "datagram null true HELLO"),
  },
  {
    behaviour: "sends no answer of a handler for both that throws",
    Handler: "Dual",
    talk: sends("throw"),
    fails: [Error, "dual failed"],
  },
];

const isDatagrams = (name: string) => /Datagram|UDP/.test(name);

/** A client whose connection asks for a handler. Datagrams do so themselves. */
async function clientOf(
  server: AnyServer,
  Handler: H.HandlerName,
): Promise<Socket> {
  const client = await connectTo(server);
  if (client.type === SOCK_STREAM) await client.sendall(bytes(`${Handler}\n`));
  return client;
}

/** Runs a scenario with one client, and looks at the hooks. */
async function play(
  server: AnyServer,
  seen: Seen,
  { Handler, talk, fails }: Scenario,
): Promise<void> {
  for (const list of Object.values(seen)) list.length = 0;
  const { accepted, finished, failed } = server.status;
  using client = await clientOf(server, Handler);
  await talk(client, server, Handler);
  await until(() =>
    seen.hooks.includes("closeRequest") && server.status.active === 0
  );
  assertEquals(seen.hooks, fails === undefined ? ORDER : FAILED, "the hooks");
  const { bytesIn: _received, bytesOut: _sent, ...status } = server.status;
  const limits = Object.keys(status.limits);
  assertEquals<unknown>(status, {
    ...{ state: "serving", active: 0, idle: 0 },
    ...{ accepted: accepted + 1, rejected: 0, forced: 0 },
    finished: finished + Number(fails === undefined),
    failed: failed + Number(fails !== undefined),
    ...{ transientErrors: 0, resourceErrors: 0, handshakeErrors: 0 },
    proxyErrors: 0,
    limits: Object.fromEntries(limits.map((limit) => [limit, 0])),
  });
  if (fails === undefined) return;
  assertEquals(seen.from, [client.getsockname()], "who asked");
  const [error] = seen.errors;
  assertInstanceOf(error, fails[0]);
  assertEquals(error.constructor, fails[0]);
  assertEquals(error.message, fails[1]);
  assertStringIncludes(error.stack!, "testdata/handlers.ts");
}

/** Asks three times, one client after the other. */
async function askThree(server: AnyServer): Promise<void> {
  const datagrams = server.socketType !== SOCK_STREAM;
  for (const word of ["one", "two", "three"]) {
    using client = await clientOf(server, datagrams ? "Datagram" : "Lines");
    const question = datagrams ? `Datagram\n${word}` : `upper ${word}\nquit\n`;
    await client.sendall(bytes(question));
    const answer = datagrams ? await client.recv(100) : await all(client);
    assertEquals(text(answer).trim(), word.toUpperCase());
  }
}

/** The server counts the bytes of each request that has ended, also if the handler failed. */
async function countBytes(server: AnyServer): Promise<void> {
  const datagrams = server.socketType !== SOCK_STREAM;
  await until(() => server.status.active === 0);
  const before = server.status;
  const moved = async () => {
    await until(() => server.status.active === 0);
    const { bytesIn, bytesOut } = server.status;
    return [bytesIn - before.bytesIn, bytesOut - before.bytesOut];
  };
  if (datagrams) {
    using client = await clientOf(server, "Datagram");
    await replies("hello", "HELLO")(client, server, "Datagram");
    return assertEquals(await moved(), ["Datagram\nhello".length, 5]);
  }
  using client = await clientOf(server, "Streams");
  const question = bytes("x".repeat(300_000));
  await answers(question, "X".repeat(300_000))(client, server, "Streams");
  assertEquals(await moved(), ["Streams\n".length + 300_000, 300_000]);
  using failing = await clientOf(server, "ThrowInHandle");
  assertEquals(text(await all(failing)), "setup handle finish");
  const [received, sent] = [300_022, 300_019];
  assertEquals(await moved(), [received, sent]);
}

/** The server publishes the start, the end and the error of requests, wherever their handlers run. */
async function publishes(server: AnyServer, events: Events): Promise<void> {
  const datagrams = server.socketType !== SOCK_STREAM;
  await until(() => server.status.active === 0);
  events.clear();
  using client = await clientOf(server, datagrams ? "Datagram" : "Streams");
  const talk = datagrams
    ? replies("hello", "HELLO")
    : answers(bytes("hello"), "HELLO");
  await talk(client, server, datagrams ? "Datagram" : "Streams");
  const stop = await events.next("socketserver.request.stop");
  const bytesIn = (datagrams ? "Datagram\nhello" : "Streams\nhello").length;
  const { request: _connection, duration: _seconds, ...rest } = stop;
  assertEquals(rest, {
    server,
    id: events.of("socketserver.request.start")[0].id,
    clientAddress: client.getsockname(),
    bytesIn,
    bytesOut: datagrams ? null : 5,
    reason: "finished",
    rejected: undefined,
    error: undefined,
  });

  events.clear();
  using failing = await clientOf(server, datagrams ? "Datagram" : "Dual");
  await failing.sendall(bytes(datagrams ? "Datagram\nthrow" : "throw"));
  if (!datagrams) await failing.shutdown(SHUT_WR);
  const failed = await events.next("socketserver.request.stop");
  const [reported] = events.of("socketserver.handler.error");
  assertEquals(failed.reason, "failed");
  assertEquals(failed.error, reported.error);
  assertInstanceOf(failed.error, Error);
  assertEquals(reported.clientAddress, failing.getsockname());
  assertPaired(events);
}

/** Checks the events of a server's life, and of its worker or child. */
function assertLife(prefix: string, server: AnyServer, events: Events): void {
  const ofPool: Record<string, string> = {
    Threading: "worker",
    Forking: "child",
  };
  const pool = ofPool[prefix];
  const life = events.names.filter((name) => !/^(request|handler)/.test(name));
  const expected = pool === undefined ? [] : [`${pool}.start`, `${pool}.exit`];
  assertEquals(
    life.sort(),
    [
      ...expected,
      "listener.start",
      "listener.stop",
    ].sort(),
  );
  const [{ address }] = events.of("socketserver.listener.start");
  assertEquals(address, server.serverAddress);
  for (const { reason, requests } of events.of("socketserver.worker.exit")) {
    assertEquals({ reason, requests }, { reason: "closed", requests: 0 });
  }
  for (const exit of events.of("socketserver.child.exit")) {
    const { server: _, pid, ...end } = exit;
    assertEquals(pid, events.of("socketserver.child.start")[0].pid);
    const reason = "closed";
    assertEquals(end, { reason, code: 0, signal: null, requests: 0 });
  }
}

/** A handler finds the same in its server in every way, and may end its request, and the server. */
async function askServer(server: AnyServer): Promise<void> {
  const datagrams = server.socketType !== SOCK_STREAM;
  for (const wish of ["shutdown", "close", "stop"]) {
    using client = await clientOf(server, "AsksServer");
    const name = datagrams ? "AsksServer\n" : "";
    await client.sendall(bytes(`${name}${wish}\n`));
    const answer = datagrams ? await client.recv(1000) : await all(client);
    assertEquals(JSON.parse(text(answer)), {
      address: server.serverAddress,
      greeting: "hello",
      shared: ["hi", 7, [1, 2]],
      draining: false,
    });
  }
}

/** Looks at what is left of a server that is closed. */
function assertNothingLeft(server: AnyServer): void {
  assertEquals(server.fileno(), -1);
  assertEquals(server.status.active, 0);
  if ("activeChildren" in server) {
    assertEquals((server.activeChildren as Set<number>).size, 0);
  }
}

/** Handles ten requests without a loop, and keeps nothing of them. */
async function handleTen(server: AnyServer): Promise<void> {
  for (let count = 0; count < 10; count++) {
    using client = await clientOf(server, "Echo");
    client.shutdown(SHUT_WR);
    await server.handleRequest();
    assertEquals((await client.recv(1)).length, 0);
  }
  await until(() => server.status.active === 0);
}

/** Connects, sends a word, and returns the answer. The client is Deno's own, which leaves less in the heap. */
async function answerTo(server: AnyServer, word: string): Promise<string> {
  const [hostname, port] = server.serverAddress as [string, number];
  using client = await Deno.connect({ hostname, port });
  await client.write(bytes(word));
  const buffer = new Uint8Array(100);
  const count = await client.read(buffer) ?? 0;
  assertEquals(await client.read(buffer), null);
  return text(buffer.subarray(0, count));
}

/** Serves waves of connections until one leaves nothing in the heap of the server and in that of its handlers. */
async function serveWaves(
  Server: AnyServerClass,
  address: Address,
  options: ServerOptions,
): Promise<void> {
  await using server = new Server(address, H.Heap, options);
  const served = server.serveForever();
  const wave = async () => {
    for (let group = 0; group < 4; group++) {
      const words = Array.from({ length: 50 }, (_, i) => `word ${i}`);
      const answers = words.map((word) => answerTo(server, word));
      assertEquals(await within(Promise.all(answers)), words);
    }
    await until(() => server.status.active === 0);
  };
  const heaps = async () => [
    heapUsed(),
    Number(await answerTo(server, "heap")),
  ];
  let before = await heaps();
  let kept: number[] = [];
  for (let count = 0; count < 15; count++) { // the first ones compile code
    await wave();
    const after = await heaps();
    kept = after.map((used, i) => (used - before[i]) / 200);
    if (Math.max(...kept) < 150) break; // what is kept of each connection is kept in each wave
    before = after;
  }
  assertLess(Math.max(...kept), 150, `${kept} bytes of each connection`);
  await server.shutdown();
  await within(served);
}

/** A datagram is answered after the next one was received, and answered; both from the server's address. */
async function answerLate(server: AnyServer): Promise<void> {
  using client = await connectTo(server);
  for (const question of ["late", "now"]) {
    await client.sendall(bytes(`LateAnswer\n${question}`));
  }
  for (const answer of ["now", "late"]) {
    const [data, from] = await client.recvfrom(65536);
    assertEquals(text(data), answer);
    assertEquals(from, server.serverAddress);
  }
}

for (const [prefix, options, unable] of WAYS) {
  for (const [kind, address, missing] of KINDS) {
    const name = `${prefix}${kind}`;
    const Server = (module as unknown as Record<string, AnyServerClass>)[name];
    Deno.test({
      name:
        `${name} serves one client after the other, and leaves nothing open`,
      ignore: unable || missing,
      async fn(t) {
        const seen: Seen = { hooks: [], errors: [], from: [] };
        using life = new Events();
        const server = new (noting(Server, seen))(address(), H.Named, {
          ...options,
          ...OWN,
        });
        assertEquals(server.serverAddress, server.socket.getsockname());
        if (kind === "TCPServer") {
          await t.step({
            name: "handles ten requests without a loop",
            fn: () => within(handleTen(server)),
            sanitizeOps: false, // the worker or the child, and the accept, are there from now on
            sanitizeResources: false,
          });
        }
        const served = server.serveForever();
        for (const scenario of isDatagrams(kind) ? DATAGRAMS : STREAMS) {
          await t.step(
            scenario.behaviour,
            () => within(play(server, seen, scenario)),
          );
        }
        await t.step("answers three clients", () => within(askThree(server)));
        if (isDatagrams(kind) && prefix !== "") {
          await t.step(
            "answers late, from its own address",
            () => within(answerLate(server)),
          );
        }
        await t.step("counts the bytes", () => within(countBytes(server)));
        using events = new Events(server);
        await t.step(
          "publishes events",
          () => within(publishes(server, events)),
        );
        await t.step(
          "gives handlers a server",
          () => within(askServer(server)),
        );
        await within(served); // the last of them has stopped it
        await within(server.serverClose({ timeout: 5 }));
        assertNothingLeft(server);
        assertLife(prefix, server, life);
        assertPaired(life);
      },
    });
    if (kind !== "TCPServer") continue;
    Deno.test({
      name: `${name} closes before it has served`,
      ignore: unable,
      async fn() {
        await using _ = new Server(address(), H.Echo, options);
      },
    });
    Deno.test({
      name: `${name} keeps no memory of connections that have ended`,
      ignore: unable,
      fn: () => serveWaves(Server, address(), options),
    });
  }
}
