/** The same calls on `Socket` in the main thread, on `Socket` in a worker, and on `BlockingSocket`. */

import { once } from "node:events";
import { connect as connectNode } from "node:net";
import {
  AsyncTCPServer,
  type RequestHandlerConstructor,
  SHUT_WR,
  Socket,
  ThreadingTCPServer,
  ThreadingUDPServer,
} from "../../mod.ts";
import {
  BlockingRWPairShell,
  BlockingTextRWPairShell,
} from "../../internal/blocking/blocking_makefile.ts";
import {
  BlockingReaderShell,
  BlockingTextReaderShell,
} from "../../internal/blocking/blocking_readers.ts";
import { BlockingSocketShell } from "../../internal/blocking/blocking_socket_shell.ts";
import {
  BlockingTextWriterShell,
  BlockingWriterShell,
} from "../../internal/blocking/blocking_writers.ts";
import * as S from "../../mod.ts";
import { assertEquals, assertGreater, delay } from "../deps.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { readAll, readText } from "../helpers/clients.ts";
import { udp } from "../helpers/sockets.ts";
import { Running, workerTest } from "../helpers/threading.ts";
import { within } from "../helpers/within.ts";
import {
  Blocks,
  BlocksForDatagrams,
  SCRIPTS,
  Waits,
  WaitsForDatagrams,
} from "../testdata/both_handlers.ts";

type Server = Running<AsyncTCPServer | ThreadingTCPServer>;

/** The results that a script reports, and the text that its client receives. */
type Outcome = [told: unknown, got: string];

/** A script, with a client for it. */
interface Case {
  /** The text that the client sends before it half-closes. */
  sends?: string;
  /** Runs the client instead; returns the text that it received. */
  client?: (client: Socket, told: Promise<unknown>) => Promise<string>;
  /** The way in which the client leaves instead, once it has an answer. */
  leaves?: "resetAndDestroy" | "destroy";
  /** The text that the client receives; none by default. */
  gets?: string;
  /** The results of the script; by default each of them is an error. */
  tells?: unknown;
}

const READS = [true, false, false, false];
const WRITES = [false, true, false, false];
const BOTH = [true, true, false, false];
const TIMED_OUT =
  "TimeoutError ETIMEDOUT: Cannot recv: timed out after 0.01 s (ETIMEDOUT)";
const AGAIN =
  "BlockingIOError EAGAIN: Cannot recv: Resource temporarily unavailable (EAGAIN)";

const CLOSED = "OSError EBADF: Cannot recv: the socket is closed (EBADF)";
const BROKEN = "BrokenPipeError EPIPE: Cannot";

const CASES: Record<string, Case> = {
  recv: {
    sends: "abcdefghijklmnopqrstu",
    // deno-fmt-ignore
    tells: [
      "abc", "", "de", "defg", ["h", null], 5, 1, [2, null], "qrstu", "", "", 0, "opklm",
    ],
  },
  timeouts: {
    client: readAll,
    tells: [
      [0.01, true],
      [TIMED_OUT, TIMED_OUT, TIMED_OUT, AGAIN],
      [0, false],
      [
        AGAIN,
        "TypeError : Cannot sendfile: the socket must wait, its timeout is 0",
      ],
      [null, true],
    ],
  },
  deadlines: {
    client: (client) => readText(client, 2),
    gets: "go",
    tells: [
      "TimeoutError ETIMEDOUT: Cannot recv: the deadline of 0 s has passed (ETIMEDOUT)",
      AGAIN,
      "RangeError : Cannot set the timeout: it must be finite and not negative, got -1",
      'TypeError : Cannot set the timeout: it must be a number or null, got string "1"; write 1, or convert it with Number()',
      TIMED_OUT,
      "TimeoutError",
      2,
    ],
  },
  lingers: {
    async client(client) {
      const got = await readAll(client);
      for (let i = 0; i < 64; i++) await client.sendall(new Uint8Array(65536));
      return got;
    },
    gets: "answer",
    tells: ["nothing", CLOSED, "nothing"],
  },
  lingersForSilence: {
    async client(client, told) {
      const got = await readAll(client);
      await told;
      return got;
    },
    gets: "answer",
    tells: ["nothing", CLOSED],
  },
  lingersForAll: {
    async client(client, told) {
      let ended = false;
      told.then(() => ended = true);
      const got = await readAll(client);
      while (!ended) {
        await client.sendall(bytes("x")).catch(() => {}); // it may be closed
        await delay(1); // a byte each millisecond, for as long as the server lingers
      }
      return got;
    },
    gets: "answer",
    tells: ["nothing", CLOSED],
  },
  lingersWrong: {},
  keeps: {
    async client(client) {
      await client.sendall(bytes("abc"));
      const got = await readText(client, 4);
      await client.sendall(bytes("defghi"));
      return got + await readAll(client);
    },
    gets: "more",
    // deno-fmt-ignore
    tells: [
      TIMED_OUT, "a", "bc", // the socket's, then those of its files
      TIMED_OUT, TIMED_OUT, TIMED_OUT, TIMED_OUT, TIMED_OUT, TIMED_OUT, "defg", TIMED_OUT,
    ],
  },
  sends: {
    gets: "send;now;[view]abcd",
    tells: [5, 4, "nothing", "nothing", 0, 3, 1],
  },
  inVain: {},
  closed: {},
  aborted: {
    async client(client) {
      await client.shutdown(SHUT_WR);
      return await readAll(client).catch(({ code }) => code); // abort() resets the connection
    },
    gets: "ECONNRESET",
  },
  halves: {
    async client(client) {
      const got = await readAll(client);
      await client.sendall(bytes("reply"));
      await readAll(client);
      return got;
    },
    gets: "bye",
    // deno-fmt-ignore
    tells: [
      `${BROKEN} send: shut down for writing (EPIPE)`,
      `${BROKEN} sendall: shut down for writing (EPIPE)`,
      `${BROKEN} send: shut down for writing (EPIPE)`,
      `${BROKEN} send: shut down for writing (EPIPE)`,
      "re", "p", "pl", "y", "", "", "", 0,
    ],
  },
  reset: {
    leaves: "resetAndDestroy",
    gets: "go",
    tells: [
      "ConnectionResetError ECONNRESET: Cannot recv: Connection reset by peer (ECONNRESET)",
      "",
    ],
  },
  gone: { leaves: "destroy", gets: "go", tells: "gone" },
  options: { tells: [1, 1, 0, [2, 1, 0]] },
  bytes: {
    sends: "line one\nline two\nabcd;e\nfghijklmn\no\np\nthe rest",
    // deno-fmt-ignore
    tells: [
      true, "line one\n", "li", "ne ", "tw", "o\nabcd;", "e\n", 4, 1, "", "k", ["lmn\n"],
      "IncompleteReadError : Cannot read 99 bytes: the stream ended after 12 bytes",
      "", "", "", "",
      'IncompleteReadError : Cannot read until "x": the stream ended after 0 bytes',
      [], READS, "jghi", true,
    ],
  },
  limits: { sends: "too long\nabc\ntoo long again\nx\nlast;;;" },
  unbuffered: {
    sends: "one\ntwo;three",
    tells: ["one\n", "two;", "th", "ree"],
  },
  writes: {
    gets: "12345678901a long one, longer than the bufferabc",
    // deno-fmt-ignore
    tells: [
      5, 5, 6, 34, "nothing",
      "TypeError : Cannot write: data must be bytes or a string, got number",
      "nothing", WRITES, true,
    ],
  },
  text: {
    sends: "€é1\r\ntwo\rthree\nfour\nfive\nsix\r\n",
    // deno-fmt-ignore
    tells: [
      "€é1", "\n", "tw", "o\n", ["three\n"], READS,
      "RangeError : Cannot read: size must be -1 or a non-negative integer, got -2",
      "TypeError : Cannot read a line: limit must be a number, got string",
      "four\nfive\nsix\n", "", true,
    ],
  },
  encodings: {
    sends: "é\r\n€\rbc\n",
    tells: ["Ã©\r\n", "\ufffd\ufffd\ufffd\r", "bc\n", "", ""],
  },
  textOut: {
    gets: "\ufffd\r\na\r\nb\r\n€\n", // the first is no UTF-8
    tells: [
      2,
      "nothing",
      'TypeError : Cannot encode text: latin-1 has no "€"',
      "TypeError : Cannot write: text must be a string, got number",
      "nothing",
      WRITES,
    ],
  },
  bothBytes: {
    sends: "answer\nab1;234\nlast\nthe rest",
    // deno-fmt-ignore
    tells: [
      9, 9, "nothing", "answer\n", "a", "b", "1;", 2, 2, ["last\n"], "nothing", BOTH, true,
      "the rest", "", "", true,
      "TypeError : Cannot read: read of closed file",
    ],
    gets: "question\ndone!",
  },
  bothText: {
    sends: "answer\r\n€uro\nmore\nthe rest",
    // deno-fmt-ignore
    tells: [
      9, "nothing", "answer\n", "€u", ["ro\n"], "nothing", BOTH, "more\nthe rest", true,
    ],
    gets: "question\ndone!",
  },
  givenUp: {
    sends: "ab",
    tells: [
      1,
      "given up",
      "TypeError : Cannot recv: signal must be an AbortSignal, got string",
      "RangeError : Cannot sendall: the flag MSG_PEEK does not work in Deno",
      "TypeError : Cannot shutdown: signal must be an AbortSignal, got object",
      "ab",
      2,
      "nothing",
    ],
    gets: "x",
  },
  closedFiles: {},
  keepsOpen: {
    sends: "abc",
    tells: [
      "a",
      "b",
      "c",
      CLOSED,
    ],
  },
  sendfile: { gets: "/** * Ca**}\n}\n", tells: [3, 5, 0, 2, 3, 4] },
};

/** Resets or closes the connection once there is an answer. */
async function leave(
  running: Server,
  name: string,
  how: "resetAndDestroy" | "destroy",
): Promise<string> {
  const [, port] = running.server.serverAddress as [string, number];
  const client = connectNode(port, "127.0.0.1");
  client.write(`${name}\n`);
  const [data] = await once(client, "data");
  client[how]();
  return String(data).slice(0, 2);
}

const SERVERS: [name: string, make: () => Server][] = [
  ["Socket", () => new Running(new AsyncTCPServer(["127.0.0.1", 0], Waits))],
  ["Socket in a worker", () => threads(Waits)],
  [
    "BlockingSocket",
    () => threads(Blocks as unknown as RequestHandlerConstructor),
  ],
];

function threads(Handler: RequestHandlerConstructor): Server {
  const options = { maxWorkers: 1 };
  return new Running(
    new ThreadingTCPServer(["127.0.0.1", 0], Handler, options),
  );
}

/** Has a client talk to a script, and returns the results of both. */
async function outcome(running: Server, name: string): Promise<Outcome> {
  const { leaves } = CASES[name];
  const report = running.reports.next();
  const got = leaves === undefined
    ? talk(running, name, report)
    : leave(running, name, leaves);
  const { error } = await report;
  return [JSON.parse(error.message), await within(got)];
}

async function talk(
  running: Server,
  name: string,
  told: Promise<unknown>,
): Promise<string> {
  const { client: own, sends = "" } = CASES[name];
  using client = await running.connect();
  await client.sendall(bytes(`${name}\n`));
  if (own !== undefined) return await own(client, told);
  await client.sendall(bytes(sends));
  await client.shutdown(SHUT_WR);
  return await readAll(client);
}

/** The outcome of each script on a plain `Socket`. */
const plain: Map<string, Outcome> = new Map();

for (const [kind, makeServer] of SERVERS) {
  workerTest(`${kind} runs each script with the expected results`, async () => {
    assertEquals(Object.keys(CASES), Object.keys(SCRIPTS));
    await using running = makeServer();
    for (const [name, { tells, gets = "" }] of Object.entries(CASES)) {
      const result = await outcome(running, name);
      if (kind === "Socket") plain.set(name, result);
      const [told, got] = plain.get(name) ?? result;
      assertEquals([name, ...result], [name, tells ?? told, gets ?? got]);
      if (tells === undefined) checkErrors(result[0] as unknown[]);
    }
  });
}

/** Fails unless most results are errors; the others are values without a call. */
function checkErrors(results: unknown[]): void {
  const errors = results.filter((result) =>
    /^[A-Z]\w+Error [A-Z]*: Cannot /.test(String(result))
  );
  assertGreater(errors.length, results.length / 2);
  assertEquals(results.includes("nothing"), false);
}

/** Returns the results of a handler of datagrams, and the answers that the client receives. */
async function datagramOutcome(Handler: unknown): Promise<Outcome> {
  const server = new ThreadingUDPServer(
    ["127.0.0.1", 0],
    Handler as RequestHandlerConstructor,
    { maxWorkers: 1 },
  );
  await using running = new Running(server);
  using client = udp();
  await client.sendto(bytes("?"), server.serverAddress);
  const { error } = await running.reports.next();
  const got: string[] = [];
  for (let i = 0; i < 5; i++) got.push(text(await within(client.recv(99))));
  const port = client.getsockname()[1];
  const told = error.message.replaceAll(`:${port}`, ":port");
  return [JSON.parse(told), got.join()];
}

workerTest(
  "BlockingSocket for datagrams does what Socket in a worker does",
  async () => {
    const [told, got] = await datagramOutcome(WaitsForDatagrams);
    const results = told as unknown[];
    assertEquals(results.slice(0, 4), [3, 3, 5, 4]);
    const codes = results.slice(4).map((result) =>
      String(result).replace(/^\w+ (\w*): .*/s, "$1")
    );
    // deno-fmt-ignore
    assertEquals(codes, [
      "EMSGSIZE", "EMSGSIZE", "EAI_NONAME", "", "", "", "", // sendto
      "EDESTADDRREQ", "EDESTADDRREQ", "EDESTADDRREQ", "", // send, sendall, sendmsg, sendfile
      "EOPNOTSUPP", "EOPNOTSUPP", "EOPNOTSUPP", "ENOTCONN", "ENOTCONN", "",
      "EOPNOTSUPP", "EDESTADDRREQ", // of a file
      "4", "EBADF",
    ]);
    assertEquals(got, "one,two,three,four,five");
    assertEquals(await datagramOutcome(BlocksForDatagrams), [told, got]);
  },
);

/** Returns the methods and properties of a class and of its base classes. */
function members({ prototype }: { prototype: object }): string[] {
  const names = new Set<string>();
  for (
    let object = prototype;
    object !== Object.prototype;
    object = Object.getPrototypeOf(object)
  ) Object.getOwnPropertyNames(object).forEach((name) => names.add(name));
  names.delete("constructor");
  return [...names].sort();
}

Deno.test("BlockingSocket and its files have the members of Socket and its files", () => {
  const missing = ["accept", "bind", "connect", "connectEx", "detach"]
    .concat("fileno", "listen", "toString", "waitClosed") // the server's, or for `select`
    .concat("readable", "writable"); // promises
  assertEquals(
    members(BlockingSocketShell),
    members(Socket).filter((name) => !missing.includes(name)),
  );
  const pairs: [{ prototype: object }, { prototype: object }][] = [
    [S.BufferedReader, BlockingReaderShell],
    [S.BufferedWriter, BlockingWriterShell],
    [S.BufferedRWPair, BlockingRWPairShell],
    [S.TextReader, BlockingTextReaderShell],
    [S.TextWriter, BlockingTextWriterShell],
    [S.TextRWPair, BlockingTextRWPairShell],
  ];
  for (const [File, Blocking] of pairs) {
    const shared = members(Blocking).filter((name) => name !== "unread"); // not in its type: for waitForRequest()
    assertEquals(shared, members(File));
  }
});

Deno.test("BufferedRWPair and TextRWPair have the members of their halves", () => {
  for (
    const [Pair, Reader, Writer] of [
      [S.BufferedRWPair, S.BufferedReader, S.BufferedWriter],
      [S.TextRWPair, S.TextReader, S.TextWriter],
    ]
  ) {
    const halves = [...members(Reader), ...members(Writer)]
      .filter((name) => name !== "sendHeld"); // the pair has no reader to be tied to
    assertEquals(members(Pair), [...new Set(halves)].sort());
  }
});
