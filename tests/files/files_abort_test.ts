/** Reads of files with an `AbortSignal`: an abort loses nothing, and no listener is left. */

import {
  type AbortOptions,
  AsyncTCPServer,
  type BaseRequestHandler,
  type BufferedReader,
  createConnection,
  ForkingTCPServer,
  type MakefileOptions,
  type Socket,
  StreamRequestHandler,
  type TextReader,
  ThreadingTCPServer,
} from "../../mod.ts";
import { assertEquals, assertRejects, assertStrictEquals } from "../deps.ts";
import { mayFork, mayRead } from "../helpers/allowed.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { Aborting } from "../helpers/fakes.ts";
import { tcpPair } from "../helpers/sockets.ts";
import { thrownBy } from "../helpers/thrown.ts";
import { turn } from "../helpers/turns.ts";
import { within } from "../helpers/within.ts";
import { UntilDrain } from "../testdata/handlers.ts";

/** A read that waits after "par", and its result for "part\nrest\n", as text. */
type Read<F> = (file: F, options?: AbortOptions) => Promise<unknown>;

async function target(
  read: (buffer: Uint8Array) => Promise<number>,
  size: number,
): Promise<Uint8Array> {
  const buffer = new Uint8Array(size);
  return buffer.subarray(0, await read(buffer));
}

const BYTES: Record<string, Read<BufferedReader>> = {
  "read(n)": (file, options) => file.read(8, options),
  "read()": (file, options) => file.read(options),
  readexactly: (file, options) => file.readexactly(8, options),
  "readline()": (file, options) => file.readline(options),
  "readline(n)": (file, options) => file.readline(100, options),
  readuntil: (file, options) => file.readuntil("\n", options),
  "readuntil with a limit": (file, options) =>
    file.readuntil("st\n", { limit: 50, ...options }),
  "readlines()": (file, options) => file.readlines(options),
  "readlines(n)": (file, options) => file.readlines(3, options),
  readinto: (file, options) => target((to) => file.readinto(to, options), 8),
  "readinto of a large buffer": (file, options) =>
    target((to) => file.readinto(to, options), 100_000),
  "lines()": async (file, options) => (await file.lines(options).next()).value,
};

const TEXT: Record<string, Read<TextReader>> = {
  "read(n)": (file, options) => file.read(8, options),
  "read()": (file, options) => file.read(options),
  "readline()": (file, options) => file.readline(options),
  "readline(n)": (file, options) => file.readline(100, options),
  "readlines()": (file, options) => file.readlines(options),
  "readlines(n)": (file, options) => file.readlines(3, options),
  "lines()": async (file, options) => (await file.lines(options).next()).value,
};

/** Reads that wait only if no data is there. */
const PARTIAL: Record<string, Read<BufferedReader>> = {
  "read1()": (file, options) => file.read1(options),
  "read1(n)": (file, options) => file.read1(3, options),
  "peek()": (file, options) => file.peek(options),
  "peek(n)": (file, options) => file.peek(3, options),
  readinto1: (file, options) => target((to) => file.readinto1(to, options), 3),
  "readinto1 of a large buffer": (file, options) =>
    target((to) => file.readinto1(to, options), 100_000),
};

type Open<F> = (socket: Socket) => F & Disposable;

interface Kind<F> {
  name: string;
  open: Open<F>;
  reads: Record<string, Read<F>>;
  /** The data before the abort. */
  before: string;
}

const open =
  (mode: string, options: MakefileOptions = {}) => (socket: Socket) =>
    // deno-lint-ignore no-explicit-any -- the modes are those of the table below
    socket.makefile(mode, options) as any;

// deno-lint-ignore no-explicit-any
const KINDS: Kind<any>[] = [
  { name: "BufferedReader", open: open("rb"), reads: BYTES, before: "par" },
  {
    name: "BufferedReader without a buffer",
    open: open("rb", { buffering: 0 }),
    reads: BYTES,
    before: "par",
  },
  { name: "BufferedRWPair", open: open("rwb"), reads: BYTES, before: "par" },
  { name: "BufferedReader", open: open("rb"), reads: PARTIAL, before: "" },
  { name: "TextReader", open: open("r"), reads: TEXT, before: "par" },
  { name: "TextRWPair", open: open("rw"), reads: TEXT, before: "par" },
];

/** Returns a result as text. */
function shown(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shown);
  return value instanceof Uint8Array ? text(value) : value;
}

/** Returns the result of a read without an abort. */
// deno-lint-ignore no-explicit-any
async function unbroken({ open }: Kind<any>, read: Read<any>) {
  const [peer, socket] = await tcpPair();
  const file = open(socket);
  await peer.sendall(bytes("part\nrest\n"));
  peer.close();
  const given = [shown(await read(file)), shown(await file.read())];
  await file.close();
  socket.close();
  return given;
}

for (const kind of KINDS) {
  for (const [name, read] of Object.entries(kind.reads)) {
    Deno.test(`an abort ends ${kind.name}.${name}, which loses nothing`, async () => {
      const [peer, socket] = await tcpPair();
      const file = kind.open(socket);
      if (kind.before !== "") await peer.sendall(bytes(kind.before));
      const aborting = new Aborting();
      const { signal } = aborting;
      const reason = new Error("enough");
      const waiting = thrownBy(read(file, { signal }));
      await turn();
      await turn();
      assertEquals(aborting.most, 1);
      aborting.abort(reason);
      assertStrictEquals(await waiting, reason);
      assertEquals(aborting.listeners, 0);
      await peer.sendall(bytes("part\nrest\n".slice(kind.before.length)));
      peer.close();
      // aborted before: takes nothing, although the data is there
      assertStrictEquals(await thrownBy(read(file, { signal })), reason);
      const given = [shown(await within(read(file))), shown(await file.read())];
      assertEquals(given, await unbroken(kind, read));
      await file.close();
      socket.close();
    });

    Deno.test(`an abort ends ${kind.name}.${name} that waits for its turn`, async () => {
      const [peer, socket] = await tcpPair();
      const file = kind.open(socket);
      const aborting = new Aborting();
      const first = file.readline();
      const waiting = thrownBy(read(file, { signal: aborting.signal }));
      aborting.abort("enough");
      assertEquals(await waiting, "enough");
      assertEquals(aborting.listeners, 0);
      await peer.sendall(bytes("one\ntwo\n"));
      assertEquals(shown(await within(first)), "one\n");
      assertEquals(shown(await within(file.readline())), "two\n");
      peer.close();
      await file.close();
      socket.close();
    });

    Deno.test(`${kind.name}.${name} with a signal that never aborts reads, and leaves no listener`, async () => {
      const [peer, socket] = await tcpPair();
      const file = kind.open(socket);
      const aborting = new Aborting();
      const reading = read(file, { signal: aborting.signal });
      await peer.sendall(bytes("part\nrest\n"));
      peer.close();
      const given = [shown(await within(reading)), shown(await file.read())];
      assertEquals(given, await unbroken(kind, read));
      assertEquals(aborting.listeners, 0);
      await file.close();
      socket.close();
    });

    Deno.test(`${kind.name}.${name} refuses a signal of another type`, async () => {
      const [peer, socket] = await tcpPair();
      const file = kind.open(socket);
      // deno-lint-ignore no-explicit-any
      const signal = "stop" as any;
      await assertRejects(
        () => read(file, { signal }),
        TypeError,
        "Cannot read: signal must be an AbortSignal, got string",
      );
      await file.close();
      peer.close();
      socket.close();
    });
  }
}

for (const mode of ["rb", "r"]) {
  Deno.test(`an abort ends a loop over the lines of makefile("${mode}"), and the next loop goes on`, async () => {
    const [peer, socket] = await tcpPair();
    // deno-lint-ignore no-explicit-any
    const file = socket.makefile(mode) as any;
    const aborting = new Aborting();
    const { signal } = aborting;
    await peer.sendall(bytes("one\ntwo\nthree\nfou"));
    const lines: unknown[] = [];
    const loop = async () => {
      for await (const line of file.lines({ signal })) {
        if (lines.push(shown(line)) === 2) aborting.abort("enough"); // the third has arrived
      }
    };
    assertEquals(await thrownBy(loop()), "enough");
    assertEquals(lines, ["one\n", "two\n"]);
    assertEquals(aborting.listeners, 0);
    await peer.sendall(bytes("r"));
    peer.close();
    for await (const line of file.lines()) lines.push(shown(line));
    assertEquals(lines, ["one\n", "two\n", "three\n", "four"]);
    file.close();
    socket.close();
  });
}

Deno.test("after an abort, the rest of a line that was too long is still skipped", async () => {
  const [peer, socket] = await tcpPair();
  using file = socket.makefile("rb", { lineLimit: 4 });
  await peer.sendall(bytes("too long"));
  await assertRejects(() => file.readline(), Error, "no line end within 4");
  const aborting = new Aborting();
  const { signal } = aborting;
  const waiting = thrownBy(file.readline({ signal }));
  await turn();
  aborting.abort("enough");
  assertEquals(await waiting, "enough");
  await peer.sendall(bytes(" to\nok\n"));
  assertEquals(
    text(await within(file.readline({ signal: new Aborting().signal }))),
    "ok\n",
  );
  peer.close();
  socket.close();
});

/** Runs a handler until the server closes, and returns the errors of `handleError` and the answer. */
async function drained(
  Handler: new (...args: never[]) => BaseRequestHandler,
  Base: typeof AsyncTCPServer = AsyncTCPServer,
): Promise<{ errors: unknown[]; heard: string; forced: number }> {
  const errors: unknown[] = [];
  class Server extends Base {
    override handleError(_request: Socket, _client: unknown, error: unknown) {
      errors.push(error);
    }
  }
  // deno-lint-ignore no-explicit-any
  await using server = new Server(["127.0.0.1", 0], Handler as any);
  const served = server.serveForever();
  using client = await createConnection(server.serverAddress);
  using file = client.makefile("rb");
  await client.sendall(bytes("hello\n"));
  assertEquals(text(await within(file.readline())), "hello\n");
  const { forced } = await within(server.serverClose({ timeout: 20 }));
  await served;
  return { errors, heard: text(await within(file.read())), forced };
}

for (
  const [Base, ignore] of [
    [AsyncTCPServer, false],
    [ThreadingTCPServer, !mayRead],
    [ForkingTCPServer, !mayFork],
  ] as const
) {
  Deno.test({
    name:
      `a handler of ${Base.name} that reads with its signal ends when the server closes, and reports nothing`,
    ignore,
    async fn() {
      const outcome = { errors: [], heard: "bye\n", forced: 0 };
      // deno-lint-ignore no-explicit-any -- the constructors differ in their options
      assertEquals(await drained(UntilDrain, Base as any), outcome);
    },
  });
}

Deno.test("a handler may catch the abort of its reads, and answer", async () => {
  class Catches extends StreamRequestHandler {
    override async handle() {
      const { signal } = this;
      try {
        for (;;) await this.wfile.write(await this.rfile.readline({ signal }));
      } catch (error) {
        if (!signal.aborted) throw error;
        await this.wfile.write("closing\n");
      }
    }
  }
  const { errors, heard } = await drained(Catches);
  assertEquals({ errors, heard }, { errors: [], heard: "closing\n" });
});

Deno.test("an abort by the handler itself is reported as any error", async () => {
  const mine = new Error("mine");
  class Gives extends StreamRequestHandler {
    override async handle() {
      await this.wfile.write(await this.rfile.readline());
      await this.rfile.readline({ signal: AbortSignal.abort(mine) });
    }
  }
  const { errors } = await drained(Gives);
  assertEquals(errors, [mine]);
});

Deno.test("reads accept options without a signal, and refuse a promise as options", async () => {
  const [peer, socket] = await tcpPair();
  using file = socket.makefile("rb");
  await peer.sendall(bytes("one\ntwo\n"));
  assertEquals(text(await within(file.readline({}))), "one\n");
  assertEquals(
    text(await within(file.readline({ signal: undefined }))),
    "two\n",
  );
  // deno-lint-ignore no-explicit-any
  const wrong = Promise.resolve(5) as any;
  await assertRejects(
    () => file.readline(wrong),
    TypeError,
    "must be a number",
  );
  peer.close();
  socket.close();
});
