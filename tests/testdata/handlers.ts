/**
 * Handlers for the tests of all ways to run them. Each says where it is, so that a worker or a
 * process can load it; nothing here knows which.
 *
 * @module
 */

import {
  type Address,
  BaseRequestHandler,
  ConnectionResetError,
  DatagramRequestHandler,
  DualRequestHandler,
  type HandlerServer,
  type InetAddress,
  SHUT_WR,
  Socket,
  StreamRequestHandler,
  type StreamTransport,
} from "../../mod.ts";
import { heapUsed } from "../helpers/heap_used.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Sends back what comes, until the client ends its side. */
export class Echo extends BaseRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    for (;;) {
      const data = await this.request.recv(65536);
      if (data.length === 0) return;
      await this.request.sendall(data);
    }
  }
}

/** Answers "heap" with the bytes of the heap in use where it runs, and all else with itself. */
export class Heap extends BaseRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    const data = await this.request.recv(100);
    const asked = decoder.decode(data) === "heap";
    await this.request.sendall(asked ? encoder.encode(`${heapUsed()}`) : data);
  }
}

/** Echoes lines until its signal ends the reads, and says goodbye. */
export class UntilDrain extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    const { signal } = this;
    for await (const line of this.rfile.lines({ signal })) {
      await this.wfile.write(line);
    }
  }

  override async finish() {
    this.wfile.write("bye\n");
    await super.finish();
  }
}

/** Gives a read up, says so, and sends back what a later read takes. */
export class GivesUp extends BaseRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    const giving = new AbortController();
    const read = this.request.recv(100, { signal: giving.signal });
    giving.abort("given up");
    const reason = await read.catch((reason) => reason);
    await this.request.sendall(encoder.encode(reason));
    const { signal } = this;
    await this.request.sendall(await this.request.recv(100, { signal }));
  }
}

/** Answers in capitals, stream to stream. */
export class Streams extends BaseRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    const upper = new TransformStream<string, string>({
      transform: (text, controller) => controller.enqueue(text.toUpperCase()),
    });
    await this.request.readable.pipeThrough(new TextDecoderStream())
      .pipeThrough(upper).pipeThrough(new TextEncoderStream())
      .pipeTo(this.request.writable);
  }
}

/** Answers lines: `upper TEXT`, `addr`, `quit`; anything else is an error, and the next line. */
export class Lines extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    for await (const line of this.rfile) {
      const [command, text = ""] = decoder.decode(line).trimEnd().split(" ", 2);
      if (command === "quit") return;
      if (command === "upper") {
        await this.wfile.write(`${text.toUpperCase()}\n`);
      } else if (command === "addr") {
        const addresses = [
          this.clientAddress,
          this.request.getpeername(),
          this.request.getsockname(),
        ];
        await this.wfile.write(`${JSON.stringify(addresses)}\n`);
      } else await this.wfile.write("error\n");
    }
  }
}

/** Answers each line: by itself, past `wfile` after `send `, and after one more byte where it begins with `late `. */
export class Answers extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    for await (const line of this.rfile) {
      const [how] = decoder.decode(line).split(" ", 1);
      if (how === "late") await this.request.recv(1);
      if (how === "send") await this.request.sendall(line);
      else await this.wfile.write(line);
    }
  }
}

/** Takes all until the client ends its side, and answers with count and SHA-256 in hex. */
export class Upload extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    await this.wfile.write(`${await sizeAndHash(await this.rfile.read())}\n`);
  }
}

/** Returns the length and the SHA-256 of data. */
export async function sizeAndHash(
  data: Uint8Array<ArrayBuffer>,
): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", data);
  return `${data.length} ${new Uint8Array(hash).toHex()}`;
}

/** Ends its own side first, then takes what the client still sends, and says how much in its error. */
export class HalfClose extends BaseRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    await this.request.sendall(encoder.encode("bye\n"));
    await this.request.shutdown(SHUT_WR);
    let count = 0;
    for (;;) {
      const data = await this.request.recv(65536);
      if (data.length === 0) break;
      count += data.length;
    }
    throw new Error(`read ${count} after its end`);
  }
}

/** Sends as many bytes as the line says, in pieces, whether the client reads or not. */
export class Download extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    let left = Number(decoder.decode(await this.rfile.readline()));
    const piece = new Uint8Array(65536).map((_, i) => i & 0xff);
    while (left > 0) {
      const part = piece.subarray(0, Math.min(left, piece.length));
      await this.connection.sendall(part);
      left -= part.length;
    }
  }
}

/** Writes the order of its hooks to the client; the last of them when it closes. */
export class Hooks extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async setup() {
    await super.setup();
    this.wfile.write("setup ");
  }

  override handle() {
    this.wfile.write("handle ");
  }

  override async finish() {
    this.wfile.write("finish");
    await super.finish();
  }
}

/** Fails in `setup`. */
export class ThrowInSetup extends Hooks {
  static override readonly moduleUrl = import.meta.url;

  override async setup() {
    await super.setup();
    throw new TypeError("setup failed");
  }
}

/** Fails in `handle`, with an error of Python's family that has a code and a cause. */
export class ThrowInHandle extends Hooks {
  static override readonly moduleUrl = import.meta.url;

  override handle() {
    super.handle();
    throw new ConnectionResetError("handle failed", {
      code: "ECONNRESET",
      syscall: "recv",
      cause: new TypeError("the cause"),
    });
  }
}

/** Fails in `finish`. */
export class ThrowInFinish extends Hooks {
  static override readonly moduleUrl = import.meta.url;

  override async finish() {
    await super.finish();
    throw new SyntaxError("finish failed");
  }
}

/** Answers a datagram in capitals. */
export class Datagram extends DatagramRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    const text = decoder.decode(await this.rfile.read());
    if (text === "throw") throw new Error("datagram failed");
    await this.wfile.write(text.toUpperCase());
  }
}

/** Answers with the order of its hooks, and fails in the one that the datagram names. */
export class DatagramHooks extends DatagramRequestHandler {
  static readonly moduleUrl = import.meta.url;
  #done = "";

  override setup() {
    super.setup();
    this.#note("setup");
  }

  override handle() {
    this.#note("handle");
  }

  override async finish() {
    this.#note("finish");
    const answer = encoder.encode(this.#done);
    await this.socket.sendto(answer, this.clientAddress);
  }

  #note(hook: string): void {
    if (decoder.decode(this.packet) === hook) {
      this.#done += `${hook} failed `;
      throw new TypeError(`failed: ${this.#done}`);
    }
    this.#done += `${hook} `;
  }
}

/** Answers in capitals and says what it has, over a connection and to a datagram. */
export class Dual extends DualRequestHandler {
  static readonly moduleUrl = import.meta.url;
  override timeout = 7;

  override async handle() {
    const timeout = this.socket.gettimeout();
    const text = decoder.decode(await this.rfile.read());
    if (text === "throw") throw new Error("dual failed");
    const kind = this.packet === undefined ? "stream" : "datagram";
    const alike = this.packet === undefined ||
      decoder.decode(this.packet) === text;
    this.wfile.write(`${kind} ${timeout} ${alike} `);
    await this.wfile.write(text.toUpperCase());
  }
}

/** Answers `late` only after `now` was answered, and both with what they say. */
export class LateAnswer extends DatagramRequestHandler {
  static readonly moduleUrl = import.meta.url;
  static #answered = Promise.withResolvers<void>();

  override async handle() {
    if (decoder.decode(this.packet) === "late") {
      await LateAnswer.#answered.promise;
      LateAnswer.#answered = Promise.withResolvers();
    }
    await this.wfile.write(this.packet);
  }

  override async finish() {
    await super.finish();
    if (decoder.decode(this.packet) === "now") LateAnswer.#answered.resolve();
  }
}

/** Options of one's own, and a value for the handlers, as every way carries them. */
type OwnServer = HandlerServer<
  InetAddress,
  { word: string; when: Date; bytes: Uint8Array },
  { greeting: string }
>;

/** Tells what it finds in its server, and asks that for what the client wants. */
export class AsksServer extends DualRequestHandler<OwnServer> {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    const { server, request } = this;
    const { word, when, bytes } = server.shared;
    const said = {
      address: server.serverAddress,
      greeting: server.options.greeting,
      shared: [word, when.getTime(), [...bytes]],
      draining: server.requestSignal(request).aborted,
    };
    const wish = decoder.decode(await this.rfile.readline());
    await this.wfile.write(JSON.stringify(said));
    await this.wfile.flush();
    if (wish === "stop\n") await server.shutdown();
    else if (wish === "shutdown\n") await server.shutdownRequest(request);
    else await server.closeRequest(request);
  }
}

/** A connection that sends each byte doubled, and its last words as its stream ends, as TLS does. */
class Doubled implements StreamTransport {
  readonly localAddr: StreamTransport["localAddr"];
  readonly remoteAddr: StreamTransport["remoteAddr"];
  constructor(readonly inner: Socket, address: Address) {
    const [hostname, port] = typeof address === "string" ? ["", 0] : address;
    this.localAddr = this.remoteAddr = { transport: "tcp", hostname, port };
  }
  async read(buffer: Uint8Array) {
    return await this.inner.recvInto(buffer) || null;
  }
  async write(data: Uint8Array) {
    await this.inner.sendall(
      Uint8Array.from({ length: 2 * data.length }, (_, i) => data[i >> 1]),
    );
    return data.length;
  }
  async closeWrite() {
    await this.inner.sendall(encoder.encode(" bye"));
    await this.inner.shutdown(SHUT_WR);
  }
  close() {
    this.inner.close();
  }
}

/** Puts another connection in the place of its own. */
export class Replaces extends StreamRequestHandler<HandlerServer<Address>> {
  static readonly moduleUrl = import.meta.url;

  override async setup() {
    await undefined; // a handshake takes a while
    this.request = Socket.from(new Doubled(this.request, this.clientAddress));
    await super.setup();
  }

  override async handle() {
    if (this.connection !== this.request) throw new Error("not replaced");
    for await (const line of this.rfile) {
      await this.wfile.write(line.subarray(0, -1));
      if (decoder.decode(line) === "throw\n") throw new TypeError("it threw");
    }
  }
}

/**
 * The handler whose name the client sends first, in a line, or that a datagram begins with: so one server serves all of
 * them. The hooks of the named handler run as this one's.
 */
// deno-lint-ignore no-explicit-any
export class Named extends BaseRequestHandler<any> {
  static readonly moduleUrl = import.meta.url;
  /** The classes by name. */
  readonly classes: Readonly<Record<string, unknown>> = NAMED;
  #named!: AnyHandler;

  override async setup() {
    const { request, clientAddress, server } = this;
    const [name, own] = Array.isArray(request)
      ? splitDatagram(request as [Uint8Array, Socket])
      : [await takeLine(request), request];
    const Handler = this.classes[name] as new (
      ...args: unknown[]
    ) => AnyHandler;
    this.#named = new Handler(own, clientAddress, server);
    await this.#named.setup();
    if (!Array.isArray(request)) this.request = this.#named.request;
  }

  override handle() {
    return this.#named.handle();
  }

  override async finish() {
    this.#named.failure = this.failure;
    await this.#named.finish();
  }
}

// deno-lint-ignore no-explicit-any
type AnyHandler = BaseRequestHandler<any>;

const NAMED = {
  Answers,
  AsksServer,
  Datagram,
  DatagramHooks,
  Download,
  Dual,
  Echo,
  HalfClose,
  Hooks,
  LateAnswer,
  GivesUp,
  Lines,
  Replaces,
  Streams,
  ThrowInFinish,
  ThrowInHandle,
  ThrowInSetup,
  Upload,
};

/** The name of a handler that a client may ask {@linkcode Named} for. */
export type HandlerName = keyof typeof NAMED;

/** The name that a datagram begins with, and the request without it. */
function splitDatagram(
  [packet, socket]: [Uint8Array, Socket],
): [name: string, request: [Uint8Array, Socket]] {
  const end = packet.indexOf(10);
  return [decoder.decode(packet.subarray(0, end)), [
    packet.slice(end + 1),
    socket,
  ]];
}

/** Receives a line, and nothing after it. */
async function takeLine(socket: Socket): Promise<string> {
  let line = "";
  for (;;) {
    const char = decoder.decode(await socket.recv(1));
    if (char === "\n" || char === "") return line;
    line += char;
  }
}
