import {
  BufferedReader,
  BufferedRWPair,
  BufferedWriter,
  LimitOverrunError,
  type MakefileModes,
  type SocketFile,
  TextReader,
  TextRWPair,
  TextWriter,
  type Writer,
} from "../mod.ts";
import { makefile } from "../internal/files/makefile.ts";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertThrows,
} from "./deps.ts";
import {
  bytes,
  FakeSink,
  FakeSource,
  type Step,
  text,
} from "./stream_fakes.ts";

/** A socket that receives the steps and keeps what it is sent. */
class FakeSocket extends FakeSource {
  readonly sink = new FakeSink();

  static of(...steps: Step[]): FakeSocket {
    return new FakeSocket(...steps);
  }

  sendall(data: Uint8Array): Promise<void> {
    return this.sink.sendall(data);
  }
}

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
  Deno.test(`makefile() returns a ${expected.name} for "${mode}"`, async () => {
    let closes = 0;
    const file = makefile(FakeSocket.of(), mode, { onClose: () => closes++ });
    assertInstanceOf(file, expected);
    await file.close();
    await file.close();
    assertEquals(file.closed, true);
    assertEquals(closes, 1);
  });
}

Deno.test("makefile() has the types of its modes", async () => {
  const socket = FakeSocket.of("a\n");
  const text: TextReader = makefile(socket);
  const writer: Writer = makefile(socket, "wb");
  const pair: BufferedRWPair = makefile(socket, "rwb", { buffering: 0 });
  const some: SocketFile = makefile(socket, "rw" as string);
  assertEquals(await text.readline(), "a\n");
  for (const file of [writer, pair, some]) await file.close();
});

Deno.test("makefile() reads text without a mode, and with an empty one", () => {
  assertInstanceOf(makefile(FakeSocket.of()), TextReader);
  assertInstanceOf(makefile(FakeSocket.of(), ""), TextReader);
});

Deno.test("makefile() rejects an invalid mode and names it", () => {
  for (const mode of ["x", "rx", "a", "r+", "rt", "R"]) {
    assertThrows(
      () => makefile(FakeSocket.of(), mode),
      TypeError,
      `Cannot open a file: invalid mode "${mode}"`,
    );
  }
  assertThrows(
    () => makefile(FakeSocket.of(), 1 as unknown as string),
    TypeError,
    "Cannot open a file: invalid mode 1",
  );
});

Deno.test("makefile() rejects a buffering out of range, and 0 for text", () => {
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
      () => makefile(FakeSocket.of(), mode, options),
      RangeError,
      message,
    );
  }
  assertThrows(
    () =>
      makefile(FakeSocket.of(), "rb", { buffering: "0" as unknown as number }),
    TypeError,
    "Cannot open a file: buffering must be a number, got string",
  );
});

Deno.test("makefile() gives the buffer size to reader and writer", async () => {
  const socket = FakeSocket.of("abcdef\n");
  const file = makefile(socket, "rwb", { buffering: 4 });
  await file.read(1);
  assertEquals(socket.asked, [4]);
  await file.write("12345");
  assertEquals(socket.sink.sent, ["12345"]);
  await file.close();
});

Deno.test("makefile() makes unbuffered files with buffering 0", async () => {
  const socket = FakeSocket.of("ab\ncd");
  const reader = makefile(socket, "rb", { buffering: 0 });
  assertEquals(text(await reader.readline()), "ab\n");
  assertEquals(socket.rest, "cd");
  const writer = makefile(socket, "wb", { buffering: 0 });
  writer.write("first");
  const pair = makefile(socket, "rwb", { buffering: 0 });
  pair.write("now");
  assertEquals(socket.sink.sent, ["first", "now"]);
  await pair.close();
});

Deno.test("makefile() gives encoding, errors, newline and lineLimit to text files", async () => {
  const socket = FakeSocket.of(Uint8Array.of(0xe9, 13, 10), "too long");
  const file = makefile(socket, "rw", {
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

Deno.test("makefile() gives lineLimit to binary files", async () => {
  const file = makefile(FakeSocket.of("too long"), "rb", { lineLimit: 4 });
  await assertRejects(() => file.readline(), LimitOverrunError);
});

Deno.test("BufferedRWPair has the methods of both halves", async () => {
  const socket = FakeSocket.of("line\nabcdefghijklmnopqr\nx\ny\nz");
  const file = makefile(socket, "rwb");
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
  const socket = FakeSocket.of("one\r\ntwo\nthree\nfour");
  const file = makefile(socket, "rw");
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
  Deno.test(`makefile("${mode}").close() flushes before onClose, and closes both halves`, async () => {
    const socket = FakeSocket.of("a\n");
    const gate = Promise.withResolvers<void>();
    socket.sink.gate = gate.promise;
    let closes = 0;
    const file = makefile(socket, mode, { onClose: () => closes++ });
    file.write("bye");
    const closing = file.close();
    assertEquals(file.closed, true);
    assertEquals(closes, 0);
    gate.resolve();
    await closing;
    assertEquals(socket.sink.sent, ["bye"]);
    assertEquals(closes, 1);
    await assertRejects(
      () => file.readline(),
      TypeError,
      "read of closed file",
    );
    for (const name of ["readable", "writable", "seekable"] as const) {
      assertThrows(() => file[name](), TypeError, "closed file");
    }
  });

  Deno.test(`makefile("${mode}").close() calls onClose even if the flush fails`, async () => {
    const socket = FakeSocket.of();
    socket.sink.failure = new Error("gone");
    let closes = 0;
    const file = makefile(socket, mode, { onClose: () => closes++ });
    file.write("bye");
    await assertRejects(() => file.close(), Error, "gone");
    await file.close();
    assertEquals(closes, 1);
  });

  Deno.test(`makefile("${mode}")[Symbol.asyncDispose]() closes`, async () => {
    const opened = makefile(FakeSocket.of(), mode);
    {
      await using file = opened;
      assert(!file.closed);
    }
    assert(opened.closed);
  });
}

Deno.test("makefile() ties a reader to a writer, and tells when the writer begins to hold", async () => {
  const socket = FakeSocket.of("1\n2\n", "3\n");
  const held: unknown[] = [];
  const wfile = makefile(socket, "wb", {
    buffering: 0,
    onHold: (writer) => held.push(writer),
  });
  using rfile = makefile(socket, "rb", { tie: wfile });
  await rfile.readline();
  wfile.write("a");
  assertEquals(held.length, 1);
  assertEquals(socket.sink.sent, []);
  assert(held[0] === wfile, "it held for another writer");
  await rfile.readline();
  const reading = rfile.readline(); // receives
  assertEquals(socket.sink.given.length, 1);
  assertEquals(text(await reading), "3\n");
  await wfile.close();
  assertEquals(socket.sink.sent, ["a"]);
});
