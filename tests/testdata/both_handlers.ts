/**
 * Calls that are the same on a `Socket`, with `await`, and on a `BlockingSocket`, without. Each script is a
 * generator that yields what a call returns, and goes on with the value of it.
 *
 * @module
 */

import {
  type Address,
  BaseRequestHandler,
  BlockingRequestHandler,
  type BlockingSocket,
  IPPROTO_TCP,
  MSG_DONTWAIT,
  MSG_PEEK,
  MSG_WAITALL,
  SHUT_RD,
  SHUT_WR,
  SO_ERROR,
  SO_TYPE,
  type Socket,
  SOL_SOCKET,
  TCP_NODELAY,
} from "../../mod.ts";

// deno-lint-ignore no-explicit-any
type Any = any;
export type Steps = Generator<unknown, unknown, Any>;
/** Either socket: what a call returns is a promise on one, and a value on the other. */
type Either = Any;

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const bytes = (text: string) => encoder.encode(text);

/** Returns the result or the error of a call as a value that can be sent and compared. */
export function* shown(call: () => unknown): Steps {
  try {
    const value = yield call();
    if (value instanceof Uint8Array) return decoder.decode(value);
    if (Array.isArray(value) && value[0] instanceof Uint8Array) {
      return value.map((part) =>
        part instanceof Uint8Array ? decoder.decode(part) : part
      );
    }
    return value ?? "nothing";
  } catch (error) {
    const { name, code, message } = error as Error & { code?: string };
    return `${name} ${code ?? ""}: ${message}`;
  }
}

/** Returns the error of a call. */
function* thrown(call: () => unknown): Generator<unknown, Error, Any> {
  try {
    yield call();
  } catch (error) {
    return error as Error;
  }
  throw new Error("nothing was thrown");
}

/** The results of calls, one after the other. */
export function* all(
  ...calls: (() => unknown)[]
): Generator<unknown, unknown[], Any> {
  const results: unknown[] = [];
  for (const call of calls) results.push(yield* shown(call));
  return results;
}

/** Each method of a socket that fails where it is closed. */
const onClosed = (s: Either) => [
  () => s.recv(1),
  () => s.recvInto(new Uint8Array(1)),
  () => s.recvfrom(1),
  () => s.recvfromInto(new Uint8Array(1)),
  () => s.send(bytes("x")),
  () => s.sendall(bytes("x")),
  () => s.sendto(bytes("x"), ["127.0.0.1", 9]),
  () => s.sendmsg([bytes("x")]),
  () => s.sendfile("nothing"),
  () => s.getsockname(),
  () => s.getpeername(),
  () => s.settimeout(1),
  () => s.setdeadline(1),
  () => s.setblocking(true),
  () => s.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1),
  () => s.getsockopt(SOL_SOCKET, SO_TYPE),
  () => s.makefile("rb"),
  () => s.shutdown(SHUT_WR),
];

/** Each method of the files that fails where they are closed. */
const onClosedFiles = (reader: Either, writer: Either, text: Either) => [
  () => reader.read(),
  () => reader.read1(),
  () => reader.readexactly(1),
  () => reader.readline(),
  () => reader.readuntil("\n"),
  () => reader.readlines(),
  () => reader.readinto(new Uint8Array(1)),
  () => reader.readinto1(new Uint8Array(1)),
  () => reader.peek(),
  () => reader.readable(),
  () => reader.writable(),
  () => reader.seekable(),
  () => writer.write("x"),
  () => writer.writelines(["x"]),
  () => writer.flush(),
  () => writer.readable(),
  () => writer.writable(),
  () => writer.seekable(),
  () => text.read(),
  () => text.readline(),
  () => text.readlines(),
  () => text.write("x"),
  () => text.flush(),
  () => text.readable(),
  () => text.writable(),
  () => text.seekable(),
];

/** Calls that fail on an open socket. */
const inVain = (s: Either) => [
  () => s.recv(-1),
  () => s.recv("1"),
  () => s.recv(1, 1),
  () => s.recvInto("text"),
  () => s.recvInto(new Uint8Array(1), 2),
  () => s.recvInto(new Uint8Array(1), -2),
  () => s.send("text"),
  () => s.send(bytes("x"), 1),
  () => s.sendall({}),
  () => s.sendall(bytes("x"), MSG_PEEK),
  () => s.sendto(bytes("x"), ["127.0.0.1", 9]),
  () => s.sendto(bytes("x"), 0, ["127.0.0.1", 9]),
  () => s.sendto(bytes("x"), "path"),
  () => s.sendmsg(5),
  () => s.sendmsg([bytes("x")], 5),
  () => s.sendmsg([bytes("x")], ["rights"]),
  () => s.sendmsg(["text"]),
  () => s.sendmsg([bytes("x")], [], 0, ["127.0.0.1", 9]),
  () => s.sendfile("/no/such/file"),
  () => s.sendfile("/", -1),
  () => s.sendfile("/", 0, 0),
  () => s.sendfile("/", 0, 0.5),
  () => s.settimeout(-1),
  () => s.settimeout("1"),
  () => s.setsockopt(IPPROTO_TCP, TCP_NODELAY, "on"),
  () => s.setsockopt(SOL_SOCKET, 12345, 1),
  () => s.getsockopt(SOL_SOCKET, 12345),
  () => s.makefile("x"),
  () => s.makefile("r", { buffering: 0 }),
  () => s.makefile("rb", { buffering: -2 }),
  () => s.makefile("r", { encoding: "klingon" }),
  () => s.makefile("w", { encoding: "shift-jis" }),
  () => s.makefile("r", { newline: "x" }),
  () => s.makefile("rb", { lineLimit: 0 }),
  () => s.shutdown(9),
  () => s.shutdown("1"),
];

/** The scripts by name. */
export const SCRIPTS: Record<string, (socket: Either) => Steps> = {
  *recv(s) {
    const buffer = new Uint8Array(5);
    return [
      ...yield* all(
        () => s.recv(3),
        () => s.recv(0),
        () => s.recv(2, MSG_PEEK),
        () => s.recv(4, MSG_WAITALL),
        () => s.recvfrom(1),
        () => s.recvInto(buffer),
        () => s.recvInto(buffer, 1),
        () => s.recvfromInto(buffer, 2),
        () => s.recv(99, MSG_WAITALL),
        () => s.recv(1),
        () => s.recv(1, MSG_PEEK),
        () => s.recvInto(buffer),
      ),
      decoder.decode(buffer),
    ];
  },
  *timeouts(s) {
    const states = () => [s.gettimeout(), s.getblocking()];
    s.settimeout(0.01);
    const results: unknown[] = [states()];
    results.push(
      yield* all(
        () => s.recv(1),
        () => s.recv(1, MSG_WAITALL),
        () => s.recvInto(new Uint8Array(1)),
        () => s.recv(1, MSG_DONTWAIT),
      ),
    );
    s.setblocking(false);
    results.push(states(), yield* all(() => s.recv(1), () => s.sendfile("x")));
    s.setblocking(true);
    results.push(states());
    return results;
  },
  *deadlines(s) {
    s.setdeadline(0);
    const results = yield* all(
      () => s.recv(1),
      () => s.recv(1, MSG_DONTWAIT),
      () => s.setdeadline(-1),
      () => s.setdeadline("1"),
    );
    s.settimeout(0.01);
    s.setdeadline(60);
    results.push(yield* shown(() => s.recv(1)));
    s.settimeout(60);
    s.setdeadline(0.01);
    const { name } = yield* thrown(() => s.recv(1));
    s.settimeout(null);
    s.setdeadline(null);
    return [...results, name, yield* shown(() => s.send(bytes("go")))];
  },
  *lingers(s) { // until the client ends, which sends still
    yield s.sendall(bytes("answer"));
    const results = yield* all(() => s.lingeringClose(), () => s.recv(1));
    return [...results, yield* shown(() => s.lingeringClose())];
  },
  *lingersForSilence(s) { // not for the minute that it may take, since nothing comes
    yield s.sendall(bytes("answer"));
    return yield* all(() => s.lingeringClose(60, 0.01), () => s.recv(1));
  },
  *lingersForAll(s) { // of a client that sends for ever
    yield s.sendall(bytes("answer"));
    return yield* all(() => s.lingeringClose(0.1, 60), () => s.recv(1));
  },
  *lingersWrong(s) {
    return yield* all(
      () => s.lingeringClose("1"),
      () => s.lingeringClose(1, -1),
    );
  },
  *keeps(s) { // what came before a timeout
    yield s.recv(1, MSG_PEEK);
    s.settimeout(0.01);
    const file = s.makefile("rb");
    const text = s.makefile("r");
    const results = yield* all(
      () => s.recv(9, MSG_WAITALL),
      () => s.recv(1),
      () => s.recv(99, MSG_WAITALL | MSG_DONTWAIT),
    );
    yield s.sendall(bytes("more"));
    s.settimeout(null);
    yield s.recv(1, MSG_PEEK);
    s.settimeout(0.01);
    results.push(
      ...yield* all(
        () => file.readline(),
        () => file.read(9),
        () => file.readexactly(9),
        () => file.readuntil("x"),
        () => file.readlines(),
        () => file.readinto(new Uint8Array(9)),
        () => file.read(4),
        () => text.read(9),
      ),
    );
    file.close();
    text.close();
    return results;
  },
  *sends(s) {
    const view = new DataView(bytes("[view]").buffer);
    return yield* all(
      () => s.send(bytes("send;")),
      () => s.send(bytes("now;"), MSG_DONTWAIT),
      () => s.sendall(view),
      () => s.sendall(new Uint8Array(0)),
      () => s.send(new Uint8Array(0)),
      () => s.sendmsg([bytes("a"), bytes("bc").buffer, new Uint8Array(0)]),
      () => s.sendmsg([bytes("d")], [], MSG_DONTWAIT, null),
    );
  },
  *inVain(s) {
    const results = yield* all(...inVain(s));
    s.setblocking(false);
    return [...results, yield* shown(() => s.sendfile("/"))];
  },
  *closed(s) {
    s.close();
    s.close();
    return [s.gettimeout(), ...yield* all(...onClosed(s))];
  },
  *aborted(s) {
    const file = s.makefile("rb");
    s.abort();
    s.abort();
    const results = yield* all(() => s.recv(1), () => file.read(1));
    file.close();
    return results;
  },
  *halves(s) {
    yield s.sendall(bytes("bye"));
    yield s.shutdown(SHUT_WR);
    yield s.shutdown(SHUT_WR);
    const results = yield* all(
      () => s.send(bytes("x")),
      () => s.sendall(bytes("x")),
      () => s.sendmsg([bytes("x")]),
      () => s.sendfile(import.meta.url.slice("file://".length)),
      () => s.recv(2, MSG_WAITALL),
    );
    yield s.shutdown(SHUT_RD);
    return [
      ...results,
      ...yield* all(
        () => s.recv(1, MSG_PEEK),
        () => s.recv(2), // has arrived
        () => s.recv(9, MSG_WAITALL),
        () => s.recv(9),
        () => s.recv(9, MSG_PEEK),
        () => s.recv(9, MSG_DONTWAIT),
        () => s.recvInto(new Uint8Array(1)),
      ),
    ];
  },
  *reset(s) {
    yield s.sendall(bytes("go"));
    return yield* all(() => s.recv(1), () => s.recv(1));
  },
  *gone(s) { // the client, while it is sent to
    yield s.sendall(bytes("go"));
    const isGone = (error: unknown) =>
      /BrokenPipeError EPIPE|ConnectionResetError ECONNRESET/.test(`${error}`);
    for (;;) {
      const sent = yield* shown(() => s.sendall(new Uint8Array(65536)));
      if (sent !== "nothing") return isGone(sent) ? "gone" : sent;
    }
  },
  *options(s) {
    s.setsockopt(IPPROTO_TCP, TCP_NODELAY, true);
    return yield* all(
      () => s.getsockopt(IPPROTO_TCP, TCP_NODELAY),
      () => s.getsockopt(SOL_SOCKET, SO_TYPE),
      () => s.getsockopt(SOL_SOCKET, SO_ERROR),
      () => [s.family, s.type, s.proto],
    );
  },
  *bytes(s) {
    const file = s.makefile("rb", { buffering: 16 });
    const buffer = new Uint8Array(4);
    const seen: Uint8Array = yield file.peek();
    const results = yield* all(
      () => seen.length > 0,
      () => file.readline(),
      () => file.readline(2),
      () => file.read(3),
      () => file.readexactly(2),
      () => file.readuntil(";"),
      () => file.readuntil(),
      () => file.readinto(buffer),
      () => file.readinto1(buffer.subarray(0, 1)),
      () => file.read(0),
      () => file.read1(1),
      () => file.readlines(3),
      () => file.readexactly(99),
      () => file.read(),
      () => file.read1(),
      () => file.peek(3),
      () => file.readline(),
      () => file.readuntil("x"),
      () => file.readlines(),
      () => [file.readable(), file.writable(), file.seekable(), file.closed],
    );
    file.close();
    return [...results, decoder.decode(buffer), file.closed];
  },
  *limits(s) {
    const file = s.makefile("rb", { lineLimit: 4 });
    const text = s.makefile("r", { lineLimit: 4 });
    const results = yield* all(
      () => file.readline(), // too long
      () => file.readline(),
      () => file.readlines(),
      () => file.readline(3),
      () => file.readline(),
      () => file.readuntil(";", { limit: 2 }),
      () => file.readuntil(";", { limit: 5 }), // one less than it takes
      () => file.readuntil(";", { limit: 6 }),
      () => file.readuntil("", {}),
      () => file.readuntil("x", { limit: 0 }),
      () => file.readuntil(5),
      () => file.read(-2),
      () => file.read("1"),
      () => file.readline(0.5),
      () => file.readlines(-9),
      () => file.readexactly(-1),
      () => file.readinto("text"),
      () => file.peek(-1),
      () => file.read(),
      () => text.readline(),
    );
    const unbuffered = s.makefile("rb", { buffering: 0 });
    results.push(yield* shown(() => unbuffered.peek()));
    unbuffered.close();
    file.close();
    text.close();
    return results;
  },
  *unbuffered(s) {
    const file = s.makefile("rb", { buffering: 0 });
    const results = yield* all(
      () => file.readline(),
      () => file.readuntil(";"),
      () => file.read(2),
      () => s.recv(99, MSG_WAITALL),
    );
    file.close();
    return results;
  },
  *writes(s) {
    const file = s.makefile("wb", { buffering: 8 });
    const results = yield* all(
      () => file.write("12345"),
      () => file.pending,
      () => file.write(bytes("678901")), // the first five leave
      () => file.write("a long one, longer than the buffer"),
      () => file.writelines(["a", bytes("b"), "c"]),
      () => file.write(5),
      () => file.flush(),
      () => [file.readable(), file.writable(), file.seekable(), file.closed],
    );
    yield file.close();
    yield file.close();
    return [...results, file.closed];
  },
  *text(s) {
    const file = s.makefile("r");
    const results = yield* all(
      () => file.read(3),
      () => file.readline(),
      () => file.readline(2),
      () => file.readline(),
      () => file.readlines(3),
      () => [file.readable(), file.writable(), file.seekable(), file.closed],
      () => file.read(-2),
      () => file.readline("1"),
      () => file.read(),
      () => file.readline(),
    );
    file.close();
    return [...results, file.closed];
  },
  *encodings(s) {
    const results: unknown[] = [];
    for (
      const options of [
        { encoding: "latin-1", newline: "" },
        { encoding: "ascii", errors: "replace", newline: "\r" },
        { errors: "ignore", newline: "\n" },
        { encoding: "utf-16le" },
        {},
      ]
    ) {
      const file = s.makefile("r", { ...options, buffering: 1 });
      results.push(yield* shown(() => file.readline()));
      file.close();
    }
    return results;
  },
  *textOut(s) {
    const file = s.makefile("w", { encoding: "latin-1", newline: "\r\n" });
    const results = yield* all(
      () => file.write("é\n"),
      () => file.writelines(["a\n", "b\n"]),
      () => file.write("€"),
      () => file.write(5),
      () => file.flush(),
      () => [file.readable(), file.writable(), file.seekable(), file.closed],
    );
    yield file.close();
    const plain = s.makefile("w", { newline: "" });
    yield plain.write("€\n");
    yield plain.close();
    return results;
  },
  *bothBytes(s) {
    const file = s.makefile("rwb");
    const buffer = new Uint8Array(2);
    const results = yield* all(
      () => file.write("question\n"),
      () => file.pending,
      () => file.flush(),
      () => file.readline(),
      () => file.read(1),
      () => file.readexactly(1),
      () => file.readuntil(";"),
      () => file.readinto(buffer),
      () => file.readinto1(buffer),
      () => file.readlines(1),
      () => file.writelines(["done", "!"]),
      () => [file.readable(), file.writable(), file.seekable(), file.closed],
    );
    const seen: Uint8Array = yield file.peek();
    results.push(
      seen.length > 0,
      ...yield* all(() => file.read(), () => file.read1(), () => file.peek(1)),
    );
    s.close(); // the file keeps it open
    yield file.close();
    return [...results, file.closed, yield* shown(() => file.read())];
  },
  *bothText(s) {
    const file = s.makefile("rw");
    const results = yield* all(
      () => file.write("question\n"),
      () => file.flush(),
      () => file.readline(),
      () => file.read(2),
      () => file.readlines(1),
      () => file.writelines(["done", "!"]),
      () => [file.readable(), file.writable(), file.seekable(), file.closed],
      () => file.read(),
    );
    yield file.close();
    return [...results, file.closed];
  },
  *givenUp(s) {
    const signal = AbortSignal.abort("given up");
    const options = { signal };
    const results: unknown[] = [];
    const x = bytes("x");
    const calls = [
      () => s.recv(9, options),
      () => s.recv(9, { flags: MSG_PEEK, signal }),
      () => s.recv(9, { flags: MSG_DONTWAIT, signal }),
      () => s.recvfrom(9, options),
      () => s.recvInto(new Uint8Array(9), 0, options),
      () => s.recvfromInto(new Uint8Array(9), 0, options),
      () => s.send(x, options),
      () => s.sendall(x, options),
      () => s.sendmsg([x], [], options),
      () => s.sendfile(new URL(import.meta.url), 0, 1, options),
      () => s.shutdown(SHUT_WR, options),
    ];
    for (const call of calls) {
      try {
        results.push(yield call());
      } catch (reason) {
        results.push(reason);
      }
    }
    return [
      new Set(results).size,
      results[0],
      ...yield* all(
        () => s.recv(9, { signal: "soon" }),
        () => s.sendall(x, { flags: MSG_PEEK }),
        () => s.shutdown(SHUT_WR, { signal: null }),
        () => s.recv(2, { flags: MSG_PEEK, signal: undefined }),
        () => s.recvInto(new Uint8Array(2), 0, {}),
        () => s.sendall(x, { flags: MSG_DONTWAIT }),
      ),
    ];
  },
  *closedFiles(s) {
    const reader = s.makefile("rb");
    const writer = s.makefile("wb");
    const text = s.makefile("rw");
    reader.close();
    yield writer.close();
    yield text.close();
    return yield* all(...onClosedFiles(reader, writer, text));
  },
  *keepsOpen(s) {
    const files = [s.makefile("rb"), s.makefile("w"), s.makefile("rwb")];
    s.close();
    const results: unknown[] = [];
    for (const file of files) {
      results.push(yield* shown(() => s.recv(1)));
      yield file.close();
    }
    results.push(yield* shown(() => s.recv(1)));
    return results;
  },
  *sendfile(s) {
    const url = new URL(import.meta.url);
    const results = yield* all(
      () => s.sendfile(url, 0, 3),
      () => s.sendfile(url.pathname, 4, 5),
      () => s.sendfile(url, 1e9),
    );
    using file = Deno.openSync(url);
    results.push(
      yield* shown(() => s.sendfile(file, 1, 2)),
      file.seekSync(0, Deno.SeekMode.Current),
    );
    s.settimeout(20);
    const { size } = Deno.statSync(url);
    return [...results, yield s.sendfile(file, size - 4)];
  },
};

/** Answers a datagram, and makes calls that fail on the socket for the answers. */
export function* answers(s: Either, [host, port]: Address): Steps {
  const address = [host, port];
  const x = bytes("x");
  const results = yield* all(
    () => s.sendto(bytes("one"), address),
    () => s.sendto(bytes("two"), ["localhost", port]),
    () => s.sendto(bytes("three"), MSG_DONTWAIT, address),
    () => s.sendmsg([bytes("fo"), bytes("ur")], [], 0, ["localhost", port]),
    () => s.sendto(new Uint8Array(65_508), address),
    () => s.sendto(new Uint8Array(70_000), address),
    () => s.sendto(x, ["no.such.host.invalid", 9]),
    () => s.sendto(x, ["127.0.0.1", 70_000]),
    () => s.sendto(x, MSG_PEEK, address),
    () => s.sendto(x),
    () => s.sendto("text", address),
    () => s.send(x),
    () => s.sendall(x),
    () => s.sendmsg([x]),
    () => s.sendfile("/"),
    () => s.recv(1),
    () => s.recvfrom(1),
    () => s.recvInto(new Uint8Array(1)),
    () => s.getpeername(),
    () => s.shutdown(SHUT_WR),
    () => s.makefile("x"),
  );
  const file = s.makefile("rwb", { buffering: 0 });
  results.push(...yield* all(() => file.read(1), () => file.write("x")));
  s.close(); // when the file closes
  s.settimeout(0);
  results.push(yield* shown(() => s.sendto(bytes("five"), address)));
  s.abort();
  return [...results, yield* shown(() => s.sendto(x, address))];
}

/** The script whose name is the first line that the client sends. */
function* named(s: Either): Steps {
  let name = "";
  for (;;) {
    const [byte] = yield s.recv(1);
    if (byte === 10) return yield* SCRIPTS[name](s);
    name += String.fromCharCode(byte);
  }
}

/** Runs steps whose calls are promises, and tells the results as the message of an error. */
export async function wait(steps: Steps): Promise<never> {
  let step = steps.next();
  while (!step.done) {
    let value;
    try {
      value = await step.value;
    } catch (error) {
      step = steps.throw(error);
      continue;
    }
    step = steps.next(value);
  }
  throw new Error(JSON.stringify(step.value));
}

/** Runs steps whose calls block, and tells the results as the message of an error. */
export function block(steps: Steps): never {
  let step = steps.next();
  while (!step.done) step = steps.next(step.value);
  throw new Error(JSON.stringify(step.value));
}

/** Runs the script that the client names, on a socket whose calls are promises. */
export class Waits extends BaseRequestHandler<Socket> {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    await wait(named(this.request));
  }
}

/** Runs the script that the client names, on a socket whose calls block. */
export class Blocks extends BlockingRequestHandler<BlockingSocket> {
  static readonly moduleUrl = import.meta.url;

  override handle() {
    block(named(this.request));
  }
}

/** Answers a datagram, with promises. */
export class WaitsForDatagrams
  extends BaseRequestHandler<[Uint8Array, Socket]> {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    await wait(answers(this.request[1], this.clientAddress));
  }
}

/** Answers a datagram, blocking. */
export class BlocksForDatagrams
  extends BlockingRequestHandler<[Uint8Array, BlockingSocket]> {
  static readonly moduleUrl = import.meta.url;

  override handle() {
    block(answers(this.request[1], this.clientAddress));
  }
}
