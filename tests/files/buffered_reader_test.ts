import {
  BufferedReader,
  IncompleteReadError,
  LimitOverrunError,
  TimeoutError,
} from "../../mod.ts";
import {
  assert,
  assertEquals,
  assertLess,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "../deps.ts";
import { askCPython, type Operation, type OracleCase } from "./io_oracle.ts";
import { havePython } from "../helpers/allowed.ts";
import {
  type Bytes,
  bytes,
  cut,
  fromLatin1,
  latin1,
  seeded,
  text,
} from "../helpers/bytes.ts";
import { FakeSource, type Step, timeout } from "../helpers/fakes.ts";
import { heapUsed } from "../helpers/heap_used.ts";
import { tcpPair } from "../helpers/sockets.ts";
import { codeOf } from "../helpers/thrown.ts";
import { endOfTurn } from "../helpers/turns.ts";

function readerOf(...steps: Step[]): BufferedReader {
  return new BufferedReader(new FakeSource(...steps));
}

/** Returns the result of an operation of the oracle. */
async function perform(
  reader: BufferedReader,
  [name, argument]: Operation,
): Promise<unknown> {
  switch (name) {
    case "next":
      return latin1(
        (await reader[Symbol.asyncIterator]().next()).value ??
          new Uint8Array(0),
      );
    case "readlines":
      return (await reader.readlines(argument)).map(latin1);
    case "readinto":
    case "readinto1": {
      const buffer = new Uint8Array(argument);
      return latin1(buffer.subarray(0, await reader[name](buffer)));
    }
  }
  return latin1(
    await reader[name as "read" | "read1" | "readline" | "peek"](argument),
  );
}

const WHOLE: readonly string[] = [
  "read",
  "readline",
  "readlines",
  "readinto",
  "next",
];
const PARTIAL: readonly string[] = [...WHOLE, "read1", "readinto1", "peek"];

/** Returns random data with many line ends, and random operations on it. */
function randomCase(
  seed: number,
  names: readonly string[],
  bufferSize: number,
): OracleCase {
  const random = seeded(seed);
  const data = Uint8Array.from(
    { length: random(400) },
    () => random(4) === 0 ? 10 : random(256),
  );
  const operations = Array.from({ length: 1 + random(25) }, (): Operation => {
    const name = names[random(names.length)];
    if (name === "peek") return [name, random(2)];
    const size = random(3) === 0 ? random(100) : random(8);
    return [name, name.startsWith("readinto") || random(4) > 0 ? size : -1];
  });
  const chunks = cut(data, random, 1 + random(60)).map(latin1);
  return { chunks, bufferSize, text: null, operations };
}

function openCase({ chunks, bufferSize }: OracleCase): BufferedReader {
  return new BufferedReader(new FakeSource(...chunks.map(fromLatin1)), {
    bufferSize,
  });
}

Deno.test({
  name: "BufferedReader agrees with CPython's io.BufferedReader",
  ignore: !havePython(),
  async fn() {
    const cases = Array.from({ length: 600 }, (_, seed) => {
      // What a partial read returns depends on the buffer, so there the buffer holds everything.
      return seed % 2 === 0
        ? randomCase(seed, PARTIAL, 4096)
        : randomCase(seed, WHOLE, 1 + seed % 50);
    });
    const theirs = await askCPython(cases);
    for (const [index, spec] of cases.entries()) {
      const reader = openCase(spec);
      const ours = [];
      for (const operation of spec.operations) {
        ours.push(await perform(reader, operation));
      }
      assertEquals(
        ours,
        theirs[index] as unknown[],
        `case ${index}: ${JSON.stringify(spec)}`,
      );
    }
  },
});

Deno.test("BufferedReader loses nothing, whichever receive of whichever operation times out", async () => {
  for (let seed = 0; seed < 400; seed++) {
    const bufferSize = seed % 3 === 0 ? 0 : seed % 3 === 1 ? 7 : 4096;
    const spec = randomCase(seed, WHOLE, bufferSize);
    const random = seeded(seed + 1000);
    const steps = spec.chunks.flatMap((chunk): Step[] => {
      const faults = Array.from({ length: random(3) }, timeout);
      return [...faults, fromLatin1(chunk)];
    });
    const calm = openCase(spec);
    const faulty = new BufferedReader(new FakeSource(...steps), { bufferSize });
    for (const operation of spec.operations) {
      const expected = await perform(calm, operation);
      assertEquals(
        await retry(() => perform(faulty, operation)),
        expected,
        `seed ${seed}`,
      );
    }
  }
});

async function retry<T>(operation: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await operation();
    } catch (error) {
      if (!(error instanceof TimeoutError)) throw error;
    }
  }
}

Deno.test("BufferedReader never changes an array that it has returned", async () => {
  for (let seed = 0; seed < 100; seed++) {
    const random = seeded(seed);
    const data = Uint8Array.from(
      { length: 9000 },
      () => random(20) === 0 ? 10 : random(256),
    );
    const reader = readerOf(...cut(data, random, seed % 2 === 0 ? 5 : 900));
    const returned: Bytes[] = [];
    const copies: string[] = [];
    const keep = (part: Bytes) => {
      returned.push(part);
      copies.push(latin1(part));
    };
    for (let turn = 0; turn < 200; turn++) {
      if (random(5) === 0) (await reader.peek(random(50))).fill(0);
      keep(
        await (random(2) === 0 ? reader.readline() : reader.read(random(70))),
      );
    }
    keep(await reader.read());
    assertEquals(returned.map(latin1), copies);
    assertEquals(copies.join(""), latin1(data));
  }
});

Deno.test("BufferedReader.read() returns exactly as many bytes as asked for", async () => {
  const reader = readerOf("ab", "cdefg", "h");
  assertEquals(text(await reader.read(3)), "abc");
  assertEquals(text(await reader.read(0)), "");
  assertEquals(text(await reader.read(2)), "de");
  assertEquals(text(await reader.read(100)), "fgh");
  assertEquals(text(await reader.read(1)), "");
  assertEquals(text(await reader.read()), "");
});

Deno.test("BufferedReader.read() without a size reads to the end", async () => {
  assertEquals(text(await readerOf("ab\n", "cd").read()), "ab\ncd");
  assertEquals(text(await readerOf("ab\n", "cd").read(-1)), "ab\ncd");
});

Deno.test("BufferedReader.read() gathers data that arrives byte by byte", async () => {
  const data = Uint8Array.from({ length: 100_000 }, (_, index) => index % 251);
  let at = 0;
  const reader = new BufferedReader({
    recv: () => Promise.resolve(data.slice(at, ++at)),
    recvInto: () => Promise.resolve(0),
  });
  assertEquals(await reader.read(99_999), data.slice(0, -1));
  assertEquals(await reader.read(), data.slice(-1));
});

Deno.test("BufferedReader.read() returns a chunk of the right size uncopied", async () => {
  const chunk = bytes("whole");
  const source = {
    recv: () => Promise.resolve(chunk),
    recvInto: () => Promise.resolve(0),
  };
  assertStrictEquals(await new BufferedReader(source).read(5), chunk);
});

Deno.test("BufferedReader.read1() makes at most one receive", async () => {
  const source = new FakeSource("abcdef", "gh");
  const reader = new BufferedReader(source);
  assertEquals(text(await reader.read1(0)), "");
  assertEquals(source.asked, []);
  assertEquals(text(await reader.read1(4)), "abcd");
  assertEquals(text(await reader.read1()), "ef");
  assertEquals(source.asked, [65536]);
  assertEquals(text(await reader.read1()), "gh");
  assertEquals(text(await reader.read1()), "");
});

Deno.test("BufferedReader.readexactly() throws with the partial data if the stream ends early", async () => {
  const reader = readerOf("abc", "def");
  assertEquals(text(await reader.readexactly(4)), "abcd");
  const error = await assertRejects(
    () => reader.readexactly(4),
    IncompleteReadError,
    "Cannot read 4 bytes: the stream ended after 2 bytes",
  );
  assertEquals(text(error.partial), "ef");
  assertEquals(error.expected, 4);
  assertEquals(error.name, "IncompleteReadError");
  assertEquals(text(await reader.read()), "");
});

Deno.test("BufferedReader.readline() returns a last line without a line end", async () => {
  const reader = readerOf("one\ntw", "o\r\n\nend");
  const lines = [];
  for (let index = 0; index < 5; index++) {
    lines.push(text(await reader.readline()));
  }
  assertEquals(lines, ["one\n", "two\r\n", "\n", "end", ""]);
});

Deno.test("BufferedReader.readline() with a limit returns parts of a line", async () => {
  const reader = readerOf("abcdef\ngh");
  assertEquals(text(await reader.readline(4)), "abcd");
  assertEquals(text(await reader.readline(0)), "");
  assertEquals(text(await reader.readline(3)), "ef\n");
  assertEquals(text(await reader.readline(3)), "gh");
});

Deno.test("BufferedReader.readline() with a limit receives no more than it needs", async () => {
  const source = new FakeSource("abcd", "ef\n");
  const reader = new BufferedReader(source);
  assertEquals(text(await reader.readline(4)), "abcd");
  assertEquals(source.asked.length, 1);
});

Deno.test("BufferedReader.readline() throws for a line beyond lineLimit and skips its rest", async () => {
  const source = new FakeSource(
    "12345678\n",
    "x".repeat(20),
    "y".repeat(9),
    "tail\nnext\n",
  );
  const reader = new BufferedReader(source, { lineLimit: 10 });
  assertEquals(text(await reader.readline()), "12345678\n");
  const error = await assertRejects(
    () => reader.readline(),
    LimitOverrunError,
    "Cannot read a line: no line end within 10 bytes",
  );
  assertEquals(error.consumed, 20);
  assertEquals(error.name, "LimitOverrunError");
  await assertRejects(() => reader.readline(), LimitOverrunError);
  assertEquals(text(await reader.readline()), "next\n");
});

Deno.test("BufferedReader.readline() discards only the line that is too long", async () => {
  const reader = new BufferedReader(new FakeSource("0123456789\nnext\nlast"), {
    lineLimit: 10,
  });
  assertEquals(
    (await assertRejects(() => reader.readline(), LimitOverrunError)).consumed,
    11,
  );
  assertEquals(text(await reader.readline()), "next\n");
  assertEquals(text(await reader.readline()), "last");
});

Deno.test("BufferedReader.readline() returns a last line of lineLimit bytes", async () => {
  assertEquals(
    text(
      await new BufferedReader(new FakeSource("0123"), { lineLimit: 4 })
        .readline(),
    ),
    "0123",
  );
  assertEquals(
    text(
      await new BufferedReader(new FakeSource("012\n"), { lineLimit: 4 })
        .readline(),
    ),
    "012\n",
  );
});

Deno.test("BufferedReader.readline() returns an empty array if the stream ends in a line that is too long", async () => {
  const reader = new BufferedReader(new FakeSource("012345", "67"), {
    lineLimit: 4,
  });
  await assertRejects(() => reader.readline(), LimitOverrunError);
  assertEquals(text(await reader.readline()), "");
});

Deno.test("BufferedReader.readline() goes on skipping a long line after a timeout", async () => {
  const reader = new BufferedReader(
    new FakeSource("012345", "6", timeout(), "7\nnext\n"),
    {
      lineLimit: 5,
    },
  );
  await assertRejects(() => reader.readline(), LimitOverrunError);
  await assertRejects(() => reader.readline(), TimeoutError);
  assertEquals(text(await reader.readline()), "next\n");
});

Deno.test("BufferedReader.read() continues inside a line that was too long", async () => {
  const reader = new BufferedReader(new FakeSource("012345", "67\nnext\n"), {
    lineLimit: 5,
  });
  await assertRejects(() => reader.readline(), LimitOverrunError);
  assertEquals(text(await reader.peek()), "67\nnext\n");
  assertEquals(text(await reader.read(3)), "67\n");
  assertEquals(text(await reader.readline()), "next\n");
});

Deno.test("BufferedReader.lineLimit is 64 KiB by default, and Infinity for none", async () => {
  const long = "x".repeat(65536);
  await assertRejects(
    () => readerOf(long, "\n").readline(),
    LimitOverrunError,
    "no line end within 65536 bytes",
  );
  const reader = new BufferedReader(new FakeSource(long, "\n"), {
    lineLimit: Infinity,
  });
  assertEquals((await reader.readline()).length, 65537);
});

Deno.test("BufferedReader.readuntil() finds a separator across chunks", async () => {
  for (let seed = 0; seed < 200; seed++) {
    const random = seeded(seed);
    const separator = ["\n", "\r\n", "\r\n\r\n", "abab", "aaa"][seed % 5];
    const data = Array.from({ length: 300 }, () => "\r\nab"[random(4)]).join(
      "",
    );
    const reader = readerOf(...cut(bytes(data), random, 1 + random(9)));
    const parts: string[] = [];
    for (const part of data.split(separator).slice(0, -1)) {
      parts.push(text(await reader.readuntil(separator)));
      assertEquals(parts.at(-1), part + separator, `seed ${seed}`);
    }
    assertEquals(text(await reader.read()), data.slice(parts.join("").length));
  }
});

Deno.test("BufferedReader.readuntil() takes bytes as separator, and a line end by default", async () => {
  const reader = readerOf("a\u0000b\nc");
  assertEquals(text(await reader.readuntil(Uint8Array.of(0))), "a\u0000");
  assertEquals(text(await reader.readuntil()), "b\n");
});

Deno.test("BufferedReader.readuntil() throws with the partial data if the stream ends early", async () => {
  const reader = readerOf("head\r\n", "body\r");
  assertEquals(text(await reader.readuntil("\r\n")), "head\r\n");
  const error = await assertRejects(
    () => reader.readuntil("\r\n"),
    IncompleteReadError,
    'Cannot read until "\\r\\n": the stream ended after 5 bytes',
  );
  assertEquals(text(error.partial), "body\r");
  assertEquals(error.expected, undefined);
});

Deno.test("BufferedReader.readuntil() throws beyond its limit, and keeps the data", async () => {
  const reader = readerOf("0123", "4567", "89\r\n");
  for (let attempt = 0; attempt < 2; attempt++) {
    const error = await assertRejects(
      () => reader.readuntil("\r\n", { limit: 6 }),
      LimitOverrunError,
      'Cannot read until "\\r\\n": no such separator within 6 bytes',
    );
    assertEquals(error.consumed, 7);
  }
  assertEquals(
    text(await reader.readuntil("\r\n", { limit: 12 })),
    "0123456789\r\n",
  );
});

Deno.test("BufferedReader.readuntil() throws if the separator ends beyond the limit", async () => {
  const reader = readerOf("0123\r\n");
  const error = await assertRejects(
    () => reader.readuntil("\r\n", { limit: 5 }),
    LimitOverrunError,
  );
  assertEquals(error.consumed, 4);
  assertEquals(text(await reader.readuntil("\r\n", { limit: 6 })), "0123\r\n");
});

Deno.test("BufferedReader.readuntil() is limited by lineLimit", async () => {
  const reader = new BufferedReader(new FakeSource("0123456"), {
    lineLimit: 5,
  });
  await assertRejects(
    () => reader.readuntil(),
    LimitOverrunError,
    "within 5 bytes",
  );
  assertEquals(text(await reader.read()), "0123456");
});

Deno.test("BufferedReader.readlines() stops after the line that exceeds the hint", async () => {
  const reader = readerOf("a\nb\nc\nd");
  assertEquals((await reader.readlines(3)).map(text), ["a\n", "b\n"]);
  assertEquals((await reader.readlines()).map(text), ["c\n", "d"]);
  assertEquals(await reader.readlines(), []);
});

Deno.test("BufferedReader.readlines() takes no line if one is too long", async () => {
  const reader = new BufferedReader(new FakeSource("a\nb\n0123456\nc"), {
    lineLimit: 5,
  });
  const error = await assertRejects(
    () => reader.readlines(),
    LimitOverrunError,
  );
  assertEquals(error.consumed, 0);
  assertEquals(text(await reader.readline()), "a\n");
  assertEquals(text(await reader.readline()), "b\n");
  await assertRejects(() => reader.readline(), LimitOverrunError);
  assertEquals((await reader.readlines()).map(text), ["c"]);
});

Deno.test("BufferedReader.readlines() skips the rest of a line that was too long", async () => {
  const reader = new BufferedReader(new FakeSource("0123456", "78\nb\n"), {
    lineLimit: 5,
  });
  await assertRejects(() => reader.readline(), LimitOverrunError);
  assertEquals((await reader.readlines()).map(text), ["b\n"]);
});

Deno.test("BufferedReader.readinto() receives directly into a large buffer", async () => {
  const source = new FakeSource("abc", "d".repeat(70_000));
  const reader = new BufferedReader(source);
  assertEquals(text(await reader.read(1)), "a");
  const buffer = new Uint8Array(70_002);
  assertEquals(await reader.readinto(buffer), 70_002);
  assert(source.targets.length > 0);
  assert(source.targets.every((target) => target.buffer === buffer.buffer));
  assertEquals(text(buffer), "bc" + "d".repeat(70_000));
});

Deno.test("BufferedReader.readinto() fills a view of any type, or less at the end", async () => {
  const reader = readerOf("abcd", "efg");
  const memory = new ArrayBuffer(8);
  assertEquals(await reader.readinto(new DataView(memory, 2, 5)), 5);
  assertEquals(text(new Uint8Array(memory)), "\0\0abcde\0");
  assertEquals(await reader.readinto(new Uint16Array(memory)), 2);
  assertEquals(await reader.readinto(new Uint8Array(1)), 0);
  assertEquals(await reader.readinto(new Uint8Array(0)), 0);
});

Deno.test("BufferedReader.readinto() keeps the data from before a timeout", async () => {
  const source = new FakeSource("abc", "de", timeout(), "fgh");
  const reader = new BufferedReader(source, { bufferSize: 2 });
  const shared = new Uint8Array(new SharedArrayBuffer(8));
  await assertRejects(() => reader.readinto(shared), TimeoutError);
  assertEquals(text(await reader.read()), "abcdefgh");
});

Deno.test("BufferedReader.readinto1() makes at most one receive", async () => {
  const source = new FakeSource("abc", "def");
  const reader = new BufferedReader(source);
  const buffer = new Uint8Array(2);
  assertEquals(await reader.readinto1(buffer), 2);
  assertEquals(text(buffer), "ab");
  assertEquals(await reader.readinto1(buffer), 1);
  assertEquals(text(buffer), "cb");
  assertEquals(source.asked.length, 1);
  const large = new Uint8Array(65536);
  assertEquals(await reader.readinto1(large), 3);
  assertStrictEquals(source.targets[0].buffer, large.buffer);
  assertEquals(await reader.readinto1(large), 0);
});

Deno.test("BufferedReader.peek() returns the next data and leaves it in place", async () => {
  const source = new FakeSource("abc", "def");
  const reader = new BufferedReader(source);
  assertEquals(text(await reader.peek()), "abc");
  assertEquals(text(await reader.peek(2)), "abc");
  assertEquals(source.asked.length, 1);
  assertEquals(text(await reader.peek(4)), "abcdef");
  assertEquals(text(await reader.read(2)), "ab");
  assertEquals(text(await reader.peek(9)), "cdef");
  assertEquals(text(await reader.read()), "cdef");
  assertEquals(text(await reader.peek(9)), "");
});

Deno.test("BufferedReader.peek() returns at most one buffer", async () => {
  const reader = new BufferedReader(
    new FakeSource("abcd", "efgh", "i", timeout()),
    {
      bufferSize: 4,
    },
  );
  await assertRejects(() => reader.read(), TimeoutError);
  assertEquals(text(await reader.read(1)), "a");
  assertEquals(text(await reader.peek()), "bcde");
  assertEquals(text(await reader.peek(6)), "bcdefg");
});

Deno.test("BufferedReader.peek() throws in an unbuffered reader", async () => {
  const reader = new BufferedReader(new FakeSource("a"), { bufferSize: 0 });
  await assertRejects(
    () => reader.peek(),
    TypeError,
    "Cannot peek: the reader is unbuffered",
  );
});

Deno.test("BufferedReader with bufferSize 0 receives no more than a call asks for", async () => {
  const source = new FakeSource("line\nhead\r\n\r\n0123456789", "rest");
  const reader = new BufferedReader(source, { bufferSize: 0 });
  assertEquals(text(await reader.readline()), "line\n");
  assertEquals(source.rest, "head\r\n\r\n0123456789rest");
  assertEquals(text(await reader.readuntil("\r\n\r\n")), "head\r\n\r\n");
  assertEquals(source.rest, "0123456789rest");
  assertEquals(text(await reader.read(3)), "012");
  assertEquals(text(await reader.readexactly(2)), "34");
  assertEquals(text(await reader.read1(2)), "56");
  assertEquals(await reader.readinto(new Uint8Array(2)), 2);
  assertEquals(source.rest, "9rest");
  assertEquals(text(await reader.read()), "9rest");
});

Deno.test("BufferedReader receives up to bufferSize bytes, 65536 by default", async () => {
  for (
    const [bufferSize, asked] of [[undefined, 65536], [-1, 65536], [
      10,
      10,
    ]] as const
  ) {
    const source = new FakeSource("a");
    await new BufferedReader(source, { bufferSize }).read(1);
    assertEquals(source.asked, [asked]);
  }
});

Deno.test("BufferedReader[Symbol.asyncIterator]() yields lines, and a second loop continues", async () => {
  const reader = readerOf("a\nb", "\nc\nd");
  for await (const line of reader) {
    assertEquals(text(line), "a\n");
    break;
  }
  const lines: string[] = [];
  for await (const line of reader) lines.push(text(line));
  assertEquals(lines, ["b\n", "c\n", "d"]);
  assert(!reader.closed);
});

Deno.test("BufferedReader[Symbol.asyncIterator]() yields buffered lines without a wait", async () => {
  const source = new FakeSource("a\n".repeat(16));
  const iterator = new BufferedReader(source)[Symbol.asyncIterator]();
  assertStrictEquals(iterator[Symbol.asyncIterator](), iterator);
  await iterator.next();
  for (let index = 1; index < 16; index++) {
    let come = false;
    iterator.next().then(() => come = true);
    await Promise.resolve();
    assert(come, `line ${index} took more than one turn`);
  }
  assertEquals(source.asked.length, 1);
});

Deno.test("BufferedReader[Symbol.asyncIterator]() throws for a line beyond lineLimit", async () => {
  const reader = new BufferedReader(new FakeSource("a\n012345\nb\n"), {
    lineLimit: 4,
  });
  const iterator = reader[Symbol.asyncIterator]();
  await iterator.next();
  await assertRejects(() => iterator.next(), LimitOverrunError);
  assertEquals(text((await iterator.next()).value), "b\n");
});

Deno.test("BufferedReader serves concurrent calls in order", async () => {
  const { promise, resolve } = Promise.withResolvers<Bytes>();
  const reader = readerOf("a", promise, "more\n");
  const results = Promise.all([
    reader.readline(),
    reader.read(2),
    reader[Symbol.asyncIterator]().next().then(({ value }) => value),
    reader.read(),
  ]);
  resolve(bytes("b\ncdef\n"));
  assertEquals((await results).map(text), ["ab\n", "cd", "ef\n", "more\n"]);
});

Deno.test("BufferedReader resolves calls in their order, however many receives one needs", async () => {
  const reader = readerOf(..."first line", "\nsecond\nthird\n");
  const lines: string[] = [];
  await Promise.all(Array.from({ length: 3 }, async () => {
    lines.push(text(await reader.readline()));
  }));
  assertEquals(lines, ["first line\n", "second\n", "third\n"]);
});

Deno.test("BufferedReader keeps little more than the bytes of a peer that sends them one by one", async () => {
  const count = 20_000;
  let left = count;
  let used = 0;
  const reader = new BufferedReader({
    recv() {
      if (left === count) used = heapUsed();
      if (--left === 0) used = heapUsed() - used;
      return Promise.resolve(new Uint8Array(1));
    },
    recvInto: () => Promise.reject(new Error("not used")),
  });
  assertEquals((await reader.readexactly(count)).length, count);
  assertLess(used / count, 20, "bytes of heap for each byte");
});

Deno.test("BufferedReader.readinto() and readinto1() throw EFAULT if the memory was transferred meanwhile", async () => {
  for (const method of ["readinto", "readinto1"] as const) {
    const [a, b] = await tcpPair();
    using reader = b.makefile("rb");
    const memory = new Uint8Array(100_000);
    const read = reader[method](memory);
    structuredClone(memory, { transfer: [memory.buffer] });
    await a.sendall(bytes("!"));
    assertEquals(await codeOf(() => read), "EFAULT", method);
    a.close();
    b.close();
  }
});

Deno.test("BufferedReader.readinto() that fails leaves the rest of a long line to skip", async () => {
  const source = new FakeSource("0123456789", timeout(), "yz\nab\n");
  const reader = new BufferedReader(source, { lineLimit: 4 });
  await assertRejects(() => reader.readline(), LimitOverrunError);
  await assertRejects(() => reader.readinto(new Uint8Array(5)), TimeoutError);
  assertEquals(text(await reader.readline()), "ab\n");
});

Deno.test("BufferedReader.lines() can be overridden with the iterator of the base", async () => {
  class Numbered extends BufferedReader {
    override lines() {
      return super[Symbol.asyncIterator]();
    }
  }
  const reader = new Numbered(new FakeSource("one\n"));
  assertEquals((await Array.fromAsync(reader)).map(text), ["one\n"]);
  const other = new Numbered(new FakeSource("two\n"));
  assertEquals((await Array.fromAsync(other.lines())).map(text), ["two\n"]);
});

Deno.test("BufferedReader serves the next call after one that failed", async () => {
  const reader = readerOf("a", timeout(), "b\nc\n");
  const [first, second] = await Promise.allSettled([
    reader.readline(),
    reader.readline(),
  ]);
  assertEquals(first.status, "rejected");
  assertEquals(second.status === "fulfilled" && text(second.value), "ab\n");
});

Deno.test("BufferedReader.close() ends all reads, and calls onClose once", async () => {
  let closes = 0;
  const reader = new BufferedReader(new FakeSource("a\nb\n"), {
    onClose: () => closes++,
  });
  await reader.readline();
  assertEquals(reader.readable(), true);
  assertEquals(reader.writable(), false);
  assertEquals(reader.seekable(), false);
  reader.close();
  reader.close();
  assertEquals(closes, 1);
  assertEquals(reader.closed, true);
  const message = "Cannot read: read of closed file";
  const calls = [
    () => reader.read(),
    () => reader.read(0),
    () => reader.read1(),
    () => reader.readexactly(1),
    () => reader.readline(),
    () => reader.readlines(),
    () => reader.readuntil(),
    () => reader.readinto(new Uint8Array(1)),
    () => reader.readinto1(new Uint8Array(1)),
    () => reader.peek(),
    () => reader[Symbol.asyncIterator]().next(),
  ];
  for (const call of calls) await assertRejects(call, TypeError, message);
  for (const name of ["readable", "writable", "seekable"] as const) {
    assertThrows(() => reader[name](), TypeError, message);
  }
});

/** The reads that one receive may serve. */
const STRAIGHT: [name: string, read: (reader: BufferedReader) => unknown][] = [
  ["readline", (reader) => reader.readline()],
  ["read1", (reader) => reader.read1()],
  ["readinto1", (reader) => reader.readinto1(new Uint8Array(65536))],
  ["readinto", (reader) => reader.readinto(new Uint8Array(70_000))],
  ["iteration", (reader) => reader[Symbol.asyncIterator]().next()],
];

for (const [name, read] of STRAIGHT) {
  Deno.test(`BufferedReader.close() rejects a ${name} that waits`, async () => {
    const { promise, resolve } = Promise.withResolvers<Bytes>();
    const reader = readerOf(promise);
    const pending = read(reader) as Promise<unknown>;
    reader.close();
    resolve(bytes("late\n"));
    await assertRejects(() => pending, TypeError, "read of closed file");
  });

  Deno.test(`BufferedReader gives the turn away after a ${name} that fails, awaited or not`, async () => {
    const unhandled: unknown[] = [];
    const listen = (event: PromiseRejectionEvent) => {
      event.preventDefault();
      unhandled.push(event.reason);
    };
    globalThis.addEventListener("unhandledrejection", listen);
    try {
      const reader = readerOf(timeout(), timeout(), "a\n");
      read(reader);
      const again = read(reader) as Promise<unknown>;
      const line = reader.readline();
      await endOfTurn();
      await assertRejects(() => again, TimeoutError);
      assertEquals(text(await line), "a\n");
    } finally {
      globalThis.removeEventListener("unhandledrejection", listen);
    }
    assertEquals(unhandled, []);
  });
}

Deno.test("BufferedReader.readline() that nobody awaits causes no unhandled rejection if the line is too long", async () => {
  const reader = new BufferedReader(new FakeSource("012345", "6\nb\n"), {
    lineLimit: 4,
  });
  reader.readline();
  const second = reader.readline();
  await endOfTurn(); // an unhandled rejection would fail the test
  assertEquals(text(await second), "b\n");
});

Deno.test("BufferedReader[Symbol.dispose]() closes", () => {
  const reader = readerOf();
  {
    using file = reader;
    assert(!file.closed);
  }
  assert(reader.closed);
});

Deno.test("BufferedReader refuses arguments out of range, and names them", async () => {
  const reader = readerOf("abc");
  const calls: [() => Promise<unknown>, string][] = [
    [
      () => reader.read(-2),
      "Cannot read: size must be -1 or a non-negative integer, got -2",
    ],
    [
      () => reader.read(1.5),
      "Cannot read: size must be -1 or a non-negative integer, got 1.5",
    ],
    [
      () => reader.read1(-2),
      "Cannot read: size must be -1 or a non-negative integer, got -2",
    ],
    [
      () => reader.readexactly(-1),
      "Cannot read: size must be a non-negative integer, got -1",
    ],
    [() => reader.readline(-3), "Cannot read a line: limit must be -1 or a"],
    [() => reader.readlines(0.5), "Cannot read lines: hint must be -1 or a"],
    [
      () => reader.peek(-1),
      "Cannot peek: size must be a non-negative integer, got -1",
    ],
    [
      () => reader.readuntil(""),
      "Cannot read until a separator: it must not be empty",
    ],
    [
      () => reader.readuntil("x", { limit: 0 }),
      "Cannot read until a separator: limit must be a positive integer or Infinity, got 0",
    ],
  ];
  for (const [call, message] of calls) {
    await assertRejects(call, RangeError, message);
  }
  assertEquals(text(await reader.read()), "abc");
});

Deno.test("BufferedReader refuses arguments of a wrong type, and names the type", async () => {
  const reader = readerOf("abc");
  // deno-lint-ignore no-explicit-any
  const any = (value: unknown) => value as any;
  const calls: [() => Promise<unknown>, string][] = [
    [
      () => reader.read(any("1")),
      "Cannot read: size must be a number, got string",
    ],
    [
      () => reader.read(any(null)),
      "Cannot read: size must be a number, got null",
    ],
    [
      () => reader.readuntil(any(10)),
      "it must be a Uint8Array or a string, got number",
    ],
    [
      () => reader.readuntil("x", { limit: any("1") }),
      "limit must be a number, got string",
    ],
    [() => reader.readinto(any("ab")), "it must be a view, got string"],
    [
      () => reader.readinto1(any(new ArrayBuffer(1))),
      "it must be a view, got ArrayBuffer",
    ],
  ];
  for (const [call, message] of calls) {
    await assertRejects(call, TypeError, message);
  }
});

Deno.test("new BufferedReader() refuses sizes out of range, and names them", () => {
  const source = new FakeSource();
  assertThrows(
    () => new BufferedReader(source, { bufferSize: -2 }),
    RangeError,
    "Cannot open a reader: bufferSize must be -1 or a non-negative integer, got -2",
  );
  for (const lineLimit of [0, -1, 1.5, NaN]) {
    assertThrows(
      () => new BufferedReader(source, { lineLimit }),
      RangeError,
      `Cannot open a reader: lineLimit must be a positive integer or Infinity, got ${lineLimit}`,
    );
  }
  assertThrows(
    () => new BufferedReader(source, { lineLimit: "1" as unknown as number }),
    TypeError,
    "lineLimit must be a number, got string",
  );
});

Deno.test("BufferedReader accepts a source that throws instead of rejecting", async () => {
  const fail = () => {
    throw timeout();
  };
  const reader = new BufferedReader({ recv: fail, recvInto: fail });
  const large = new Uint8Array(65536);
  const calls: (() => Promise<unknown>)[] = [
    () => reader.read(1),
    () => reader.read1(),
    () => reader.readline(),
    () => reader[Symbol.asyncIterator]().next(),
    () => reader.readinto(large),
    () => reader.readinto1(large),
  ];
  for (const call of calls) {
    await assertRejects(call, TimeoutError); // and the next call has its turn
  }
});
