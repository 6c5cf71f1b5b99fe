/** Files over real connections, with every kind of buffer and in text: what `makefile()` is for. */

import { type MakefileOptions, Socket } from "../../socket.ts";
import { assertEquals, assertRejects, assertThrows } from "../deps.ts";
import { bytes, concat, text } from "../helpers/bytes.ts";
import { recvToEnd, withPair } from "../helpers/sockets.ts";
import { codeOf } from "../helpers/thrown.ts";
import { within } from "../helpers/within.ts";

/** A line with characters of one, two and three bytes. */
const LINE = "line é €\r\n";

/** The members of every file that reads, with bytes or text. */
interface Reader {
  readonly closed: boolean;
  read(size?: number): Promise<Uint8Array | string>;
  readline(): Promise<Uint8Array | string>;
  close(): void;
}

/** The members of every file that writes. */
interface Writer {
  readonly closed: boolean;
  write(data: string): Promise<number>;
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** Two files on the ends of a connection, and the ends. */
interface Files {
  reader: Reader;
  writer: Writer;
  from: Socket;
  to: Socket;
}

const KINDS: [name: string, read: string, write: string, MakefileOptions][] = [
  ["a default buffer", "rb", "wb", {}],
  ["no buffer", "rb", "wb", { buffering: 0 }],
  ["a buffer of 1", "rb", "wb", { buffering: 1 }],
  ["a buffer of 2", "rb", "wb", { buffering: 2 }],
  ["text to read", "r", "wb", { newline: "" }],
  ["text to write", "rb", "w", { newline: "" }],
  ["text both ways", "r", "w", { newline: "" }],
];

const shown = (data: Uint8Array | string): string =>
  typeof data === "string" ? data : text(data);

/** Joins the parts of a read. In a file of bytes they may divide a character. */
const joined = (parts: (Uint8Array | string)[]): string =>
  typeof parts[0] === "string"
    ? parts.join("")
    : text(concat(parts as Uint8Array[]));

/** The line as the reader counts it. */
const size = (read: string): number =>
  read === "r" ? LINE.length : bytes(LINE).length;

/** Tests each kind of file. */
function each(
  behaviour: string,
  fn: (files: Files, read: string) => Promise<void>,
): void {
  for (const [name, read, write, options] of KINDS) {
    withPair(`makefile() with ${name} ${behaviour}`, async (to, from) => {
      const reader = from.makefile(read, options) as Reader;
      const writer = to.makefile(write, options) as Writer;
      try {
        await fn({ reader, writer, from, to }, read);
      } finally {
        await writer.close();
        reader.close();
      }
    });
  }
}

each("reads what it is asked for", async ({ reader, writer }, read) => {
  await writer.write(LINE);
  await writer.flush();
  const parts = [
    await within(reader.read(size(read) - 3)),
    await within(reader.read(3)),
  ];
  assertEquals(parts.map((part) => part.length), [size(read) - 3, 3]);
  assertEquals(joined(parts), LINE);
});

each("reads to the end of the stream", async ({ reader, writer, to }) => {
  await writer.write(LINE);
  await writer.close();
  to.close();
  assertEquals(shown(await within(reader.read())), LINE);
  assertEquals((await within(reader.read())).length, 0);
});

each("reads one by one", async ({ reader, writer, to }, read) => {
  await writer.write(LINE);
  await writer.close();
  to.close();
  const parts: (Uint8Array | string)[] = [];
  for (let part; (part = await within(reader.read(1))).length > 0;) {
    parts.push(part);
  }
  assertEquals(parts.length, size(read));
  assertEquals(joined(parts), LINE);
});

each("reads a line", async ({ reader, writer }) => {
  await writer.write(`${LINE}more`);
  await writer.flush();
  assertEquals(shown(await within(reader.readline())), LINE);
});

each("keeps its socket open", async ({ reader, writer, from, to }) => {
  from.close();
  await writer.write(LINE);
  await writer.close();
  to.close();
  assertEquals(shown(await within(reader.read())), LINE);
  assertEquals(from.fileno() > 0, true);
  reader.close();
  assertEquals(from.fileno(), -1);
  assertEquals(await codeOf(() => from.getsockname()), "EBADF");
});

each("leaves its socket open when it is closed", async (files) => {
  const { reader, writer, from, to } = files;
  reader.close();
  await writer.write(LINE);
  await writer.close();
  to.close();
  assertEquals(text(await recvToEnd(from)), LINE);
});

each("says whether it is closed", async ({ reader, writer }) => {
  assertEquals(reader.closed, false, "readerClosed");
  assertEquals(writer.closed, false, "writerClosed");
  reader.close();
  await writer.close();
  assertEquals(reader.closed, true, "readerClosed");
  assertEquals(writer.closed, true, "writerClosed");
  await assertRejects(() => reader.read(), TypeError, "closed file");
  await writer.close(); // again
});

each("goes on after a timeout, with nothing lost", async (files, read) => {
  const { reader, writer, from } = files;
  from.settimeout(0.01);
  await writer.write("abc");
  await writer.flush();
  for (let i = 0; i < 2; i++) {
    assertEquals(await codeOf(() => reader.read(6)), "ETIMEDOUT");
  }
  from.settimeout(null);
  await writer.write("def");
  await writer.flush();
  const all = await within(reader.read(6));
  assertEquals(typeof all === "string", read === "r", "isText");
  assertEquals(shown(all), "abcdef", "shown");
});

withPair(
  "makefile() without a buffer leaves to the next file what comes after the line",
  async (to, from) => {
    await to.sendall(bytes(`A. ${LINE}B. ${LINE}`));
    for (const start of ["A. ", "B. "]) {
      using file = from.makefile("rb", { buffering: 0 });
      assertEquals(text(await within(file.readline())), start + LINE);
    }
  },
);

withPair(
  "Socket.close() leaves a socket to whom still has a file of it",
  async (to, from) => {
    const file = from.makefile("rb", { buffering: 0 });
    from.close();
    await to.sendall(bytes(LINE));
    assertEquals(text(await within(from.recv(1024))), LINE);
    file.close();
    assertEquals(await codeOf(() => from.recv(1024)), "EBADF");
  },
);

withPair(
  "makefile() of a socket that must not wait throws BlockingIOError, and keeps what came",
  async (to, from) => {
    from.setblocking(false);
    for (const buffering of [-1, 0]) {
      const file = from.makefile("rb", { buffering });
      const buffer = new Uint8Array(10);
      assertEquals(await codeOf(() => file.readinto(buffer)), "EAGAIN");
      await to.sendall(bytes("abc"));
      assertEquals(await codeOf(() => file.read(6)), "EAGAIN");
      await to.sendall(bytes("def"));
      assertEquals(text(await file.read(6)), "abcdef");
      assertEquals(await codeOf(() => file.read(1)), "EAGAIN");
      file.close();
    }
  },
);

withPair(
  "makefile() of a socket that must not wait throws BlockingIOError if a write does not fit",
  async (to, from) => {
    to.setblocking(false);
    const file = to.makefile("wb", { buffering: 0 });
    const large = new Uint8Array(50_000_000);
    assertEquals(await codeOf(() => file.write(large)), "EAGAIN");
    await file.close().catch(() => {}); // tells the failure again
    assertEquals((await within(from.recv(10))).length > 0, true);
  },
);

Deno.test("makefile() of a socket that is not connected opens and closes", () => {
  using socket = new Socket();
  const file = socket.makefile("rb", { buffering: 0 });
  const kinds = () => [file.readable(), file.writable(), file.seekable()];
  assertEquals(kinds(), [true, false, false]);
  file.close();
  for (const name of ["readable", "writable", "seekable"] as const) {
    assertThrows(() => file[name](), TypeError, "closed file");
  }
});
