/** Calls that nobody awaits: what a client can cause ends no process, and what the program did wrong is heard. */

import { once } from "node:events";
import { connect } from "node:net";
import {
  AsyncTCPServer,
  BufferedReader,
  BufferedRWPair,
  BufferedWriter,
  Socket,
  TextReader,
  TextRWPair,
  TextWriter,
  ThreadingTCPServer,
} from "../../mod.ts";
import { assertEquals, assertMatch, assertStringIncludes } from "../deps.ts";
import { mayFork, mayRead } from "../helpers/allowed.ts";
import { serving, TCP } from "../helpers/forking.ts";
import type { Reports } from "../helpers/reports.ts";
import { Running } from "../helpers/threading.ts";
import {
  SITUATIONS,
  takeSeen,
  type Told,
  Unawaited,
} from "../testdata/unawaited_handlers.ts";

/** The class of each kind; its methods are those of the prototype, so that a new one is tried too. */
const CLASSES: Record<string, { prototype: object }> = {
  Socket,
  BufferedReader,
  RawReader: BufferedReader,
  BufferedWriter,
  RawWriter: BufferedWriter,
  BufferedRWPair,
  TextReader,
  TextWriter,
  TextRWPair,
  rfile: BufferedReader,
  wfile: BufferedWriter,
};

/** These tell in another way than by failing, unless their arguments are wrong. */
const NEVER_FAIL = ["Socket.connectEx", "Socket.lingeringClose"];

/** Whether a call is wrong in a situation, and so not kept quiet. */
function isMistake(kind: string, method: string, situation: string): boolean {
  return kind.startsWith("Raw") && method === "peek" ||
    method === "sendfile" && situation === "it must not wait";
}

/** The methods of a class that can be called, by name; the names of symbols in their text. */
function methodsOf({ prototype }: { prototype: object }): string[] {
  return Reflect.ownKeys(prototype).filter((key) => {
    const { value } = Object.getOwnPropertyDescriptor(prototype, key)!;
    return typeof value === "function" && key !== "constructor";
  }).map(String);
}

/** These take no argument that could be wrong. */
const TAKE_NOTHING = [
  "accept",
  "close",
  "flush",
  "lines",
  "waitClosed",
  "Symbol(Symbol.asyncDispose)",
  "Symbol(Symbol.asyncIterator)",
];

/** A server, where its handlers run, and what it reports. */
interface Served {
  address: [host: string, port: number];
  reports: Reports;
  /** Whether clients read: a relay holds a request until they have, for 30 s. */
  reads?: boolean;
}

/** Has the handler make a call, plays the client of the situation, and returns what the handler tells. */
async function tried(
  { address, reports, reads }: Served,
  kind: string,
  method: string,
  situation?: string,
  wrong?: string,
): Promise<Told> {
  const [host, port] = address;
  const client = connect(port, host);
  client.on("error", () => {}); // it may be reset
  const closed = new Promise((resolve) => client.on("close", resolve));
  client.write(`${JSON.stringify([kind, method, situation, wrong])}\n`);
  if (situation?.startsWith("the client") || situation === "the handler ends") {
    await once(client, "data");
    client.pause();
    if (situation.includes("reset")) client.resetAndDestroy();
    else if (situation.includes("text")) {
      client.end(new Uint8Array(100_000).fill(0xff));
      client.resume();
    } else client.destroy();
  } else if (reads) client.resume();
  else client.pause();
  if (situation === "the handler ends") return { outcome: "unseen", seen: [] };
  const { error } = await reports.next().catch((cause) => {
    throw new Error(`nothing of ${kind}.${method} ${situation}`, { cause });
  });
  client.destroy();
  await closed;
  try {
    return JSON.parse(error.message);
  } catch {
    throw error;
  }
}

/** The files of the handler. They are of a class that is tried by itself, but they outlive the end of the handler. */
const HANDLERS_OWN = ["rfile", "wfile"];

/** The situations to try a kind in. */
const situationsOf = (kind: string): string[] =>
  HANDLERS_OWN.includes(kind)
    ? ["it must not wait", "the handler ends"]
    : Object.keys(SITUATIONS).filter((name) => name !== "the handler ends");

/** The methods that return a promise, each tried in every situation; what was heard, and which never failed. */
async function trySituations(served: Served, kinds: string[]) {
  const heard: string[] = [];
  const neverFailed: string[] = [];
  for (const kind of kinds) {
    for (const method of methodsOf(CLASSES[kind])) {
      if (method === "waitClosed") continue; // waits as long as the socket is open, and never fails
      const outcomes = new Set<string>();
      for (const situation of situationsOf(kind)) {
        if (isMistake(kind, method, situation)) continue;
        const told = await tried(served, kind, method, situation);
        outcomes.add(told.outcome);
        if (told.outcome === "sync") break;
        if (told.outcome === "hangs") {
          heard.push(`${kind}.${method} when ${situation}: hangs`);
        }
        for (const reason of told.seen) {
          heard.push(`${kind}.${method} when ${situation}: ${reason}`);
        }
      }
      const names = [...outcomes].filter((name) =>
        !["sync", "fulfilled", "unseen"].includes(name)
      );
      if (HANDLERS_OWN.includes(kind)) continue; // a write over a transport that takes all at once need not fail
      if (outcomes.has("fulfilled") && names.length === 0) {
        neverFailed.push(`${kind}.${method}`);
      }
    }
  }
  return { heard, neverFailed };
}

/** The socket, and a file that reads and one that writes over it: elsewhere only the socket's transport is another. */
const SOME = ["Socket", "rfile", "wfile"];

/** Methods that take a number first. */
const READS = ["read", "read1", "readexactly", "readline", "readlines", "peek"];
const COUNTING: Record<string, string[]> = {
  Socket: ["recv", "recvfrom"],
  BufferedReader: READS,
  RawReader: READS,
  BufferedRWPair: READS,
  TextReader: ["read", "readline", "readlines"],
  TextRWPair: ["read", "readline", "readlines"],
};

/** Where handlers run. */
interface Way {
  ignore: boolean;
  kinds: string[];
  use(test: (served: Served) => Promise<void>): Promise<void>;
}

const WAYS: Record<string, Way> = {
  "as tasks": {
    ignore: false,
    kinds: Object.keys(CLASSES),
    async use(test) {
      await using running = new Running(
        new AsyncTCPServer(["127.0.0.1", 0], Unawaited),
      );
      await test(servedBy(running));
    },
  },
  "in a worker": {
    ignore: !mayRead,
    kinds: SOME,
    async use(test) {
      await using running = new Running(
        new ThreadingTCPServer(["127.0.0.1", 0], Unawaited, { maxWorkers: 1 }),
      );
      await test({ ...servedBy(running), reads: true });
    },
  },
  "in a child process": {
    ignore: !mayFork,
    kinds: SOME,
    async use(test) {
      await using server = new TCP(["127.0.0.1", 0], Unawaited, {
        maxChildren: 1,
        childPermissions: { read: true, net: true },
      });
      await using _serving = serving(server);
      await test({
        address: server.serverAddress as [string, number],
        reports: server.reports,
      });
    },
  },
};

function servedBy(
  { server, reports }: Running<AsyncTCPServer | ThreadingTCPServer>,
): Served {
  return { address: server.serverAddress as [string, number], reports };
}

/** Asserts that the error of a call with a wrong argument is reported though nobody awaits the call. */
async function assertHeard(served: Served): Promise<void> {
  const told = await tried(served, "Socket", "sendall", undefined, "text")
    .catch((error) => error);
  const heard = Deno.inspect(told);
  assertStringIncludes(heard, "data must be bytes, got string");
}

/** Tries the calls of some kinds, each of which takes a while on a busy machine. */
function callsTest(
  name: string,
  ignore: boolean,
  kinds: string[],
  { use }: Way,
): void {
  const hasKind = (method: string) => kinds.includes(method.split(".")[0]);
  Deno.test({
    name,
    ignore,
    fn: () =>
      use(async (served) => {
        const { heard, neverFailed } = await trySituations(served, kinds);
        assertEquals(heard, []);
        assertEquals(neverFailed.sort(), NEVER_FAIL.filter(hasKind));
        assertEquals(takeSeen(), []);
        await assertHeard(served);
      }),
  });
}

for (const [where, way] of Object.entries(WAYS)) {
  const name =
    `Calls of a handler ${where} that nobody awaits may fail, and a wrong argument is heard`;
  if (where === "as tasks") {
    for (const kind of way.kinds) {
      callsTest(`${name}: ${kind}`, way.ignore, [kind], way);
    }
  } else callsTest(name, way.ignore, way.kinds, way);
}

Deno.test("Calls with a wrong argument that nobody awaits are heard, and awaited they are not", () =>
  WAYS["as tasks"].use(async (served) => {
    for (const [kind, Class] of Object.entries(CLASSES)) {
      if (HANDLERS_OWN.includes(kind)) continue;
      for (const method of methodsOf(Class)) {
        if (TAKE_NOTHING.includes(method)) continue;
        const { outcome } = await tried(
          served,
          kind,
          method,
          "it must not wait",
        );
        if (outcome === "sync") continue;
        const told = await tried(served, kind, method, undefined, "a promise");
        assertEquals(told.outcome, "TypeError", `${kind} ${method}`);
        assertEquals(told.seen.length, 1, `${kind} ${method}`);
      }
    }
  }));

for (const wrong of ["a negative number", "half a number"]) {
  Deno.test(`Calls with ${wrong} that nobody awaits are heard`, () =>
    WAYS["as tasks"].use(async (served) => {
      for (const [kind, methods] of Object.entries(COUNTING)) {
        for (const method of methods) {
          const told = await tried(served, kind, method, undefined, wrong);
          assertMatch(told.outcome, /^(Type|Range)Error$/);
          assertEquals(told.seen.length, 1, `${kind} ${method}`);
        }
      }
    }));
}
