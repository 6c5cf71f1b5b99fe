/** The same writes to `BufferedWriter`, to `BlockingWriter` and to CPython's `io.BufferedWriter`. */

import { BufferedWriter } from "../../mod.ts";
import { BlockingWriterShell } from "../../internal/blocking/blocking_writers.ts";
import { assertEquals } from "../deps.ts";
import { havePython } from "../helpers/allowed.ts";
import { bytes, latin1, seeded } from "../helpers/bytes.ts";
import { FakeSink } from "../helpers/fakes.ts";
import { python } from "../helpers/python.ts";

/** A number writes so many bytes; "flush" flushes. */
type Step = number | "flush";

const SIZES = [1, 7, 100, 5000, -1];

/** Writes around the size of the buffer, and some flushes. */
function scripts(): [size: number, steps: Step[]][] {
  const random = seeded(4);
  return SIZES.flatMap((size) =>
    Array.from({ length: 8 }, (): [number, Step[]] => [
      size,
      Array.from(
        { length: 30 },
        () =>
          random(8) === 0 ? "flush" : random(size < 0 ? 9000 : 1 + 2 * size),
      ),
    ])
  );
}

/** The bytes of step `at`: another letter for each. */
function data(at: number, count: number): string {
  return String.fromCharCode(97 + at % 26).repeat(count);
}

async function waits(size: number, steps: Step[]): Promise<string[]> {
  const sink = new FakeSink();
  const writer = new BufferedWriter(sink, { bufferSize: size });
  for (const [at, step] of steps.entries()) {
    if (step === "flush") await writer.flush();
    else assertEquals(await writer.write(data(at, step)), step);
  }
  await writer.close();
  return sink.sent;
}

function blocks(size: number, steps: Step[]): string[] {
  const sent: string[] = [];
  const sink = {
    recv: () => bytes(""),
    sendall: (data: Uint8Array) => void sent.push(latin1(data)),
  };
  const writer = new BlockingWriterShell(sink, { bufferSize: size });
  for (const [at, step] of steps.entries()) {
    if (step === "flush") writer.flush();
    else assertEquals(writer.write(data(at, step)), step);
  }
  writer.close();
  return sent;
}

const CPYTHON = `
import io
size, steps = row
sent = []
class Raw(io.RawIOBase):
    def writable(self):
        return True
    def write(self, data):
        sent.append(bytes(data).decode())
        return len(data)
file = io.BufferedWriter(Raw(), 8192 if size < 0 else size)
for at, step in enumerate(steps):
    if step == "flush":
        file.flush()
    else:
        file.write(chr(97 + at % 26).encode() * step)
file.close()
return [part for part in sent if part]`;

Deno.test("BlockingWriter sends the pieces that BufferedWriter sends", async () => {
  for (const [size, steps] of [...scripts(), [0, [3, 0, 5, "flush", 1]]]) {
    const sent = blocks(size as number, steps as Step[]);
    assertEquals(sent, await waits(size as number, steps as Step[]));
  }
});

Deno.test({
  name: "BufferedWriter sends the pieces that CPython's sends",
  ignore: !havePython(),
  async fn() {
    const rows = scripts();
    const expected = await python(CPYTHON.trim(), rows);
    for (const [at, [size, steps]] of rows.entries()) {
      assertEquals(await waits(size, steps), expected[at], `size ${size}`);
    }
  },
});
