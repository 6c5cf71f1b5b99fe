import {
  BrokenPipeError,
  BufferedWriter,
  type WriteData,
  type Writer,
} from "../../mod.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "../deps.ts";
import { bytes, cut, fromLatin1, latin1, seeded } from "../helpers/bytes.ts";
import { FakeSink } from "../helpers/fakes.ts";

type Open = (sink: FakeSink, onClose?: () => void) => Writer;

/** The behaviour of a writer, with a buffer and without. */
const WRITERS: [name: string, open: Open][] = [
  [
    "BufferedWriter with bufferSize 0",
    (sink, onClose) => new BufferedWriter(sink, { bufferSize: 0, onClose }),
  ],
  [
    "BufferedWriter",
    (sink, onClose) => new BufferedWriter(sink, { bufferSize: 4, onClose }),
  ],
];

function brokenPipe(): BrokenPipeError {
  return new BrokenPipeError("Cannot sendall: Broken pipe (EPIPE)", {
    code: "EPIPE",
  });
}

/** Lets unhandled rejections be reported. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function testBoth(
  behaviour: string,
  test: (open: Open) => Promise<void>,
): void {
  for (const [name, open] of WRITERS) {
    Deno.test(`${name}${behaviour}`, () => test(open));
  }
}

testBoth(
  " sends random writes whole and in order, awaited or not",
  async (open) => {
    for (let seed = 0; seed < 100; seed++) {
      const random = seeded(seed);
      const data = Uint8Array.from({ length: random(200) }, () => random(256));
      const sink = new FakeSink();
      const writer = open(sink);
      for (const part of cut(data, random, 9)) {
        const written = writer.write(part);
        if (random(2) === 0) assertEquals(await written, part.length);
        if (random(9) === 0) await writer.flush();
      }
      await writer.close();
      assertEquals(sink.sent.join(""), latin1(data), `seed ${seed}`);
    }
  },
);

testBoth(
  ".write() takes bytes in any form, and strings as UTF-8",
  async (open) => {
    const sink = new FakeSink();
    const writer = open(sink);
    const memory = fromLatin1("abcdefgh").buffer;
    const shared = new SharedArrayBuffer(2);
    new Uint8Array(shared).set(bytes("sh"));
    const data: [WriteData, number][] = [
      ["é", 2],
      ["", 0],
      [bytes("x"), 1],
      [new DataView(memory, 1, 2), 2],
      [new Uint16Array(memory, 4, 1), 2],
      [memory, 8],
      [shared, 2],
    ];
    for (const [value, count] of data) {
      assertEquals(
        await writer.write(value),
        count,
      );
    }
    await writer.flush();
    assertEquals(sink.sent.join(""), "\xc3\xa9xbcefabcdefghsh");
  },
);

testBoth(".write() throws at once for what is no data", (open) => {
  const writer = open(new FakeSink());
  for (
    const [value, name] of [[1, "number"], [null, "null"], [
      [1],
      "Array",
    ]] as const
  ) {
    assertThrows(
      () => writer.write(value as unknown as string),
      TypeError,
      `Cannot write: data must be bytes or a string, got ${name}`,
    );
  }
  return Promise.resolve();
});

testBoth(
  ".writelines() takes an iterable at once and an async one as it comes",
  async (open) => {
    const sink = new FakeSink();
    const writer = open(sink);
    async function* later() {
      yield "3";
      yield await Promise.resolve(bytes("45678"));
    }
    writer.writelines(["1", bytes("2")]);
    await writer.writelines(later());
    await writer.writelines(new Set(["9"]));
    await writer.writelines([]);
    await writer.close();
    assertEquals(sink.sent.join(""), "123456789");
  },
);

testBoth(
  ".writelines() throws for what is no data and writes nothing of it",
  async (open) => {
    const sink = new FakeSink();
    const writer = open(sink);
    assertThrows(
      () => writer.writelines(["a", 1 as unknown as string]),
      TypeError,
    );
    async function* later() {
      yield 1 as unknown as string;
    }
    await assertRejects(() => writer.writelines(later()), TypeError);
    await writer.close();
    assertEquals(sink.sent, []);
  },
);

testBoth(".writelines() rejects with the failure of a write", async (open) => {
  const sink = new FakeSink();
  sink.failure = brokenPipe();
  const writer = open(sink);
  await assertRejects(
    () => writer.writelines(["large enough to be sent"]),
    BrokenPipeError,
  );
  writer.writelines(["large enough to be sent"]);
  await settle();
});

testBoth(".flush() waits for every write", async (open) => {
  const sink = new FakeSink();
  const gate = Promise.withResolvers<void>();
  sink.gate = gate.promise;
  const writer = open(sink);
  writer.write("12345");
  writer.write("678");
  let flushed = false;
  const flush = writer.flush().then(() => flushed = true);
  await settle();
  assert(!flushed);
  gate.resolve();
  await flush;
  assertEquals(sink.sent.join(""), "12345678");
});

testBoth(
  ".flush() throws the first failure since the last flush",
  async (open) => {
    const sink = new FakeSink();
    const writer = open(sink);
    const first = sink.failure = brokenPipe();
    writer.write("12345");
    sink.failure = new Error("second");
    writer.write("67890");
    sink.failure = undefined;
    assertEquals(
      await assertRejects(() => writer.flush(), BrokenPipeError),
      first,
    );
    await writer.flush();
  },
);

testBoth(" never leaves a rejection unhandled", async (open) => {
  const unhandled: unknown[] = [];
  const listen = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    unhandled.push(event.reason);
  };
  globalThis.addEventListener("unhandledrejection", listen);
  try {
    const sink = new FakeSink();
    sink.failure = brokenPipe();
    const writer = open(sink);
    writer.write("12345");
    writer.write("6");
    writer.flush();
    writer.writelines(["12345", "6"]);
    writer.flush();
    await settle();
    writer.write("12345");
    writer.close();
    writer.close();
    writer.write("late");
    writer.flush();
    writer.writelines(["late"]);
    await settle();
  } finally {
    globalThis.removeEventListener("unhandledrejection", listen);
  }
  assertEquals(unhandled, []);
});

testBoth(
  ".write() rejects with the failure when it is awaited",
  async (open) => {
    const sink = new FakeSink();
    sink.failure = brokenPipe();
    const writer = open(sink);
    await assertRejects(() => writer.write("12345"), BrokenPipeError);
  },
);

testBoth(".close() flushes first, then calls onClose once", async (open) => {
  let closes = 0;
  const sink = new FakeSink();
  const gate = Promise.withResolvers<void>();
  sink.gate = gate.promise;
  const writer = open(sink, () => closes++);
  assertEquals(writer.readable(), false);
  assertEquals(writer.writable(), true);
  assertEquals(writer.seekable(), false);
  writer.write("abc");
  const closing = writer.close();
  const again = writer.close();
  assertEquals(writer.closed, true);
  assertEquals(closes, 0);
  gate.resolve();
  await closing;
  await again;
  await writer.close();
  assertEquals(sink.sent, ["abc"]);
  assertEquals(closes, 1);
});

testBoth(
  ".close() closes even if the flush fails, and only the first call says so",
  async (open) => {
    let closes = 0;
    const sink = new FakeSink();
    sink.failure = brokenPipe();
    const writer = open(sink, () => closes++);
    writer.write("abc");
    await assertRejects(() => writer.close(), BrokenPipeError);
    await writer.close();
    assertEquals(writer.closed, true);
    assertEquals(closes, 1);
  },
);

testBoth(" rejects all writing after its close", async (open) => {
  const writer = open(new FakeSink());
  await writer.close();
  const message = "Cannot write: write to closed file";
  await assertRejects(() => writer.write("a"), TypeError, message);
  await assertRejects(() => writer.write(""), TypeError, message);
  await assertRejects(() => writer.writelines(["a"]), TypeError, message);
  await assertRejects(() => writer.flush(), TypeError, message);
  for (const name of ["readable", "writable", "seekable"] as const) {
    assertThrows(() => writer[name](), TypeError, message);
  }
});

testBoth("[Symbol.asyncDispose]() flushes and closes", async (open) => {
  const sink = new FakeSink();
  const writer = open(sink);
  {
    await using file = writer;
    file.write("abc");
  }
  assert(writer.closed);
  assertEquals(sink.sent, ["abc"]);
});

Deno.test("BufferedWriter.write() with bufferSize 0 sends each write at once", () => {
  const sink = new FakeSink();
  const writer = new BufferedWriter(sink, { bufferSize: 0 });
  const data = bytes("abc");
  writer.write(data);
  writer.write("");
  writer.write("de");
  assertEquals(sink.sent, ["abc", "de"]);
  assert(sink.given[0] === data, "the data was copied");
});

Deno.test("BufferedWriter.writelines() with bufferSize 0 joins lines into few writes", async () => {
  const sink = new FakeSink();
  const writer = new BufferedWriter(sink, { bufferSize: 0 });
  const large = "x".repeat(65536);
  await writer.writelines(["a\n", "b\n", large, "c\n", "d\n"]);
  assertEquals(sink.sent, ["a\nb\n", large, "c\nd\n"]);
});

Deno.test("BufferedWriter.flush() with bufferSize 0 waits for a write that settles out of order", async () => {
  const sink = new FakeSink();
  const writer = new BufferedWriter(sink, { bufferSize: 0 });
  const gate = Promise.withResolvers<void>();
  sink.gate = gate.promise;
  writer.write("a");
  sink.gate = undefined;
  await writer.write("b");
  let flushed = 0;
  const flushes = [writer.flush(), writer.flush()].map((flush) =>
    flush.then(() => flushed++)
  );
  await settle();
  assertEquals(flushed, 0);
  gate.resolve();
  await Promise.all(flushes);
});

Deno.test("BufferedWriter.write() sends if the buffer would overflow", async () => {
  const sink = new FakeSink();
  const writer = new BufferedWriter(sink, { bufferSize: 4 });
  await writer.write("abc");
  await writer.write("d");
  assertEquals(sink.sent, []);
  await writer.write("e");
  assertEquals(sink.sent, ["abcd"]);
  await writer.flush();
  await writer.flush();
  assertEquals(sink.sent, ["abcd", "e"]);
});

Deno.test("BufferedWriter.write() sends data larger than the buffer uncopied", async () => {
  const sink = new FakeSink();
  const writer = new BufferedWriter(sink, { bufferSize: 4 });
  const large = bytes("defgh");
  writer.write("abc");
  await writer.write(large);
  assertEquals(sink.sent, ["abc", "defgh"]);
  assert(sink.given[1] === large, "the data was copied");
});

Deno.test("BufferedWriter.write() waits only until the buffer has room", async () => {
  const sink = new FakeSink();
  const gate = Promise.withResolvers<void>();
  sink.gate = gate.promise;
  const writer = new BufferedWriter(sink, { bufferSize: 4 });
  await writer.write("abcd");
  let done = false;
  const write = writer.write("e").then((count) => {
    done = true;
    return count;
  });
  await settle();
  assert(!done);
  gate.resolve();
  assertEquals(await write, 1);
});

Deno.test("BufferedWriter.write() copies the data that it buffers", async () => {
  const sink = new FakeSink();
  const writer = new BufferedWriter(sink);
  const data = bytes("abc");
  writer.write(data);
  data.fill(0);
  await writer.flush();
  assertEquals(sink.sent, ["abc"]);
});

Deno.test("BufferedWriter never writes to memory that is being sent", async () => {
  const sink = new FakeSink();
  const writer = new BufferedWriter(sink, { bufferSize: 8 });
  for (const part of ["abcd", "efgh", "ij", "klmnopq"]) writer.write(part);
  await writer.close();
  assertEquals(sink.given.map(latin1), ["abcdefgh", "ij", "klmnopq"]);
});

Deno.test("BufferedWriter reuses memory only once it is sent, and never if that fails", async () => {
  const slow = new FakeSink();
  const gate = Promise.withResolvers<void>();
  slow.gate = gate.promise;
  const waiting = new BufferedWriter(slow);
  waiting.write("slow");
  const flushed = waiting.flush();
  const broken = new FakeSink();
  broken.failure = brokenPipe();
  const failing = new BufferedWriter(broken);
  failing.write("lost");
  await assertRejects(() => failing.flush(), BrokenPipeError);
  const sink = new FakeSink();
  for (let i = 0; i < 100; i++) {
    const writer = new BufferedWriter(sink);
    writer.write(`other ${i}`);
    await writer.flush();
  }
  assertEquals([slow, broken].map(({ given }) => latin1(given[0])), [
    "slow",
    "lost",
  ]);
  assert(
    sink.given[1].buffer === sink.given[0].buffer,
    "it was not used again",
  );
  gate.resolve();
  await flushed;
});

Deno.test("BufferedWriter collects 8192 bytes by default", async () => {
  for (const bufferSize of [undefined, -1]) {
    const sink = new FakeSink();
    const writer = new BufferedWriter(sink, { bufferSize });
    for (let index = 0; index < 8192; index++) writer.write("x");
    assertEquals(sink.sent.length, 0);
    await writer.write("y");
    assertEquals(sink.sent, ["x".repeat(8192)]);
  }
});

Deno.test("new BufferedWriter() refuses a bufferSize out of range", () => {
  const sink = new FakeSink();
  assertThrows(
    () => new BufferedWriter(sink, { bufferSize: -2 }),
    RangeError,
    "Cannot open a writer: bufferSize must be -1 or a non-negative integer, got -2",
  );
  assertThrows(
    () => new BufferedWriter(sink, { bufferSize: "8" as unknown as number }),
    TypeError,
    "Cannot open a writer: bufferSize must be a number, got string",
  );
});

for (const [name, open] of WRITERS) {
  Deno.test(`${name}.pending counts the bytes that are written and not sent, without those that failed`, async () => {
    const sink = new FakeSink();
    const { promise, resolve } = Promise.withResolvers<void>();
    sink.gate = promise;
    const writer = open(sink);
    assertEquals(writer.pending, 0);
    writer.write("ab");
    writer.write("cdefgh");
    assertEquals(writer.pending, 8);
    sink.failure = brokenPipe();
    writer.write("ijklmnop");
    assertEquals(writer.pending, 16);
    resolve();
    await assertRejects(() => writer.flush(), BrokenPipeError);
    assertEquals(writer.pending, 0);
    await writer.close();
  });
}
