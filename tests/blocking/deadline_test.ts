/** Units of the blocking sockets: files over a source in memory, and waits on a channel without a peer. */

import { BlockingConnections } from "../../internal/blocking/blocking_connections.ts";
import {
  BlockingReaderShell,
  BlockingTextReaderShell,
} from "../../internal/blocking/blocking_readers.ts";
import { passFileSync } from "../../internal/blocking/blocking_sendfile.ts";
import { Deadline } from "../../internal/blocking/deadline.ts";
import {
  FrameChannel,
  frameChannelMemory,
} from "../../internal/channel/frame_channel.ts";
import * as frames from "../../internal/channel/frames.ts";
import { WorkerConnections } from "../../internal/workers/worker_connections.ts";
import { type AbortOptions, BlockingIOError, TimeoutError } from "../../mod.ts";
import { assert, assertEquals, assertThrows } from "../deps.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { listen, recvToEnd } from "../helpers/sockets.ts";
import { turn } from "../helpers/turns.ts";
import { within } from "../helpers/within.ts";

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

Deno.test("passFileSync() leaves the position of an open file after the last byte sent", () => {
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
    const sent = passFileSync(file, offset, count, (data) => {
      assertEquals(data[0], file.data[offset + got]);
      got += data.length;
    });
    assertEquals(sent, expected);
    assertEquals(got, expected);
    assertEquals(file.at, offset + expected);
  }
});

Deno.test("passFileSync() leaves the position of an open file at the start of a send that fails", () => {
  const file = new FakeFile();
  let calls = 0;
  assertThrows(
    () =>
      passFileSync(file, 5, Infinity, () => {
        if (++calls === 2) throw new Error("gone");
      }),
    Error,
    "gone",
  );
  assertEquals(file.at, 5 + 262_144); // the first chunk was sent
});

Deno.test("Deadline.wait() checks once more after the timeout, and then throws", () => {
  const channel = new FrameChannel(frameChannelMemory(), "worker", () => {});
  let asked = 0;
  const before = performance.now();
  assertThrows(
    () => new Deadline(0.05).wait(channel, () => ++asked === 99, "recv"),
    TimeoutError,
    "timed out after 0.05 s",
  );
  assert(performance.now() - before >= 49);
  assert(asked >= 2 && asked < 10, `${asked} checks: the thread spins`);
  new Deadline(0.01).wait(channel, () => ++asked > 3, "recv"); // ready at last
  assertThrows(
    () => new Deadline("now").wait(channel, () => false, "recv"),
    BlockingIOError,
  );
});

Deno.test("Deadline.wait() does not block once its signal has aborted, even if that happens between two waits", () => {
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

Deno.test("Deadline.endless is true only without a limit", () => {
  const limits = [null, "now", 0.5, 1e9] as const;
  const endless = limits.map((limit) => new Deadline(limit).endless);
  assertEquals(endless, [true, false, false, false]);
});

Deno.test("blocking reads take nothing with an aborted signal, and pass the signal to their socket", () => {
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

Deno.test("blocking readlines() and readinto() put back what they have read when a receive fails", () => {
  const pieces = ["one\ntwo\n", null, "three", "", "", "four", null, "five"];
  const source = {
    recv() {
      const piece = pieces.shift();
      if (piece === null) throw new TimeoutError("late");
      return bytes(piece ?? "");
    },
    sendall() {},
  };
  const reader = new BlockingReaderShell(source);
  assertThrows(() => reader.readlines(), TimeoutError);
  assertEquals(reader.readlines().map(text), ["one\n", "two\n", "three"]);
  const buffer = new Uint8Array(8);
  assertThrows(() => reader.readinto(buffer), TimeoutError);
  assertEquals(reader.readinto(buffer), 8);
  assertEquals(text(buffer), "fourfive");
});

/** Returns the connections of a worker, with both ends of its channel in this thread. */
function connectionsHere(onDrain = () => {}) {
  const memory = frameChannelMemory();
  const sent: [type: number, id: number][] = [];
  const main = new FrameChannel(memory, "main", (...frame) => {
    sent.push([frame[0], frame[1]]);
  });
  const heard: [type: number, id: number][] = [];
  const connections: BlockingConnections = new BlockingConnections(
    new FrameChannel(memory, "worker", (type, id, payload) => {
      heard.push([type, id]);
      if (type === frames.DRAIN) onDrain();
      else connections.onFrame(type, id, payload);
    }),
  );
  const addr = { transport: "tcp", hostname: "127.0.0.1", port: 80 } as const;
  /** Answers the next attempt before it begins, so that the call does not block. */
  const answer = () => {
    const opening = { localAddr: addr, remoteAddr: addr, timeout: null };
    main.send(frames.OPEN, connections.lastId - 1, frames.pack(opening));
  };
  return { connections, main, sent, heard, answer };
}

const CALL: frames.ConnectCall = { address: ["localhost", 80], timeout: null };

Deno.test("a connection keeps data that arrives with its opening", () => {
  const { connections, main, answer } = connectionsHere();
  answer();
  main.send(frames.DATA, -1, bytes("220 hello"));
  main.send(frames.EOF, -1);
  const socket = connections.connect(CALL, undefined);
  assertEquals(text(socket.recv(100)), "220 hello");
  assertEquals(socket.recv(100).length, 0);
  main.send(frames.DATA, -7, bytes("of a connection that is closed")); // dropped
  connections.channel.receive();
});

Deno.test("an aborted attempt to connect is closed in the main thread", async () => {
  const aborting = new AbortController();
  const { connections, main, sent, heard } = connectionsHere(() =>
    aborting.abort(new Error("enough"))
  );
  main.send(frames.DRAIN, 0);
  const connect = () => connections.connect(CALL, aborting.signal);
  assertThrows(connect, Error, "enough");
  assertThrows(connect, Error, "enough");
  main.receive();
  assertEquals(sent, [[frames.CONNECT, -1], [frames.ABORT, -1]]);

  using listener = listen();
  const opening = new WorkerConnections(main);
  const call = { ...CALL, address: listener.getsockname() };
  opening.onFrame(frames.CONNECT, -1, frames.pack(call));
  opening.onFrame(frames.ABORT, -1, new Uint8Array(0));
  opening.onFrame(frames.CONNECT, -2, frames.pack(call));
  const [peer] = await within(listener.accept());
  heard.length = 0;
  while (heard.length === 0) {
    connections.channel.receive();
    await turn();
  }
  assertEquals(heard, [[frames.OPEN, -2]]); // and no frame of the aborted attempt
  opening.close();
  assertEquals((await within(recvToEnd(peer))).length, 0);
  peer.close();
});

Deno.test("a worker may have 1024 open connections", () => {
  const { connections, main, answer } = connectionsHere();
  const connect = () => {
    answer();
    return connections.connect(CALL, undefined);
  };
  const sockets = Array.from({ length: 1024 }, () => {
    const socket = connect();
    main.receive();
    return socket;
  });
  const error = assertThrows(
    connect,
    Error,
    "the handler has 1024 open connections",
  );
  assertEquals((error as Error & { code: string }).code, "EMFILE");
  sockets[5].close();
  connect();
  assertThrows(connect, Error, "EMFILE");
  connections.closeSince(-1000);
  connect();
});
