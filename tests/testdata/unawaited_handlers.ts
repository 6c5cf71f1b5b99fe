/**
 * Calls that nobody awaits: every method of the socket and of each file, in each situation that a client or the
 * end of a request makes.
 *
 * @module
 */

import { SHUT_RDWR, StreamRequestHandler } from "../../mod.ts";

// deno-lint-ignore no-explicit-any
type Any = any;

/** The report of the handler on a case. */
export interface Told {
  /** How the call ended; "sync" if it returned no promise. */
  outcome: string;
  /** The unhandled rejections that were reported since the last case. */
  seen: string[];
}

/** Opens what has the methods. The files of the handler are the last. */
export const KINDS: Record<string, (handler: StreamRequestHandler) => Any> = {
  Socket: ({ request }) => request,
  BufferedReader: ({ request }) => request.makefile("rb"),
  RawReader: ({ request }) => request.makefile("rb", { buffering: 0 }),
  BufferedWriter: ({ request }) => request.makefile("wb"),
  RawWriter: ({ request }) => request.makefile("wb", { buffering: 0 }),
  BufferedRWPair: ({ request }) => request.makefile("rwb"),
  TextReader: ({ request }) => request.makefile("r"),
  TextWriter: ({ request }) => request.makefile("w"),
  TextRWPair: ({ request }) => request.makefile("rw"),
  rfile: ({ rfile }) => rfile,
  wfile: ({ wfile }) => wfile,
};

/** More than the buffers of the system hold, which is 3.9 MB over loopback. */
const LARGE = new Uint8Array(5 << 20);
const TEXT = "x".repeat(LARGE.length);

/** The arguments of the methods that need some, where they are right. */
const ARGUMENTS: Record<string, (text: boolean) => unknown[]> = {
  connect: () => [["127.0.0.1", 9]],
  connectEx: () => [["127.0.0.1", 9]],
  lingeringClose: () => [0.01],
  read: () => [20],
  readexactly: () => [20],
  readinto: () => [new Uint8Array(20)],
  readinto1: () => [new Uint8Array(20)],
  recv: () => [20],
  recvInto: () => [new Uint8Array(20)],
  recvfrom: () => [20],
  recvfromInto: () => [new Uint8Array(20)],
  send: () => [LARGE],
  sendall: () => [LARGE],
  sendfile: () => [new URL(import.meta.url)],
  sendmsg: () => [[LARGE]],
  sendto: () => [LARGE, ["127.0.0.1", 9]],
  shutdown: () => [SHUT_RDWR],
  write: (text) => [text ? TEXT : LARGE],
  writelines: (text) => [[text ? TEXT : LARGE]],
};

/** The acts of the handler before and after the call. The client acts once it has received "go". */
interface Situation {
  /** Comes before the call. */
  before?: (handler: StreamRequestHandler, file: Any) => unknown;
  /** Comes after it. */
  after?: (handler: StreamRequestHandler, file: Any, call: () => Any) => void;
  /** Whether the handler ends without a look at the call. */
  ends?: boolean;
}

const goOn = ({ wfile }: StreamRequestHandler) => wfile.write("go\n");
const abort = ({ request }: StreamRequestHandler) => request.abort();

/** The situations, by name. The test says what the client does in each. */
export const SITUATIONS: Record<string, Situation> = {
  "the client resets": { before: goOn },
  "the client has reset": {
    async before(handler) {
      await goOn(handler);
      await handler.request.recv(1).catch(() => {});
    },
  },
  "the client sends no text, and no line": { before: goOn },
  "the file is closed": {
    after(handler, file) {
      file.close();
      handler.request.abort(); // until then a read goes on
    },
  },
  "the file was closed": {
    before: (_handler, file) => file.close(),
    after: abort, // a socket stays open for its files
  },
  "the socket is aborted": { after: abort },
  "the socket was aborted": { before: abort },
  "the time is over": { before: ({ request }) => request.settimeout(0.01) },
  "it must not wait": { before: ({ request }) => request.settimeout(0) },
  "another waits": {
    after(handler, _file, call) {
      call();
      handler.request.abort();
    },
  },
  "the handler ends": { before: goOn, ends: true },
};

/** Methods that fail where something was written before. */
const ENDS = ["flush", "close", "Symbol(Symbol.asyncDispose)"];

const seen: string[] = [];
addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  seen.push(String(event.reason));
});

/** Returns the rejections that nobody has handled in this thread since the last call. */
export function takeSeen(): string[] {
  return seen.splice(0);
}

/** How long a call may take before it counts as hanging. */
const PATIENCE_MS = 5_000;

const turn = () => new Promise<void>((resolve) => setTimeout(resolve));

/** Waits for the end of a promise, and for the runtime to report it, without handling it. */
async function ended(promise: unknown): Promise<void> {
  const due = performance.now() + PATIENCE_MS;
  while (isPending(promise)) {
    if (performance.now() > due) return;
    await turn();
  }
  await turn();
  await turn();
}

function isPending(promise: unknown): boolean {
  return Deno.inspect(promise).includes("<pending>");
}

/** Calls a method; the iterator of a file is asked for its next line. */
function call(file: Any, name: string, given?: unknown[]): Any {
  const method = name === "Symbol(Symbol.asyncIterator)"
    ? Symbol.asyncIterator
    : name === "Symbol(Symbol.asyncDispose)"
    ? Symbol.asyncDispose
    : name;
  const text = file.constructor.name.startsWith("Text");
  const result = file[method](...given ?? ARGUMENTS[name]?.(text) ?? []);
  return typeof result?.next === "function" ? result.next() : result;
}

async function outcomeOf(promise: Any): Promise<string> {
  await ended(promise);
  if (isPending(promise)) return "hangs";
  return await promise.then(() => "fulfilled", (error: Error) => error.name);
}

/** Makes one call in one situation, which the client names, and tells the outcome as the message of an error. */
export class Unawaited extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle(): Promise<void> {
    const line = new TextDecoder().decode(await this.rfile.readline());
    const [kind, method, situation, wrong] = JSON.parse(line);
    const file = KINDS[kind](this);
    const told = wrong === null
      ? await this.#unawaited(file, method, SITUATIONS[situation])
      : await this.#misuse(file, method, wrong);
    if (told === undefined) return;
    this.request.abort();
    throw new Error(JSON.stringify(told));
  }

  async #unawaited(
    file: Any,
    method: string,
    { before, after, ends }: Situation,
  ): Promise<Told | undefined> {
    await before?.(this, file);
    if (file.write !== undefined && ENDS.includes(method)) {
      call(file, "write").catch?.(() => {}); // for it to wait for
    }
    const make = () => call(file, method);
    let promise;
    try {
      promise = make();
    } catch {
      // what throws at once needs no promise
    }
    if (typeof promise?.then !== "function") {
      if (method === "detach") promise?.close();
      return { outcome: "sync", seen: takeSeen() };
    }
    after?.(this, file, make);
    if (ends) return;
    const outcome = await outcomeOf(promise);
    return { outcome, seen: takeSeen() };
  }

  /** Makes a call with a wrong argument: awaited, which nobody hears of, and then not. */
  async #misuse(file: Any, method: string, wrong: string): Promise<Told> {
    const given = MISTAKES[wrong]?.();
    takeSeen();
    let outcome = "nothing";
    try {
      await call(file, method, given);
    } catch (error) {
      outcome = (error as Error).name;
    }
    await ended(undefined);
    const before = takeSeen();
    if (before.length > 0) {
      return { outcome: "heard though awaited", seen: before };
    }
    try {
      await ended(call(file, method, given));
    } catch (error) {
      seen.push(String(error)); // at once, which is as loud
    }
    return { outcome, seen: takeSeen() };
  }
}

/** Arguments that are wrong. */
export const MISTAKES: Record<string, () => unknown[]> = {
  "a promise": () => [Promise.resolve(new Uint8Array(1))],
  "a negative number": () => [-2],
  "half a number": () => [1.5],
  "text": () => ["text"],
};
