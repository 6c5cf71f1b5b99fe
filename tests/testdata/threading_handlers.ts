/**
 * Handlers for what only workers have.
 *
 * @module
 */

import {
  BaseRequestHandler,
  ConnectionRefusedError,
  createConnection,
  IPPROTO_TCP,
  MSG_DONTWAIT,
  MSG_PEEK,
  MSG_WAITALL,
  SO_KEEPALIVE,
  SOL_SOCKET,
  StreamRequestHandler,
  TCP_NODELAY,
  TimeoutError,
  type WorkerServer,
} from "../../mod.ts";
import type { Socket } from "../../mod.ts";
import { Download, Echo, Named as HandlerByName } from "./handlers.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const me = crypto.randomUUID();

/** Answers each line with the name of what a call on it threw, or with what it returned. */
export class Calls extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    for await (const line of this.rfile) {
      const answer = await this.#call(decoder.decode(line).trimEnd())
        .catch((error) => `${error.name} ${error.code}`);
      await this.wfile.write(`${answer}\n`);
    }
  }

  async #call(name: string): Promise<unknown> {
    const { request } = this;
    switch (name) {
      case "timeout":
        request.settimeout(0.01);
        try {
          return await request.recv(1);
        } finally {
          request.settimeout(null);
        }
      case "dontwait":
        return await request.recv(1, MSG_DONTWAIT);
      case "peek":
        return decoder.decode(await request.recv(3, MSG_PEEK)) +
          decoder.decode(await request.recv(5, MSG_WAITALL));
      case "options":
        request.setsockopt(IPPROTO_TCP, TCP_NODELAY, true);
        request.setsockopt(SOL_SOCKET, SO_KEEPALIVE, 1);
        return request.getsockopt(IPPROTO_TCP, TCP_NODELAY);
      case "timeout?":
        return request.gettimeout();
      default:
        return "what?";
    }
  }
}

/** Sends two bytes, and waits for the end. */
export class Reset extends BaseRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    await this.request.sendall(encoder.encode("xy"));
    for (;;) if ((await this.request.recv(1)).length === 0) return;
  }
}

/** Tells what it knows of the server, and counts in what is shared. */
export class Facts extends BaseRequestHandler<
  Socket,
  WorkerServer<{ counter: Int32Array; word: string }>
> {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    const { serverAddress, shared, options } = this.server;
    Atomics.add(shared.counter, 0, 1);
    const facts = [serverAddress, shared.word, options.maxPacketSize, me];
    await this.request.sendall(encoder.encode(JSON.stringify(facts)));
  }
}

/** Runs the handler whose name the client sends first. */
export class Chosen extends HandlerByName {
  static override readonly moduleUrl = import.meta.url;
  override readonly classes = {
    Calls,
    Closes,
    Download,
    Echo,
    Endless,
    Facts,
    Reset,
    SendsLate,
    SlowReader,
    Throws,
    UntilDrain,
  };
}

/** Calls the server's `shutdown`, and says so when it has resolved. */
export class Shutdown extends BaseRequestHandler<Socket, WorkerServer> {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    await this.server.shutdown();
    await this.request.sendall(encoder.encode("down"));
  }
}

/** Says "ready", and ends when the server drains; says so. */
export class UntilDrain extends BaseRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    await this.request.sendall(encoder.encode("ready"));
    await new Promise((resolve) =>
      this.signal.addEventListener("abort", resolve)
    );
    await this.request.sendall(encoder.encode(" drained"));
  }
}

/** Says "ready", and never ends. */
export class Endless extends BaseRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    await this.request.sendall(encoder.encode("ready"));
    await new Promise(() => {});
  }
}

/** Throws what the client names. */
export class Throws extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    const what = decoder.decode(await this.rfile.readline()).trimEnd();
    if (what === "refused") await createConnection(["127.0.0.1", 1]);
    if (what === "refused2") {
      throw new ConnectionRefusedError("no", { code: "ECONNREFUSED" });
    }
    if (what === "timeout") {
      this.request.settimeout(0.001);
      await this.rfile.read();
    }
    if (what === "own") {
      throw new (class Own extends Error {
        override name = "Own";
        code = "E_OWN";
      })("mine");
    }
    if (what === "value") throw { not: "an error" };
    if (what === "aggregate") {
      throw new AggregateError([new TypeError("one"), 2], "many");
    }
    if (what === "cause") {
      throw new TypeError("failed", { cause: new Error("the cause") });
    }
    if (what === "long") throw new Error("x".repeat(1 << 20));
    if (what === "later") throw new TimeoutError("late", { code: "ETIMEDOUT" });
  }
}

/** Returns without waiting for what it sends. */
export class SendsLate extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override handle() {
    for (let i = 0; i < 16; i++) {
      this.request.sendall(new Uint8Array(65536).fill(i));
    }
  }
}

/** Closes the connection itself, with a file still open on it, and then goes on. */
export class Closes extends BaseRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    const file = this.request.makefile("wb");
    file.write("bye");
    this.request.close();
    await file.close();
    if (this.request.fileno() !== -1) throw new Error("still open");
  }
}

class Hidden extends BaseRequestHandler {
  static readonly moduleUrl = import.meta.url;
}
class Renamed extends BaseRequestHandler {
  static readonly moduleUrl = import.meta.url;
}
class Named extends BaseRequestHandler {
  static readonly moduleUrl = import.meta.url;
  static readonly exportName = "underAnotherName";

  override async handle() {
    await this.request.sendall(encoder.encode("found"));
  }
}
/** For the tests that need what is not exported, or under another name. */
export const classes = { Hidden, Renamed, Named };
export { Named as underAnotherName, Renamed as renamed };

/**
 * Reads all, and answers with the count; where the first byte is an "s", nothing until the shared gate
 * opens.
 */
export class SlowReader extends BaseRequestHandler<
  Socket,
  WorkerServer<Int32Array>
> {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    const [first] = await this.request.recv(1, MSG_PEEK);
    const gate = Atomics.waitAsync(this.server.shared, 0, 0);
    if (first === 0x73 && gate.async) await gate.value;
    const buffer = new Uint8Array(65536);
    let total = 0;
    for (;;) {
      const count = await this.request.recvInto(buffer);
      if (count === 0) break;
      total += count;
    }
    await this.request.sendall(encoder.encode(`${total}\n`));
  }
}
