import {
  BrokenPipeError,
  BufferedReader,
  BufferedWriter,
  LimitOverrunError,
  TextReader,
  type TextReaderOptions,
  TextWriter,
  type TextWriterOptions,
  TimeoutError,
} from "../../mod.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "../deps.ts";
import {
  askCPython,
  type Operation,
  type OracleCase,
  type OracleText,
} from "./io_oracle.ts";
import { havePython } from "../helpers/allowed.ts";
import {
  type Bytes,
  bytes,
  cut,
  fromLatin1,
  latin1,
  seeded,
} from "../helpers/bytes.ts";
import { FakeSink, FakeSource, type Step, timeout } from "../helpers/fakes.ts";

function readerOf(steps: Step[], options?: TextReaderOptions): TextReader {
  return new TextReader(new BufferedReader(new FakeSource(...steps)), options);
}

/** Opens a writer on a sink, and what reads back what was sent. */
function writerOf(options?: TextWriterOptions): [TextWriter, () => string] {
  const sink = new FakeSink();
  return [
    new TextWriter(new BufferedWriter(sink), options),
    () => sink.sent.join(""),
  ];
}

async function perform(
  reader: TextReader,
  [name, argument]: Operation,
): Promise<unknown> {
  if (name === "next") {
    return (await reader[Symbol.asyncIterator]().next()).value ?? "";
  }
  return await reader[name as "read" | "readline" | "readlines"](argument);
}

const NAMES = ["read", "readline", "readlines", "next"];
const NEWLINES = [null, "", "\n", "\r", "\r\n"] as const;
const ERRORS = ["strict", "replace", "ignore"] as const;

/** Pieces that are hard to put together again: line ends, and characters of 1 to 4 bytes. */
const VALID = [
  "\n",
  "\r",
  "\r\n",
  "a",
  "bc",
  "é",
  "€",
  "\ufffd",
  "\ufeff",
  "😀",
].map(bytes);

/** Pieces of characters, and bytes that are in none. */
const INVALID = [
  "\xff",
  "\xe2\x82",
  "\xf0\x9f",
  "\x80",
  "\xef",
  "\xef\xbf",
  "\xbd",
  "\xc0\x80",
]
  .map(fromLatin1);

function join(parts: Bytes[]): Bytes {
  return fromLatin1(parts.map(latin1).join(""));
}

function randomCase(seed: number, encoding: string): OracleCase {
  const random = seeded(seed);
  const errors = ERRORS[seed % 3];
  const options: OracleText = {
    encoding,
    errors,
    newline: NEWLINES[random(5)],
  };
  const astral = encoding === "utf-8" && random(3) === 0;
  const strict = errors === "strict" && random(9) > 0;
  const pieces = VALID.slice(
    0,
    astral ? undefined : strict && encoding === "ascii" ? 5 : -1,
  );
  if (!strict) pieces.push(...INVALID);
  const data = join(
    Array.from({ length: random(150) }, () => pieces[random(pieces.length)]),
  );
  const operations = Array.from({ length: 1 + random(25) }, (): Operation => {
    // Python counts code points, so where there are pairs only whole lines compare. It receives
    // even for readline(0), and may throw for what came.
    const size = astral || random(3) === 0 ? -1 : 1 + random(12);
    return [NAMES[random(NAMES.length)], size];
  });
  const chunks = cut(data, random, 1 + random(20)).map(latin1);
  return { chunks, bufferSize: 8192, text: options, operations };
}

/** A reader with the options of the oracle, over chunks with faults between them. */
function openCase(
  { chunks, text }: OracleCase,
  faults: () => number,
): TextReader {
  const steps = chunks.flatMap((chunk): Step[] => [
    ...Array.from({ length: faults() }, timeout),
    fromLatin1(chunk),
  ]);
  return readerOf(steps, text ?? {});
}

async function performAll(
  reader: TextReader,
  operations: Operation[],
): Promise<unknown> {
  const results = [];
  for (let index = 0; index < operations.length;) {
    try {
      results.push(await perform(reader, operations[index]));
      index++;
    } catch (error) {
      if (error instanceof TypeError) return "UnicodeDecodeError";
      if (!(error instanceof TimeoutError)) throw error;
    }
  }
  return results;
}

const ENCODINGS = ["utf-8", "latin-1", "ascii"] as const;

for (const encoding of ENCODINGS) {
  Deno.test({
    name:
      `TextReader does what CPython's io.TextIOWrapper does with ${encoding}`,
    ignore: !havePython(),
    async fn() {
      const cases = Array.from(
        { length: 500 },
        (_, seed) => randomCase(seed, encoding),
      );
      const theirs = await askCPython(cases);
      for (const [index, spec] of cases.entries()) {
        const random = seeded(index);
        const reader = openCase(spec, () => Math.max(0, random(6) - 3));
        const ours = await performAll(reader, spec.operations);
        assertEquals(
          ours,
          theirs[index],
          `case ${index}: ${JSON.stringify(spec)}`,
        );
      }
    },
  });
}

Deno.test("TextReader loses nothing when any receive times out", async () => {
  for (let seed = 0; seed < 300; seed++) {
    const spec = randomCase(seed * 3 + 1, ENCODINGS[seed % 3]);
    const calm = await performAll(openCase(spec, () => 0), spec.operations);
    const faulty = await performAll(openCase(spec, () => 2), spec.operations);
    assertEquals(faulty, calm, `seed ${seed}`);
  }
});

Deno.test("TextReader puts characters together whatever the chunks", async () => {
  const data = bytes("aé€😀\r\n");
  const pieces = Array.from(data, (byte) => Uint8Array.of(byte));
  assertEquals(await readerOf(pieces).readline(), "aé€😀\n");
  assertEquals(await readerOf(pieces, { newline: "" }).readlines(), [
    "aé€😀\r\n",
  ]);
});

Deno.test("TextReader has universal line ends by default", async () => {
  const chunks = ["a\r", "\nb\r", "c\n\r", "\n", "\r\nd"];
  assertEquals(await readerOf(chunks).readlines(), [
    "a\n",
    "b\n",
    "c\n",
    "\n",
    "\n",
    "d",
  ]);
  assertEquals(
    await readerOf(chunks, { newline: "" }).readlines(),
    ["a\r\n", "b\r", "c\n", "\r\n", "\r\n", "d"],
  );
  assertEquals(await readerOf(chunks, { newline: "\n" }).readlines(), [
    "a\r\n",
    "b\rc\n",
    "\r\n",
    "\r\n",
    "d",
  ]);
  assertEquals(await readerOf(chunks, { newline: "\r" }).readlines(), [
    "a\r",
    "\nb\r",
    "c\n\r",
    "\n\r",
    "\nd",
  ]);
  assertEquals(await readerOf(chunks, { newline: "\r\n" }).readlines(), [
    "a\r\n",
    "b\rc\n\r\n",
    "\r\n",
    "d",
  ]);
});

Deno.test("TextReader gives a line that ends with a carriage return before more comes", async () => {
  const { promise, resolve } = Promise.withResolvers<Bytes>();
  const reader = readerOf(["a\r", promise]);
  assertEquals(await reader.readline(), "a\n");
  const next = reader.readline();
  resolve(bytes("\nb\n"));
  assertEquals(await next, "b\n");
});

Deno.test("TextReader.read() never divides a surrogate pair", async () => {
  const reader = readerOf(["a😀", "b😀c"]);
  assertEquals(await reader.read(2), "a😀");
  assertEquals(await reader.read(0), "");
  assertEquals(await reader.readline(2), "b😀");
  assertEquals(await reader.read(), "c");
});

Deno.test("TextReader.read() counts over chunks large and small", async () => {
  const chunks = Array.from(
    { length: 500 },
    (_, index) => "é".repeat(1 + (index * 37) % 4000),
  );
  const all = chunks.join("");
  const reader = readerOf(chunks);
  assertEquals(await reader.read(100_000), all.slice(0, 100_000));
  assertEquals(await reader.read(), all.slice(100_000));
});

Deno.test("TextReader.readline() throws for a line beyond lineLimit and skips its rest", async () => {
  const reader = readerOf(["aaaaaaaa", "bb\nnext\n"], { lineLimit: 5 });
  const error = await assertRejects(
    () => reader.readline(),
    LimitOverrunError,
    "Cannot read a line: no line end within 5 characters",
  );
  assertEquals(error.consumed, 8);
  assertEquals(await reader.readline(), "next\n");
});

Deno.test("TextReader.read() goes on inside of a line that was too long", async () => {
  const reader = readerOf(["aaaaaaaa", "bb\nnext\n"], { lineLimit: 5 });
  await assertRejects(() => reader.readline(), LimitOverrunError);
  assertEquals(await reader.read(3), "bb\n");
  assertEquals(await reader.readline(), "next\n");
});

Deno.test("TextReader has a line limit of 65536 characters", async () => {
  const line = "é".repeat(65535) + "\n";
  assertEquals(await readerOf([line]).readline(), line);
  await assertRejects(
    () => readerOf(["é" + line]).readline(),
    LimitOverrunError,
  );
  assertEquals(
    await readerOf(["é" + line], { lineLimit: Infinity }).readline(),
    "é" + line,
  );
});

Deno.test("TextReader throws for what cannot be decoded, and names the encoding", async () => {
  for (const encoding of ["utf-8", "ascii"]) {
    await assertRejects(
      () => readerOf([fromLatin1("a\xff\n")], { encoding }).readline(),
      TypeError,
      `Cannot decode text: the data is not valid ${encoding}`,
    );
  }
  const cut = readerOf([fromLatin1("a\xe2\x82")]);
  await assertRejects(() => cut.read(), TypeError, "Cannot decode text");
});

Deno.test('TextReader with errors "ignore" keeps U+FFFD that was sent', async () => {
  const data = fromLatin1("a\xffb\xef\xbf\xbdc\xe2\x82\xef\xbf\xbd\xef");
  for (const most of [1, 2, 3, 100]) {
    const chunks = cut(data, seeded(most), most);
    assertEquals(
      await readerOf(chunks, { errors: "ignore" }).read(),
      "ab\ufffdc\ufffd",
    );
  }
});

Deno.test("TextReader knows the encodings of TextDecoder, and Python's own two", async () => {
  const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  assertEquals(
    await readerOf([all], { encoding: "Latin_1", newline: "" }).read(),
    latin1(all),
  );
  assertEquals(
    await readerOf([Uint8Array.of(0x80, 0xe9)], { encoding: "windows-1252" })
      .read(),
    "€é",
  );
  const utf16 = fromLatin1("a\0\n\0\x3d\xd8\x00\xde");
  for (const errors of ERRORS) {
    const pieces = Array.from(utf16, (byte) => Uint8Array.of(byte));
    assertEquals(
      await readerOf(pieces, { encoding: "utf-16le", errors }).readlines(),
      [
        "a\n",
        "😀",
      ],
    );
  }
  const lone = [fromLatin1("a\0\x3d\xd8b\0")];
  assertEquals(
    await readerOf(lone, { encoding: "utf-16le", errors: "ignore" }).read(),
    "ab",
  );
});

Deno.test("TextReader keeps a byte order mark, as Python does", async () => {
  assertEquals(await readerOf(["\ufeffa"]).read(), "\ufeffa");
});

Deno.test("TextReader[Symbol.asyncIterator]() yields the lines", async () => {
  const lines: string[] = [];
  for await (const line of readerOf(["a\r\nb", "\nc"])) lines.push(line);
  assertEquals(lines, ["a\n", "b\n", "c"]);
});

Deno.test("TextReader serves calls in their order while one waits", async () => {
  const { promise, resolve } = Promise.withResolvers<Bytes>();
  const reader = readerOf([promise, "d"]);
  const results = Promise.all([
    reader.readline(),
    reader.read(1),
    reader.readlines(),
  ]);
  resolve(bytes("a\nbc\n"));
  assertEquals(await results, ["a\n", "b", ["c\n", "d"]]);
});

Deno.test("TextReader.close() closes the reader below and ends all reading", async () => {
  let closes = 0;
  const below = new BufferedReader(new FakeSource("a\nb\n"), {
    onClose: () => closes++,
  });
  const reader = new TextReader(below);
  assertEquals(await reader.readline(), "a\n");
  assertEquals(reader.readable(), true);
  assertEquals(reader.writable(), false);
  assertEquals(reader.seekable(), false);
  {
    using file = reader;
    assert(!file.closed);
  }
  reader.close();
  assertEquals(closes, 1);
  assertEquals(reader.closed, true);
  assertEquals(below.closed, true);
  const message = "read of closed file";
  const calls = [
    () => reader.read(),
    () => reader.readline(),
    () => reader.readlines(),
    () => reader[Symbol.asyncIterator]().next(),
  ];
  for (const call of calls) await assertRejects(call, TypeError, message);
  for (const name of ["readable", "writable", "seekable"] as const) {
    assertThrows(() => reader[name](), TypeError, message);
  }
});

Deno.test("TextReader.close() rejects a read that waits", async () => {
  const { promise, resolve } = Promise.withResolvers<Bytes>();
  const reader = readerOf([promise]);
  const pending = reader.readline();
  reader.close();
  resolve(bytes("late\n"));
  await assertRejects(() => pending, TypeError, "read of closed file");
});

Deno.test("TextReader rejects arguments out of range and names them", async () => {
  const reader = readerOf(["abc"]);
  await assertRejects(
    () => reader.read(-2),
    RangeError,
    "size must be -1 or a non-negative",
  );
  await assertRejects(
    () => reader.readline(1.5),
    RangeError,
    "limit must be -1 or a non-negative",
  );
  await assertRejects(
    () => reader.readlines(-9),
    RangeError,
    "hint must be -1 or a non-negative",
  );
  assertEquals(await reader.read(), "abc");
});

Deno.test("new TextReader() and new TextWriter() reject unknown options and name them", () => {
  // deno-lint-ignore no-explicit-any
  const any = (value: unknown) => value as any;
  for (const open of [(options: object) => readerOf([], options), writerOf]) {
    assertThrows(
      () => open({ encoding: "klingon" }),
      RangeError,
      '"klingon"',
    );
    assertThrows(
      () => open({ encoding: any(8) }),
      TypeError,
      "Cannot open a text file: encoding must be a string, got number",
    );
    assertThrows(
      () => open({ errors: any("panic") }),
      TypeError,
      'Cannot open a text file: errors must be "strict", "replace" or "ignore", got "panic"',
    );
    assertThrows(
      () => open({ newline: any("\n\r") }),
      TypeError,
      'newline must be null, "", "\\n", "\\r" or "\\r\\n", got "\\n\\r"',
    );
  }
  assertThrows(() => readerOf([], { lineLimit: 0 }), RangeError, "lineLimit");
});

Deno.test("TextWriter.write() encodes and resolves to the length of the text", async () => {
  const [writer, sent] = writerOf();
  assertEquals(await writer.write("é😀\n"), 4);
  assertEquals(await writer.write(""), 0);
  await writer.flush();
  assertEquals(sent(), latin1(bytes("é😀\n")));
});

Deno.test("TextWriter.write() writes the line ends that newline says", async () => {
  const expected = [
    "a\nb\r\n",
    "a\nb\r\n",
    "a\nb\r\n",
    "a\rb\r\r",
    "a\r\nb\r\r\n",
  ];
  for (const [index, newline] of NEWLINES.entries()) {
    const [writer, sent] = writerOf({ newline });
    assertEquals(await writer.write("a\nb\r\n"), 5);
    await writer.close();
    assertEquals(sent(), expected[index]);
  }
});

Deno.test("TextWriter.write() does with other characters what errors says", async () => {
  const rows = [
    ["ascii", "aé😀", "a??", "a", 'ascii has no "é"'],
    ["latin-1", "é€", "\xe9?", "\xe9", 'latin-1 has no "€"'],
    ["utf-8", "a\ud800b", "a?b", "ab", 'utf-8 has no "\\ud800"'],
  ] as const;
  for (const [encoding, data, replaced, ignored, message] of rows) {
    for (
      const [errors, expected] of [["replace", replaced], [
        "ignore",
        ignored,
      ]] as const
    ) {
      const [writer, sent] = writerOf({ encoding, errors });
      await writer.write(data);
      await writer.close();
      assertEquals(sent(), expected);
    }
    const [writer, sent] = writerOf({ encoding });
    assertThrows(
      () => writer.write(data),
      TypeError,
      `Cannot encode text: ${message}`,
    );
    await writer.close();
    assertEquals(sent(), "");
  }
});

Deno.test("TextWriter.write() throws at once for what is no string", () => {
  const [writer] = writerOf();
  assertThrows(
    () => writer.write(bytes("a") as unknown as string),
    TypeError,
    "Cannot write: text must be a string, got Uint8Array",
  );
});

Deno.test("TextWriter.writelines() takes an iterable at once and an async one as it comes", async () => {
  const [writer, sent] = writerOf({ newline: "\r\n" });
  async function* later() {
    yield await Promise.resolve("c\n");
  }
  writer.writelines(["a\n", "b\n"]);
  await writer.writelines(later());
  await writer.close();
  assertEquals(sent(), "a\r\nb\r\nc\r\n");
});

Deno.test("TextWriter.close() flushes and closes the writer below", async () => {
  const sink = new FakeSink();
  let closes = 0;
  const below = new BufferedWriter(sink, { onClose: () => closes++ });
  const writer = new TextWriter(below);
  assertEquals(writer.readable(), false);
  assertEquals(writer.writable(), true);
  assertEquals(writer.seekable(), false);
  {
    await using file = writer;
    file.write("a");
  }
  await writer.close();
  assertEquals(sink.sent, ["a"]);
  assertEquals(closes, 1);
  assertEquals(writer.closed, true);
  assertEquals(below.closed, true);
  const message = "Cannot write: write to closed file";
  await assertRejects(() => writer.write("a"), TypeError, message);
  await assertRejects(() => writer.flush(), TypeError, message);
  for (const name of ["readable", "writable", "seekable"] as const) {
    assertThrows(() => writer[name](), TypeError, message);
  }
});

Deno.test("TextWriter never leaves a rejection unhandled, and flush() tells the failure", async () => {
  const sink = new FakeSink();
  sink.failure = new BrokenPipeError("Cannot sendall: Broken pipe", {
    code: "EPIPE",
  });
  const writer = new TextWriter(new BufferedWriter(sink, { bufferSize: 2 }));
  writer.write("abc");
  writer.writelines(["abc"]);
  await assertRejects(() => writer.flush(), BrokenPipeError);
});
