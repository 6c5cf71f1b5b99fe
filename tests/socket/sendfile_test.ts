import { AF_INET, type OpenFile, SOCK_DGRAM, Socket } from "../../socket.ts";
import {
  assertEquals,
  assertGreater,
  assertLess,
  assertRejects,
} from "../deps.ts";
import { inParts, passFile } from "../../internal/socket/sendfile.ts";
import { granted } from "../helpers/allowed.ts";
import { bytes, concat, digest, text } from "../helpers/bytes.ts";
import { recvToEnd, withPair } from "../helpers/sockets.ts";
import { codeOf } from "../helpers/thrown.ts";
import { within } from "../helpers/within.ts";

const MIB = 1024 * 1024;

/** Byte i is i modulo 251; longer than what one read takes. */
const PATTERN = Uint8Array.from({ length: 251 * 8400 }, (_, i) => i % 251);

/** A file in memory that repeats the pattern. */
class FakeFile implements OpenFile {
  position = 0;
  /** The size of each buffer that was read into. */
  readonly sizes: number[] = [];
  constructor(readonly length: number, readonly failAt = Infinity) {}

  read(p: Uint8Array): Promise<number | null> {
    this.sizes.push(p.length);
    if (this.position >= this.failAt) {
      return Promise.reject(new Error("bad sector"));
    }
    const count = Math.min(
      p.length,
      Math.max(0, this.length - this.position),
      this.failAt - this.position,
    );
    const start = this.position % 251;
    p.set(PATTERN.subarray(start, start + count));
    this.position += count;
    return Promise.resolve(count > 0 ? count : null);
  }

  seek(offset: number, whence: Deno.SeekMode): Promise<number> {
    assertEquals(whence, Deno.SeekMode.Start);
    return Promise.resolve(this.position = offset);
  }

  slice(start: number, end: number): Uint8Array {
    return Uint8Array.from(
      { length: end - start },
      (_, i) => (start + i) % 251,
    );
  }
}

withPair(
  "Socket.sendfile() sends a part of an open file and leaves it behind that",
  async (client, server) => {
    const file = new FakeFile(700_000);
    // deno-fmt-ignore
    const rows: [offset: number, count: number | undefined, sent: number][] = [
    [0, undefined, 700_000], [699_990, undefined, 10], [100, 5, 5], [699_998, 9, 2], [800_000, 1, 0],
  ];
    for (const [offset, count, expected] of rows) {
      const sent = client.sendfile(file, offset, count);
      const whole = new Uint8Array(expected);
      for (let at = 0; at < expected;) {
        at += await within(server.recvInto(whole.subarray(at)));
      }
      assertEquals(await within(sent), expected);
      assertEquals(file.position, offset + expected);
      assertEquals(
        digest(whole),
        digest(file.slice(offset, offset + expected)),
      );
    }
  },
);

withPair(
  "Socket.sendfile() sends nothing of an empty file",
  async (client, server) => {
    const file = new FakeFile(0);
    assertEquals(await client.sendfile(file), 0);
    assertEquals(file.position, 0);
    client.close();
    assertEquals((await recvToEnd(server)).length, 0);
  },
);

withPair(
  "Socket.sendfile() with a timeout sends a large file whole",
  async (client, server) => {
    const file = new FakeFile(10 * MIB);
    client.settimeout(20);
    const received = recvToEnd(server, 8192);
    assertEquals(await client.sendfile(file), 10 * MIB);
    client.close();
    assertEquals(digest(await received), digest(file.slice(0, 10 * MIB)));
  },
);

withPair(
  "Socket.sendfile() leaves the file behind the bytes that were sent if it fails",
  async (client, server) => {
    const file = new FakeFile(1000, 600);
    await assertRejects(
      () => within(client.sendfile(file, 100)),
      Error,
      "bad sector",
    );
    assertEquals(file.position, 600);
    client.close();
    assertEquals((await recvToEnd(server)).length, 500);
  },
);

withPair(
  "Socket.sendfile() that nobody awaits goes whole before what is sent after it",
  async (client, server) => {
    const file = new FakeFile(700_000);
    for (const timeout of [null, 60]) {
      client.settimeout(timeout);
      client.sendall(bytes("<"));
      client.sendfile(file, 1);
      client.sendall(bytes("|"));
      client.sendfile(file, 0, 300_000);
      client.send(bytes(">"));
    }
    client.close(); // what was sent before still goes out
    const part = concat([
      bytes("<"),
      file.slice(1, 700_000),
      bytes("|"),
      file.slice(0, 300_000),
      bytes(">"),
    ]);
    assertEquals(
      digest(await recvToEnd(server)),
      digest(concat([part, part])),
    );
  },
);

withPair(
  "Socket.sendfile() times out if nobody reads, and what is in flight stays whole",
  async (client, server) => {
    const file = new FakeFile(64 * MIB);
    client.settimeout(0.02);
    assertEquals(await codeOf(() => client.sendfile(file)), "ETIMEDOUT");
    assertEquals(await codeOf(() => client.sendfile(file)), "ETIMEDOUT");
    const told = file.position; // a multiple of what one read takes
    client.settimeout(20);
    const received = recvToEnd(server);
    await client.sendall(bytes("end"));
    client.close();
    const data = await received;
    assertGreater(data.length - 3, told);
    assertEquals(
      digest(data),
      digest(concat([file.slice(0, data.length - 3), bytes("end")])),
    );
  },
);

withPair(
  "Socket.sendfile() ends if the socket is closed under it and nobody reads",
  async (client) => {
    const sent = client.sendfile(new FakeFile(64 * MIB));
    client.abort();
    assertEquals(await codeOf(() => sent), "EBADF");
  },
);

withPair(
  "Socket.sendfile() needs memory for a part of the file only",
  async (client, server) => {
    const file = new FakeFile(64 * MIB);
    const before = Deno.memoryUsage().rss;
    const sent = client.sendfile(file);
    const buffer = new Uint8Array(65536);
    let most = 0;
    for (let left = file.length; left > 0;) {
      left -= await within(server.recvInto(buffer));
      most = Math.max(most, Deno.memoryUsage().rss - before);
    }
    assertEquals(await within(sent), file.length);
    assertLess(Math.max(...file.sizes), 2 * MIB + 1);
    assertLess(most, 48 * MIB); // the rest is what the collector has not looked at
  },
);

/** Sends a file to a client that takes so many bytes in a millisecond; what it returns is what was written. */
async function sendAt(file: FakeFile, speed: (sent: number) => number) {
  let now = 0;
  const written: Uint8Array[] = [];
  let sent = 0;
  await passFile(file, 0, file.length, (data) => {
    written.push(data.slice());
    now += data.length / speed(sent);
    sent += data.length;
    return Promise.resolve();
  }, () => now);
  return concat(written);
}

Deno.test("passFile() reads more at once for a client that keeps up, and less again when it falls behind", async () => {
  const file = new FakeFile(5 * MIB);
  const data = await sendAt(file, (sent) => sent < 2 * MIB ? 1e6 : 1e3);
  // deno-fmt-ignore
  assertEquals(file.sizes.map((size) => size / MIB), [0.25, 2, 2, 0.25, 0.25, 0.25]);
  assertEquals(digest(data), digest(file.slice(0, 5 * MIB)));
});

Deno.test("passFile() takes a small buffer for a small file, and for the rest of one", async () => {
  const file = new FakeFile(MIB);
  await sendAt(file, () => 1e6);
  assertEquals(file.sizes, Array(4).fill(MIB / 4));
  const small = new FakeFile(10);
  await sendAt(small, () => 1e6);
  assertEquals(small.sizes, [10]);
});

Deno.test("passFile() has large buffers for eight clients at once, whose sending may fail", async () => {
  const start = (large: Promise<void>) => {
    const file = new FakeFile(8 * MIB);
    const write = ({ length }: Uint8Array) =>
      length > MIB ? large : Promise.resolve();
    return { file, done: passFile(file, 0, file.length, write, () => 0) };
  };
  for (const ends of ["rejected", "fulfilled"] as const) {
    const gate = Promise.withResolvers<void>();
    const clients = Array.from({ length: 8 }, () => start(gate.promise));
    const ninth = start(gate.promise);
    await within(ninth.done);
    assertEquals(Math.max(...ninth.file.sizes), MIB / 4);
    const settled = Promise.allSettled(clients.map(({ done }) => done));
    if (ends === "rejected") gate.reject(new Error("gone"));
    else gate.resolve();
    for (const { status } of await within(settled)) assertEquals(status, ends);
    for (const { file } of clients) assertEquals(file.sizes[1], 2 * MIB);
  }
});

Deno.test("inParts() writes a large chunk in parts, each with its own timeout", async () => {
  const lengths: number[] = [];
  const write = inParts((data) => {
    lengths.push(data.length);
    return Promise.resolve();
  });
  await write(new Uint8Array(MIB / 2 + 1));
  assertEquals(lengths, [MIB / 4, MIB / 4, 1]);
});

withPair(
  "Socket.sendfile() refuses what cannot be sent, and names it",
  async (client) => {
    const file = new FakeFile(10);
    await assertRejects(
      () => client.sendfile(file, -1),
      RangeError,
      "offset must not be negative, got -1",
    );
    await assertRejects(
      () => client.sendfile(file, 0.5),
      TypeError,
      "offset must be an integer, got 0.5",
    );
    await assertRejects(
      () => client.sendfile(file, 0, 0),
      RangeError,
      "count must be positive, got 0",
    );
    for (const count of ["2" as unknown as number, 0.1]) {
      await assertRejects(
        () => client.sendfile(file, 0, count),
        TypeError,
        `count must be an integer, got ${count}`,
      );
    }
    await assertRejects(
      () => client.sendfile(file, 0, -5),
      RangeError,
      "count must not be negative, got -5",
    );
    client.setblocking(false);
    await assertRejects(
      () => client.sendfile(file),
      TypeError,
      "the socket must wait, its timeout is 0",
    );
    using datagrams = new Socket(AF_INET, SOCK_DGRAM);
    await assertRejects(
      () => datagrams.sendfile(file),
      TypeError,
      "only stream sockets can",
    );
    using fresh = new Socket();
    assertEquals(await codeOf(() => fresh.sendfile(file)), "EPIPE");
  },
);

withPair(
  "Socket.sendfile() takes a path, a URL and a Deno file",
  async (client, server) => {
    const path = await Deno.makeTempFile();
    await Deno.writeTextFile(path, "0123456789");
    try {
      assertEquals(await client.sendfile(path, 2), 8);
      assertEquals(await client.sendfile(new URL(`file://${path}`), 0, 4), 4);
      using file = await Deno.open(path);
      await file.seek(9, Deno.SeekMode.Start); // the offset counts from the start
      assertEquals(await client.sendfile(file, 5, 3), 3);
      assertEquals(await file.seek(0, Deno.SeekMode.Current), 8);
      assertEquals(await codeOf(() => client.sendfile(`${path}.no`)), "ENOENT");
    } finally {
      await Deno.remove(path);
    }
    client.close();
    assertEquals(text(await recvToEnd(server)), "234567890123567");
  },
  { ignore: !granted("read", "write") },
);
