import {
  BufferedReader,
  BufferedRWPair,
  BufferedWriter,
  LimitOverrunError,
  type MakefileModes,
  Socket,
  type SocketFile,
  TextReader,
  TextRWPair,
  TextWriter,
  type Writer,
} from "../../mod.ts";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertThrows,
} from "../deps.ts";
import { type Bytes, bytes, text } from "../helpers/bytes.ts";
import {
  FakeSink,
  FakeSource,
  FakeStream,
  type Step,
} from "../helpers/fakes.ts";

/** A socket that receives the steps and records its sends. */
class FakeSocket extends Socket {
  readonly source: FakeSource;
  readonly sink = new FakeSink();

  constructor(...steps: Step[]) {
    super();
    this.source = new FakeSource(...steps);
  }

  override recv(n: number): Promise<Bytes> {
    return this.source.recv(n);
  }

  override recvInto(buffer: Uint8Array): Promise<number> {
    return this.source.recvInto(buffer);
  }

  override sendall(data: Uint8Array): Promise<void> {
    return this.sink.sendall(data);
  }
}

/** A connection whose writes wait, or fail. */
class SlowStream extends FakeStream {
  gate: Promise<void> | undefined;

  override async write(p: Uint8Array): Promise<number> {
    await this.gate;
    return await super.write(p);
  }
}

/** Returns the number of closes of a connection. */
const closes = ({ calls }: FakeStream) =>
  calls.filter((call) => call === "close").length;

// deno-lint-ignore no-explicit-any
type Class = new (...args: any[]) => unknown;

const CLASSES: Record<keyof MakefileModes, Class> = {
  r: TextReader,
  w: TextWriter,
  rw: TextRWPair,
  wr: TextRWPair,
  b: BufferedReader,
  rb: BufferedReader,
  br: BufferedReader,
  wb: BufferedWriter,
  bw: BufferedWriter,
  rwb: BufferedRWPair,
  rbw: BufferedRWPair,
  wrb: BufferedRWPair,
  wbr: BufferedRWPair,
  brw: BufferedRWPair,
  bwr: BufferedRWPair,
};

for (const [mode, expected] of Object.entries(CLASSES)) {
  Deno.test(`makefile() returns a ${expected.name} for "${mode}", which keeps the connection open`, async () => {
    const stream = new FakeStream();
    const socket = Socket.from(stream);
    const file = socket.makefile(mode);
    assertInstanceOf(file, expected);
    socket.close();
    assertEquals(closes(stream), 0);
    await file.close();
    await file.close();
    assertEquals(file.closed, true);
    assertEquals(closes(stream), 1);
  });
}

Deno.test("makefile() returns the type for its mode", async () => {
  const socket = new FakeSocket("a\n");
  const text: TextReader = socket.makefile();
  const writer: Writer = socket.makefile("wb");
  const pair: BufferedRWPair = socket.makefile("rwb", { buffering: 0 });
  const some: SocketFile = socket.makefile("rw" as string);
  assertEquals(await text.readline(), "a\n");
  for (const file of [writer, pair, some]) await file.close();
});

Deno.test("makefile() opens a text reader without a mode, or with an empty one", () => {
  assertInstanceOf(new FakeSocket().makefile(), TextReader);
  assertInstanceOf(new FakeSocket().makefile(""), TextReader);
});

Deno.test("makefile() refuses an invalid mode, and names it", () => {
  for (const mode of ["x", "rx", "a", "r+", "rt", "R"]) {
    assertThrows(
      () => new FakeSocket().makefile(mode),
      TypeError,
      `Cannot open a file: invalid mode "${mode}"`,
    );
  }
  assertThrows(
    () => new FakeSocket().makefile(1 as unknown as string),
    TypeError,
    "Cannot open a file: invalid mode 1",
  );
});

Deno.test("makefile() refuses a buffering out of range, and 0 for text", () => {
  const cases: [string, unknown, string][] = [
    [
      "rb",
      -2,
      "Cannot open a file: buffering must be -1 or a non-negative integer, got -2",
    ],
    [
      "wb",
      0.5,
      "Cannot open a file: buffering must be -1 or a non-negative integer, got 0.5",
    ],
    ["r", 0, "Cannot open a file: buffering must not be 0 for text"],
    ["w", 0, "Cannot open a file: buffering must not be 0 for text"],
  ];
  for (const [mode, buffering, message] of cases) {
    const options = { buffering: buffering as number };
    assertThrows(
      () => new FakeSocket().makefile(mode, options),
      RangeError,
      message,
    );
  }
  assertThrows(
    () =>
      new FakeSocket().makefile("rb", { buffering: "0" as unknown as number }),
    TypeError,
    "Cannot open a file: buffering must be a number, got string",
  );
});

Deno.test("makefile() passes the buffer size to reader and writer", async () => {
  const socket = new FakeSocket("abcdef\n");
  const file = socket.makefile("rwb", { buffering: 4 });
  await file.read(1);
  assertEquals(socket.source.asked, [4]);
  await file.write("12345");
  assertEquals(socket.sink.sent, ["12345"]);
  await file.close();
});

Deno.test("makefile() returns unbuffered files with buffering 0", async () => {
  const socket = new FakeSocket("ab\ncd");
  const reader = socket.makefile("rb", { buffering: 0 });
  assertEquals(text(await reader.readline()), "ab\n");
  assertEquals(socket.source.rest, "cd");
  const writer = socket.makefile("wb", { buffering: 0 });
  writer.write("first");
  const pair = socket.makefile("rwb", { buffering: 0 });
  pair.write("now");
  assertEquals(socket.sink.sent, ["first", "now"]);
  await pair.close();
});

Deno.test("makefile() passes encoding, errors, newline and lineLimit to text files", async () => {
  const socket = new FakeSocket(Uint8Array.of(0xe9, 13, 10), "too long");
  const file = socket.makefile("rw", {
    encoding: "latin-1",
    errors: "replace",
    newline: "\r\n",
    lineLimit: 4,
  });
  assertEquals(await file.readline(), "é\r\n");
  await assertRejects(() => file.readline(), LimitOverrunError);
  await file.write("é€\n");
  await file.close();
  assertEquals(socket.sink.sent, ["\xe9?\r\n"]);
});

Deno.test("makefile() passes lineLimit to binary files", async () => {
  const file = new FakeSocket("too long").makefile("rb", { lineLimit: 4 });
  await assertRejects(() => file.readline(), LimitOverrunError);
});

Deno.test("BufferedRWPair has the methods of both halves", async () => {
  const socket = new FakeSocket("line\nabcdefghijklmnopqr\nx\ny\nz");
  const file = socket.makefile("rwb");
  assertEquals(text(await file.readline()), "line\n");
  assertEquals(text(await file.peek()).slice(0, 3), "abc");
  assertEquals(text(await file.read(2)), "ab");
  assertEquals(text(await file.read1(2)), "cd");
  assertEquals(text(await file.readexactly(2)), "ef");
  const buffer = new Uint8Array(2);
  assertEquals(await file.readinto(buffer), 2);
  assertEquals(text(buffer), "gh");
  assertEquals(await file.readinto1(buffer), 2);
  assertEquals(text(buffer), "ij");
  assertEquals(text(await file.readuntil("n")), "klmn");
  assertEquals(text(await file.readuntil()), "opqr\n");
  assertEquals((await file.readlines(1)).map(text), ["x\n"]);
  const rest: string[] = [];
  for await (const line of file) rest.push(text(line));
  assertEquals(rest, ["y\n", "z"]);
  assertEquals(await file.write(bytes("1")), 1);
  await file.writelines(["2", "3"]);
  await file.flush();
  assertEquals(socket.sink.sent, ["123"]);
  assertEquals(file.readable(), true);
  assertEquals(file.writable(), true);
  assertEquals(file.seekable(), false);
  await file.close();
});

Deno.test("TextRWPair has the methods of both halves", async () => {
  const socket = new FakeSocket("one\r\ntwo\nthree\nfour");
  const file = socket.makefile("rw");
  assertEquals(await file.readline(), "one\n");
  assertEquals(await file.read(4), "two\n");
  assertEquals(await file.readlines(1), ["three\n"]);
  for await (const line of file) assertEquals(line, "four");
  assertEquals(await file.write("é"), 1);
  await file.writelines(["2", "3"]);
  await file.flush();
  assertEquals(socket.sink.sent, ["\xc3\xa923"]);
  assertEquals(file.readable(), true);
  assertEquals(file.writable(), true);
  assertEquals(file.seekable(), false);
  await file.close();
});

for (const mode of ["rwb", "rw"] as const) {
  Deno.test(`makefile("${mode}").close() flushes, and closes both halves and then the connection`, async () => {
    const stream = new SlowStream();
    const gate = Promise.withResolvers<void>();
    stream.gate = gate.promise;
    const socket = Socket.from(stream);
    const file = socket.makefile(mode);
    file.write("bye");
    socket.close();
    const closing = file.close();
    assertEquals(file.closed, true);
    assertEquals(closes(stream), 0);
    gate.resolve();
    await closing;
    assertEquals(stream.written.map(text), ["bye"]);
    assertEquals(closes(stream), 1);
    await assertRejects(
      () => file.readline(),
      TypeError,
      "read of closed file",
    );
    for (const name of ["readable", "writable", "seekable"] as const) {
      assertThrows(() => file[name](), TypeError, "closed file");
    }
  });

  Deno.test(`makefile("${mode}").close() closes the connection even if the flush fails`, async () => {
    const stream = new SlowStream();
    stream.gate = Promise.reject(new Error("gone"));
    const socket = Socket.from(stream);
    const file = socket.makefile(mode);
    file.write("bye");
    socket.close();
    await assertRejects(() => file.close(), Error, "gone");
    await file.close();
    assertEquals(closes(stream), 1);
  });

  Deno.test(`makefile("${mode}")[Symbol.asyncDispose]() closes`, async () => {
    const opened = new FakeSocket().makefile(mode);
    {
      await using file = opened;
      assert(!file.closed);
    }
    assert(opened.closed);
  });
}

Deno.test("makefile() ties a reader to a writer, whose held data goes before any send of the socket", async () => {
  const stream = new FakeStream(bytes("1\n2\n"), bytes("3\n4\n"));
  const socket = Socket.from(stream);
  const wfile = socket.makefile("wb", { buffering: 0 });
  const rfile = socket.makefile("rb", { tie: wfile });
  const sent = () => stream.written.map(text);
  await rfile.readline();
  wfile.write("a");
  assertEquals(sent(), []);
  await rfile.readline();
  assertEquals(text(await rfile.readline()), "3\n"); // receives
  assertEquals(sent(), ["a"]);
  wfile.write("b");
  await socket.sendall(bytes("c"));
  assertEquals(sent().join(""), "abc");
  socket.close();
  await rfile.close();
  await wfile.close();
});
