/** Small writes, which are held while a tied reader has more input, and sent at the end of the turn. */

import {
  BrokenPipeError,
  BufferedReader,
  BufferedWriter,
  type BufferedWriterOptions,
  type Tied,
} from "../../mod.ts";
import { assert, assertEquals, assertRejects } from "../deps.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { FakeSink, FakeSource, type Step } from "../helpers/fakes.ts";
import { endOfMicrotasks, endOfTurn, FrozenClock } from "../helpers/turns.ts";

/** The bytes that a buffered writer collects, and that an unbuffered one holds, at most. */
const MOST = 8192;

/** Returns an unbuffered writer and a reader tied to it. */
function tied(steps: Step[], options: BufferedWriterOptions = {}) {
  const sink = new FakeSink();
  const wfile = new BufferedWriter(sink, { bufferSize: 0, ...options });
  const rfile = new BufferedReader(new FakeSource(...steps), { tie: wfile });
  return { sink, wfile, rfile };
}

/** Returns the same after the first line was read. */
async function begun(steps: Step[], options?: BufferedWriterOptions) {
  const files = tied(steps, options);
  assertEquals(text(await files.rfile.readline()), "1\n");
  return files;
}

/** Returns a promise to wait for. */
const gate = () => Promise.withResolvers<void>();

function brokenPipe(): BrokenPipeError {
  return new BrokenPipeError("Cannot send: Broken pipe (EPIPE)", {
    code: "EPIPE",
  });
}

Deno.test("BufferedWriter holds the answers to pipelined lines, and sends them with the last one", async () => {
  using _ = new FrozenClock();
  const { sink, wfile, rfile } = tied(["1\n2\n3\n", "4\n"]);
  const pending: number[] = [];
  for await (const line of rfile) {
    assertEquals(await wfile.write(line), 2);
    pending.push(wfile.pending);
  }
  assertEquals(pending, [2, 4, 0, 0]);
  assertEquals(sink.sent, ["1\n2\n3\n", "4\n"]);
});

Deno.test("BufferedWriter copies the data that it holds", async () => {
  const { sink, wfile } = await begun(["1\n2\n"]);
  const data = bytes("abc");
  await wfile.write(data);
  data.fill(0);
  await wfile.flush();
  assertEquals(sink.sent, ["abc"]);
});

Deno.test("BufferedWriter holds nothing if the reader has no more input, or is closed", async () => {
  for (const close of [false, true]) {
    const { sink, wfile, rfile } = await begun([close ? "1\n2\n" : "1\n"]);
    if (close) rfile.close();
    const data = bytes("a");
    wfile.write(data);
    assert(sink.given[0] === data, "the data was held, or copied");
  }
});

Deno.test("BufferedWriter holds nothing while the reader waits for the rest of a line", async () => {
  const rest = Promise.withResolvers<ReturnType<typeof bytes>>();
  const { sink, wfile, rfile } = await begun(["1\n2", rest.promise]);
  const line = rfile.readline();
  wfile.write("news");
  assertEquals(sink.sent, ["news"]);
  rest.resolve(bytes("\n"));
  assertEquals(text(await line), "2\n");
});

Deno.test("BufferedWriter sends the held data when the reader waits", async () => {
  using _ = new FrozenClock();
  for (
    const read of [
      (rfile: BufferedReader) => rfile.readline(),
      (rfile: BufferedReader) => rfile.read(100),
      (rfile: BufferedReader) => rfile.readinto(new Uint8Array(100_000)),
    ]
  ) {
    const { sink, wfile, rfile } = await begun(["1\n2", "\n"]);
    wfile.write("a");
    assertEquals(sink.sent, []);
    const reading = read(rfile);
    await endOfMicrotasks(10);
    assertEquals(sink.sent, ["a"]);
    await reading;
  }
});

Deno.test("BufferedWriter sends the held data right after the microtasks", async () => {
  using _ = new FrozenClock();
  const { sink, wfile } = await begun(["1\n2\n"]);
  wfile.write("a");
  await endOfMicrotasks(20);
  wfile.write("b");
  await endOfMicrotasks(20);
  assertEquals(sink.sent, []);
  await endOfTurn();
  assertEquals(sink.sent, ["ab"]);
});

Deno.test("BufferedWriter sends at the end of each turn, for each writer that holds", async () => {
  const all = await Promise.all([1, 2, 3].map(() => begun(["1\n2\n"])));
  for (let turn = 1; turn < 4; turn++) {
    for (const { wfile } of all) wfile.write("a");
    await endOfTurn();
    for (const { sink } of all) assertEquals(sink.sent.length, turn);
  }
});

Deno.test("BufferedWriter holds for at most 5 ms while a handler computes", async () => {
  using clock = new FrozenClock();
  const { sink, wfile } = await begun(["1\n2\n"]);
  const held: number[] = [];
  for (let i = 0; i < 4; i++) {
    await wfile.write("a");
    await endOfMicrotasks(2);
    held.push(wfile.pending);
    clock.advance(3);
  }
  await wfile.flush();
  assertEquals(held, [1, 2, 0, 1]);
  assertEquals(sink.sent, ["aaa", "a"]);
});

Deno.test("BufferedWriter waits for the send once it holds more than 8 KiB", async () => {
  using _ = new FrozenClock();
  const { sink, wfile } = await begun(["1\n2\n"]);
  const { promise, resolve } = gate();
  sink.gate = promise;
  await wfile.write("x".repeat(MOST));
  assertEquals(sink.given.length, 0);
  let done = false;
  const written = wfile.write("y").then(() => done = true);
  assertEquals(wfile.pending, MOST + 1);
  await endOfTurn();
  assert(!done, "it did not wait");
  resolve();
  await written;
  await wfile.flush();
  assertEquals(sink.sent, ["x".repeat(MOST), "y"]);
});

Deno.test("BufferedWriter sends the held data before a large write, which it does not copy", async () => {
  const { sink, wfile } = await begun(["1\n2\n"]);
  const large = new Uint8Array(MOST + 1);
  wfile.write("a");
  await wfile.write(large);
  assertEquals(sink.given.map(({ length }) => length), [1, MOST + 1]);
  assert(sink.given[1] === large, "the data was copied");
});

Deno.test("BufferedWriter sends a last answer by itself if it does not fit with those held", async () => {
  const { sink, wfile, rfile } = await begun(["1\n2\n"]);
  await wfile.write("x".repeat(MOST));
  await rfile.readline();
  await wfile.write("y");
  assertEquals(sink.sent, ["x".repeat(MOST), "y"]);
});

for (const bufferSize of [0, MOST]) {
  Deno.test(`BufferedWriter with bufferSize ${bufferSize} waits while much of its data is on its way`, async () => {
    const { sink, wfile } = await begun(["1\n2\n"], { bufferSize });
    const { promise, resolve } = gate();
    sink.gate = promise;
    wfile.write("x".repeat(MOST + 1));
    let done = false;
    const written = wfile.write("y").then((count) => {
      done = true;
      return count;
    });
    await endOfTurn();
    assert(!done, "it did not wait");
    resolve();
    assertEquals(await written, 1);
    await wfile.close();
    assertEquals(sink.sent.join(""), "x".repeat(MOST + 1) + "y");
  });
}

for (const bufferSize of [0, MOST]) {
  Deno.test(`BufferedWriter with bufferSize ${bufferSize} fails the next write if the held data was not sent`, async () => {
    const { sink, wfile, rfile } = await begun(["1\n2", "\n3\n"], {
      bufferSize,
    });
    const failure = sink.failure = brokenPipe();
    assertEquals(await wfile.write("a"), 1);
    await rfile.readline(); // waits, so that the data is sent
    sink.failure = undefined;
    assertEquals(
      await assertRejects(() => wfile.write("b"), BrokenPipeError),
      failure,
    );
    await wfile.write("c"); // reported once
    assertEquals(
      await assertRejects(() => wfile.flush(), BrokenPipeError),
      failure,
    );
    await wfile.close();
    assertEquals(sink.sent, ["c"]);
  });
}

for (const end of ["flush", "close"] as const) {
  Deno.test(`BufferedWriter.${end}() throws if the held data was not sent, then or before`, async () => {
    for (const before of [false, true]) {
      const { sink, wfile } = await begun(["1\n2\n"]);
      sink.failure = brokenPipe();
      wfile.write("a");
      if (before) await endOfTurn();
      await assertRejects(() => wfile[end](), BrokenPipeError);
      assertEquals(wfile.pending, 0);
      if (end === "close") continue;
      sink.failure = undefined;
      await wfile.write("b"); // reported before
      await wfile.close();
      assertEquals(sink.sent, ["b"]);
    }
  });
}

Deno.test("BufferedWriter reports the error of a sink that throws synchronously", async () => {
  const failing = await begun(["1\n2\n"]);
  const healthy = await begun(["1\n2\n"]);
  failing.sink.sendall = () => {
    throw brokenPipe();
  };
  failing.wfile.write("a");
  healthy.wfile.write("a");
  await endOfTurn();
  await assertRejects(() => failing.wfile.write("b"), BrokenPipeError);
  assertEquals(healthy.sink.sent, ["a"]);
});

Deno.test("BufferedWriter.close() sends the held data", async () => {
  const { sink, wfile } = await begun(["1\n2\n"]);
  wfile.write("a");
  const closed = wfile.close();
  assertEquals(sink.sent, ["a"]);
  await closed;
});

Deno.test("BufferedWriter.sendHeld() sends held or buffered data once", async () => {
  for (const bufferSize of [0, 10]) {
    const { sink, wfile } = await begun(["1\n2\n"], { bufferSize });
    wfile.sendHeld();
    wfile.write("a");
    wfile.sendHeld();
    wfile.sendHeld();
    assertEquals(sink.sent, ["a"]);
    await wfile.close();
    wfile.sendHeld();
    assertEquals(sink.sent, ["a"]);
  }
});

Deno.test("BufferedWriter calls onHold only when it begins to hold", async () => {
  using _ = new FrozenClock();
  const held: Tied[] = [];
  const { sink, wfile } = await begun(["1\n2\n"], {
    onHold: (writer) => held.push(writer),
  });
  wfile.write("");
  assertEquals(held, []);
  wfile.write("a");
  wfile.write("b");
  assertEquals(held.length, 1);
  held[0].sendHeld();
  assertEquals(sink.sent, ["ab"]);
  await wfile.writelines(["c", "d"]);
  assertEquals(held.length, 2);
  await wfile.close();
  assertEquals(sink.sent, ["ab", "cd"]);
});

Deno.test("BufferedWriter holds while a handler goes on writing, and at most 50 microtasks longer", async () => {
  using _ = new FrozenClock();
  const { sink, wfile } = await begun(["1\n2\n"]);
  for (let i = 0; i < 5; i++) {
    wfile.write("a");
    await endOfMicrotasks(20);
  }
  assertEquals(sink.sent, []);
  await endOfMicrotasks(100);
  assertEquals(sink.sent, ["aaaaa"]);
});
