/** Edges of readers and writers that only a certain division into chunks shows. */

import { Buffer } from "node:buffer";
import {
  BufferedReader,
  BufferedWriter,
  LimitOverrunError,
} from "../../mod.ts";
import { assertEquals, assertRejects } from "../deps.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { timeout } from "../helpers/fakes.ts";
import { turn } from "../helpers/turns.ts";

/** Gives one chunk at each receive, then the end; null is a receive that fails. */
function source(...chunks: (string | null)[]) {
  const next = () => {
    made.receives++;
    const chunk = chunks.shift();
    return chunk === null
      ? Promise.reject(timeout())
      : Promise.resolve(bytes(chunk ?? ""));
  };
  const made = {
    receives: 0,
    recv: next,
    async recvInto(buffer: Uint8Array) {
      const chunk = await next();
      buffer.set(chunk);
      return chunk.length;
    },
  };
  return made;
}

Deno.test("BufferedReader.readline() throws if the line that came alone is too long", async () => {
  using reader = new BufferedReader(source("too long\n", "ok\n"), {
    lineLimit: 4,
  });
  await assertRejects(() => reader.readline(), LimitOverrunError);
  assertEquals(text(await reader.readline()), "ok\n");
});

Deno.test("BufferedReader.readline() skips the rest of a long line that comes alone", async () => {
  using reader = new BufferedReader(source("too long", "re\n", "ok\n"), {
    lineLimit: 4,
  });
  await assertRejects(() => reader.readline(), LimitOverrunError);
  assertEquals(text(await reader.readline()), "ok\n");
});

Deno.test("BufferedReader.readinto() leaves a long line: what follows is a line", async () => {
  using reader = new BufferedReader(source("too long", "xy", "z\n"), {
    lineLimit: 4,
  });
  await assertRejects(() => reader.readline(), LimitOverrunError);
  assertEquals(await reader.readinto(new Uint8Array(2)), 2);
  assertEquals(text(await reader.readline()), "z\n");
});

Deno.test("BufferedReader.readuntil() throws LimitOverrunError when just as many bytes as the limit have come", async () => {
  using reader = new BufferedReader(source("abcd", "e;"));
  await assertRejects(
    () => reader.readuntil(";", { limit: 4 }),
    LimitOverrunError,
  );
  assertEquals(text(await reader.readuntil(";")), "abcde;");
});

Deno.test("BufferedReader.readinto() keeps a copy of what came before a failure", async () => {
  for (const buffer of [new Uint8Array(8), Buffer.alloc(8)]) {
    using reader = new BufferedReader(source("abcd", null), { bufferSize: 4 });
    await assertRejects(() => reader.readinto(buffer));
    buffer.fill(0);
    assertEquals(text(await reader.read(4)), "abcd");
  }
});

Deno.test("BufferedReader.read() that waits is rejected if the reader is closed meanwhile", async () => {
  const reader = new BufferedReader(source("abcd"));
  const read = reader.read(4); // has begun to receive
  reader.close();
  await assertRejects(() => read, TypeError, "read of closed file");
});

Deno.test("BufferedReader receives nothing more once it is closed", async () => {
  const from = source("abcd\n");
  const reader = new BufferedReader(from);
  reader.close();
  const line = new Uint8Array(99_999);
  for (
    const read of [
      () => reader.readline(),
      () => reader.read1(),
      () => reader.readinto1(line),
      () => reader[Symbol.asyncIterator]().next(),
    ]
  ) await assertRejects(read, TypeError, "read of closed file");
  assertEquals(from.receives, 0);
});

Deno.test("BufferedWriter.flush() waits for the last of several writes, and tells its failure", async () => {
  const sends: PromiseWithResolvers<void>[] = [];
  const writer = new BufferedWriter({
    sendall() {
      const send = Promise.withResolvers<void>();
      sends.push(send);
      return send.promise;
    },
  }, { bufferSize: 0 });
  writer.write("one");
  writer.write("two");
  let flushed = false;
  const flush = writer.flush().finally(() => flushed = true);
  sends[0].resolve();
  await turn();
  assertEquals(flushed, false);
  sends[1].reject(timeout());
  await assertRejects(() => flush, Error, "timed out");
});
