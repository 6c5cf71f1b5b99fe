/** The same scripts on `StreamRequestHandler`, as a task and in a worker, and on `BlockingStreamRequestHandler`. */

import {
  type Address,
  AsyncTCPServer,
  type RequestHandlerConstructor,
  SHUT_WR,
  type Socket,
  ThreadingTCPServer,
} from "../../mod.ts";
import { assertEquals } from "../deps.ts";
import { bytes } from "../helpers/bytes.ts";
import { readAll, readText } from "../helpers/clients.ts";
import { Running, workerTest } from "../helpers/threading.ts";
import { within } from "../helpers/within.ts";
import { Blocks, SCRIPTS, Waits } from "../testdata/both_stream_handlers.ts";

/** The client of a script, and the results of both. */
interface Case {
  /** The text that the client sends, in one piece, before it half-closes. */
  sends?: string;
  /** The text that the client waits for before it sends. */
  after?: string;
  /** All text that the client receives. */
  gets?: string;
  /** The results of the script. */
  tells: unknown;
}

const TIMED_OUT =
  "TimeoutError ETIMEDOUT: Cannot recv: timed out after 0.01 s (ETIMEDOUT)";
const CLOSED = "OSError EBADF: Cannot getsockopt: the socket is closed (EBADF)";
const tooLong = (what: string) =>
  `LimitOverrunError : Cannot read ${what} within 5 bytes`;
const UNSENT =
  "BrokenPipeError EPIPE: Cannot sendall: shut down for writing (EPIPE)";

const CASES: Record<string, Case> = {
  defaults: {
    after: "now",
    sends: "answer\n",
    gets: "now",
    tells: [true, null, 0, "answer\n", 0],
  },
  timeout: {
    after: "go",
    gets: "go",
    tells: [0.01, TIMED_OUT, TIMED_OUT, 2],
  },
  lineLimit: {
    sends: "12345\nabcd\nx\n12345;1234;ab--ab--",
    tells: [
      tooLong("a line: no line end"),
      "abcd\n",
      "x\n",
      tooLong('until ";": no such separator'),
      tooLong('until ";": no such separator'),
      "12345;",
      "1234;",
      tooLong('until "--": no such separator').replace("5", "3"),
      "ab--",
    ],
  },
  disableNagleAlgorithm: { after: "go", gets: "go", tells: [1, 2] },
  readsAhead: { sends: "one\ntwo\n", tells: ["one\n", "", "two\n"] },
  readsNoFurther: { sends: "one\ntwo\n", tells: ["one\n", "two\n"] },
  sendsBeforeItReads: {
    after: "question?",
    sends: "answer\n",
    gets: "question?",
    tells: [9, "answer\n", 0],
  },
  pairSendsBeforeItReads: {
    after: "question?",
    sends: "answer\n",
    gets: "question?",
    tells: ["answer\n"],
  },
  copies: { gets: "first;SECOND", tells: [12] },
  finishes: { gets: "at the end", tells: [true, true] },
  finishesInVain: { tells: ["nothing", true, true] },
  failsToFinish: { tells: ["RangeError : of the program", true] },
  closes: { tells: 1 },
  bytesPairFailsToFlush: { tells: [1, UNSENT, CLOSED, "nothing"] },
  textPairFailsToFlush: { tells: [1, UNSENT, CLOSED, "nothing"] },
};

/** Where a client says that it has seen the end. */
const shared = { seen: new SharedArrayBuffer(4) };

/** Does what the case says, and returns all that came. */
async function talk(client: Socket, name: string): Promise<string> {
  const { after = "", sends = "" } = CASES[name];
  const seen = new Int32Array(shared.seen);
  Atomics.store(seen, 0, 0);
  await client.sendall(bytes(`${name}\n`));
  const first = after === "" ? "" : await readText(client, after.length);
  await client.sendall(bytes(sends));
  await client.shutdown(SHUT_WR);
  const all = first + await readAll(client);
  Atomics.store(seen, 0, 1);
  Atomics.notify(seen, 0);
  return all;
}

const ADDRESS: Address = ["127.0.0.1", 0];
const threads = (Handler: RequestHandlerConstructor) =>
  new ThreadingTCPServer(ADDRESS, Handler, { maxWorkers: 1, shared });
const tasks = (Handler: RequestHandlerConstructor) =>
  Object.assign(new AsyncTCPServer(ADDRESS, Handler), { shared });

const SERVERS: [string, () => AsyncTCPServer | ThreadingTCPServer][] = [
  ["StreamRequestHandler", () => tasks(Waits)],
  ["StreamRequestHandler in a worker", () => threads(Waits)],
  [
    "BlockingStreamRequestHandler",
    () => threads(Blocks as unknown as RequestHandlerConstructor),
  ],
];

for (const [kind, makeServer] of SERVERS) {
  workerTest(`${kind} runs each script with the expected results`, async () => {
    assertEquals(Object.keys(CASES), Object.keys(SCRIPTS));
    await using running = new Running(makeServer());
    for (const [name, { gets = "", tells }] of Object.entries(CASES)) {
      using client = await running.connect();
      const got = talk(client, name);
      const { error } = await running.reports.next();
      assertEquals(error.message, JSON.stringify(tells), name);
      assertEquals(await within(got), gets, name);
    }
  });
}
