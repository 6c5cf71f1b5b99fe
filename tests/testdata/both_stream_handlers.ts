/**
 * Scripts that run alike in a stream handler and in a blocking one: its settings, its files and its `finish`. Each is
 * a generator as in `both_handlers.ts`, which gets the handler.
 *
 * @module
 */

import {
  BlockingStreamRequestHandler,
  IPPROTO_TCP,
  SHUT_WR,
  SO_TYPE,
  SOL_SOCKET,
  StreamRequestHandler,
  TCP_NODELAY,
} from "../../mod.ts";
import { all, block, shown, type Steps, wait } from "./both_handlers.ts";

// deno-lint-ignore no-explicit-any
type Either = any;

/** The settings of a handler before its `setup`. */
interface Settings {
  rbufsize?: number;
  wbufsize?: number;
  lineLimit?: number;
  timeout?: number;
  disableNagleAlgorithm?: boolean;
}

const bytes = (text: string) => new TextEncoder().encode(text);
const noDelay = (h: Either) =>
  h.connection.getsockopt(IPPROTO_TCP, TCP_NODELAY);

/** A stand-in for a file whose end fails. */
const failing = (error: Error) => ({
  close() {
    throw error;
  },
});

/** Returns the result of `finish` if closing `wfile` fails, and whether `finish` has closed `rfile`. */
function* finishing(h: Either, error: Error): Steps {
  const { wfile } = h;
  h.wfile = failing(error);
  const result = yield* shown(() => h.finish());
  h.wfile = wfile;
  return [result, h.rfile.closed];
}

/** The scripts by name, each with what the handler is set to. */
export const SCRIPTS: Record<string, [Settings, (handler: Either) => Steps]> = {
  defaults: [{}, function* (h) {
    const { connection, rfile, wfile } = h;
    yield wfile.write("now"); // no buffer: the client has it, and answers
    return [
      connection === h.request,
      connection.gettimeout(),
      noDelay(h),
      ...yield* all(() => rfile.readline(), () => wfile.pending),
    ];
  }],
  timeout: [{ timeout: 0.01 }, function* (h) {
    const results = yield* all(
      () => h.connection.gettimeout(),
      () => h.rfile.readline(),
      () => h.rfile.read(9),
    );
    h.connection.settimeout(null);
    return [...results, yield h.wfile.write("go")];
  }],
  lineLimit: [{ lineLimit: 5 }, function* (h) {
    return yield* all(
      () => h.rfile.readline(),
      () => h.rfile.readline(),
      () => h.rfile.readline(),
      () => h.rfile.readuntil(";"),
      () => h.rfile.readuntil(";"),
      () => h.rfile.readexactly(6),
      () => h.rfile.readuntil(";"),
      () => h.rfile.readuntil("--", { limit: 3 }),
      () => h.rfile.readuntil("--", { limit: 4 }),
    );
  }],
  disableNagleAlgorithm: [{ disableNagleAlgorithm: true }, function* (h) {
    return [noDelay(h), yield h.wfile.write("go")];
  }],
  readsAhead: [{}, function* (h) {
    return yield* all(
      () => h.rfile.readline(),
      () => h.connection.recv(9), // what came is in rfile: this is the end
      () => h.rfile.readline(),
    );
  }],
  readsNoFurther: [{ rbufsize: 0 }, function* (h) {
    return yield* all(
      () => h.rfile.readline(),
      () => h.connection.recv(9),
    );
  }],
  sendsBeforeItReads: [{ wbufsize: -1 }, function* (h) {
    yield h.wfile.write("question?");
    const { pending } = h.wfile;
    return [
      pending,
      ...yield* all(() => h.rfile.readline(), () => h.wfile.pending),
    ];
  }],
  pairSendsBeforeItReads: [{}, function* (h) {
    const writer = h.connection.makefile("wb");
    const reader = h.connection.makefile("r", { tie: writer });
    yield writer.write("question?");
    const results = yield* all(() => reader.readline());
    yield writer.close();
    reader.close();
    return results;
  }],
  copies: [{ wbufsize: 100 }, function* (h) {
    const data = bytes("first;");
    yield h.wfile.write(data);
    data.set(bytes("SECOND"));
    yield h.wfile.write(data);
    data.fill(0);
    return [h.wfile.pending];
  }],
  finishes: [{ wbufsize: -1 }, function* (h) {
    yield h.wfile.write("at the end");
    yield h.finish();
    yield h.finish();
    return [h.rfile.closed, h.wfile.closed];
  }],
  finishesInVain: [{ wbufsize: -1 }, function* (h) {
    yield h.wfile.write("to nobody");
    yield h.connection.shutdown(SHUT_WR);
    return [...yield* all(() => h.finish()), h.rfile.closed, h.wfile.closed];
  }],
  failsToFinish: [{}, (h) => finishing(h, new RangeError("of the program"))],
  closes: [{}, closes],
  bytesPairFailsToFlush: [{}, (h) => pairFails(h, "rwb")],
  textPairFailsToFlush: [{}, (h) => pairFails(h, "rw")],
};

/** Whether the client sees the end while the handler goes on. */
function* closes(h: Either): Steps {
  yield h.finish(); // closes the files, which keep it open
  h.connection.close();
  const seen = new Int32Array(h.server.shared.seen);
  yield h instanceof BlockingStreamRequestHandler
    ? Atomics.wait(seen, 0, 0, 10_000)
    : Atomics.waitAsync(seen, 0, 0, 10_000).value;
  return Atomics.load(seen, 0);
}

/** Whether the socket is closed when all its files are, though one of them could not send what it had. */
function* pairFails(h: Either, mode: string): Steps {
  const { connection } = h;
  yield h.finish(); // the handler's own files
  const pair = connection.makefile(mode);
  connection.close();
  yield pair.write("to nobody");
  yield connection.shutdown(SHUT_WR);
  const type = () => connection.getsockopt(SOL_SOCKET, SO_TYPE);
  return yield* all(type, () => pair.close(), type, () => pair.close());
}

/** Reads the name of a script, takes its settings over, and gives its steps. */
function* chosen(handler: Either): Generator<unknown, Steps, Either> {
  let name = "";
  for (;;) {
    const [byte] = yield handler.request.recv(1);
    if (byte === 10) break;
    name += String.fromCharCode(byte);
  }
  const [settings, script] = SCRIPTS[name];
  Object.assign(handler, settings);
  return script(handler);
}

/** Runs the script that the client names, with promises. */
export class Waits extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;
  #steps!: Steps;

  override async setup(): Promise<void> {
    const choice = chosen(this);
    let step = choice.next();
    while (!step.done) step = choice.next(await step.value);
    this.#steps = step.value;
    await super.setup();
  }

  override async handle(): Promise<void> {
    await wait(this.#steps);
  }
}

/** Runs the script that the client names, and blocks. */
export class Blocks extends BlockingStreamRequestHandler {
  static readonly moduleUrl = import.meta.url;
  #steps!: Steps;

  override setup(): void {
    const choice = chosen(this);
    let step = choice.next();
    while (!step.done) step = choice.next(step.value);
    this.#steps = step.value;
    super.setup();
  }

  override handle(): void {
    block(this.#steps);
  }
}
