/** The parts of the blocking sockets: files over a source in memory, waits over a channel with nobody on its other side. */

import { BlockingReaderShell } from "../internal/blocking/blocking_reader.ts";
import { sendFileSync } from "../internal/blocking/blocking_sendfile.ts";
import { BlockingTextReaderShell } from "../internal/blocking/blocking_text_reader.ts";
import { Deadline } from "../internal/blocking/deadline.ts";
import {
  FrameChannel,
  frameChannelMemory,
} from "../internal/channel/frame_channel.ts";
import { type AbortOptions, BlockingIOError, TimeoutError } from "../mod.ts";
import { assert, assertEquals, assertThrows } from "./deps.ts";
import { bytes, text } from "./stream_fakes.ts";

/** A file in memory. */
class FakeFile {
  at = 0;
  readonly data = Uint8Array.from({ length: 300_000 }, (_, i) => i * 7);

  readSync(p: Uint8Array): number | null {
    const piece = this.data.subarray(this.at, this.at + p.length);
    p.set(piece);
    this.at += piece.length;
    return piece.length || null;
  }

  seekSync(offset: number, whence: Deno.SeekMode): number {
    assertEquals(whence, Deno.SeekMode.Start);
    return this.at = offset;
  }
}

Deno.test("sendFileSync() leaves an open file behind the last byte that was sent", () => {
  const cases: [offset: number, count: number, sent: number][] = [
    [0, Infinity, 300_000],
    [10, 5, 5],
    [0, 270_000, 270_000],
    [299_999, 9, 1],
    [400_000, 9, 0],
  ];
  for (const [offset, count, expected] of cases) {
    const file = new FakeFile();
    file.at = 77;
    let got = 0;
    const sent = sendFileSync(file, offset, count, (data) => {
      assertEquals(data[0], file.data[offset + got]);
      got += data.length;
    });
    assertEquals(sent, expected);
    assertEquals(got, expected);
    assertEquals(file.at, offset + expected);
  }
});

Deno.test("sendFileSync() leaves an open file where a send that fails began", () => {
  const file = new FakeFile();
  let calls = 0;
  assertThrows(
    () =>
      sendFileSync(file, 5, Infinity, () => {
        if (++calls === 2) throw new Error("gone");
      }),
    Error,
    "gone",
  );
  assertEquals(file.at, 5 + 262_144); // the first chunk was sent
});

Deno.test("Deadline.wait() asks once more after the time has run out, and then throws", () => {
  const channel = new FrameChannel(frameChannelMemory(), "worker", () => {});
  let asked = 0;
  const before = performance.now();
  assertThrows(
    () => new Deadline(0.05).wait(channel, () => ++asked === 99, "recv"),
    TimeoutError,
    "timed out after 0.05 s",
  );
  assert(performance.now() - before >= 49);
  assert(asked >= 2);
  new Deadline(0.01).wait(channel, () => ++asked > 3, "recv"); // ready at last
  assertThrows(
    () => new Deadline("now").wait(channel, () => false, "recv"),
    BlockingIOError,
  );
});

Deno.test("Deadline.wait() blocks no more once its signal has aborted, also while the call went on", () => {
  const controller = new AbortController();
  const channel = new FrameChannel(frameChannelMemory(), "worker", () => {});
  const deadline = new Deadline(60, controller.signal);
  const aborts = () => {
    controller.abort(new RangeError("enough"));
    return true;
  };
  deadline.wait(channel, aborts, "send"); // a part is sent
  const before = performance.now();
  assertThrows(
    () => deadline.wait(channel, () => false, "send"),
    RangeError,
    "enough",
  );
  assert(performance.now() - before < 30_000);
});

Deno.test("Deadline.endless is for calls with no limit only", () => {
  const limits = [null, "now", 0.5, 1e9] as const;
  const endless = limits.map((limit) => new Deadline(limit).endless);
  assertEquals(endless, [true, false, false, false]);
});

Deno.test("blocking reads with an aborted signal take nothing, and pass a signal on to their socket", () => {
  const passed: unknown[] = [];
  const source = {
    recv(_size: number, options?: AbortOptions) {
      passed.push(options);
      return bytes("one\ntwo\n");
    },
    sendall() {},
  };
  const reader = new BlockingReaderShell(source);
  const { signal } = new AbortController();
  const aborted = AbortSignal.abort("enough");
  const texts = new BlockingTextReaderShell(reader);
  for (const file of [reader, texts]) {
    for (const method of ["read", "readline", "readlines", "lines"] as const) {
      try {
        const given = file[method as "read"]({ signal: aborted });
        throw new Error(`${method} gave ${[...given]}`);
      } catch (error) {
        assertEquals(error, "enough", method);
      }
    }
  }
  assertEquals(text(reader.readline({ signal })), "one\n");
  assertEquals(text(reader.readline(-1, { signal })), "two\n");
  assertEquals(texts.readline({ signal }), "one\n");
  assertEquals(passed, [{ signal }, { signal }]);
  assertThrows(
    // deno-lint-ignore no-explicit-any
    () => reader.readline({ signal: "stop" as any }),
    TypeError,
    "signal must be an AbortSignal",
  );
});
