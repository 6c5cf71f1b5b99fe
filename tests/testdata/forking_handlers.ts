/**
 * Handlers for the tests of forking servers; a child process imports them from here.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { Buffer } from "node:buffer";
import {
  BaseRequestHandler,
  ConnectionResetError,
  DatagramRequestHandler,
  StreamRequestHandler,
} from "@socketserver/socketserver";

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** Sends back what it receives. */
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

/** Answers each line with what it asks for. */
export class Lines extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    for await (const line of this.rfile) {
      const [word, ...rest] = decode(line).trim().split(" ");
      await this.wfile.write(`${await this.answer(word, rest)}\n`);
    }
  }

  async answer(word: string, rest: string[]): Promise<string> {
    switch (word) {
      case "pid":
        return String(Deno.pid);
      case "names":
        return JSON.stringify([
          this.clientAddress,
          this.connection.getpeername(),
          this.connection.getsockname(),
        ]);
      case "server":
        return JSON.stringify(this.server);
      case "main":
        return String(import.meta.main);
      case "env":
        return tried(() => JSON.stringify(Deno.env.toObject()));
      case "disk":
        return tried(() => Deno.readTextFileSync(rest[0]).slice(0, 8));
      case "drain":
        return await new Promise((resolve) => {
          if (this.signal.aborted) resolve("aborted");
          this.signal.addEventListener("abort", () => resolve("aborted"));
        });
      case "exit":
        return Deno.exit(Number(rest[0]));
      case "spin":
        for (;;);
      case "crash":
        queueMicrotask(() => {
          throw new Error("outside a handler");
        });
        return await new Promise(() => {});
      case "say":
        globalThis.process.send!(JSON.parse(rest.join(" ")));
        return await new Promise(() => {});
      case "disconnect":
        globalThis.process.disconnect!();
        return await new Promise(() => {});
      default:
        return word.toUpperCase();
    }
  }
}

function tried(get: () => string): string {
  try {
    return get();
  } catch (error) {
    return (error as Error).name;
  }
}

/** Reads to the end, and then answers with the length and the digest. */
export class Upload extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    const hash = createHash("sha256");
    let length = 0;
    for (;;) {
      const data = await this.rfile.read(65536);
      if (data.length === 0) break;
      length += data.length;
      hash.update(data as Buffer);
    }
    await this.wfile.write(`${length} ${hash.digest("hex")}\n`);
  }
}

/** Ends its side first, and then sends what it reads to nobody but the digest in the error. */
export class HalfClose extends BaseRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    await this.request.sendall(encode("bye\n"));
    await this.request.shutdown(1);
    let length = 0;
    for (;;) {
      const data = await this.request.recv(65536);
      if (data.length === 0) break;
      length += data.length;
    }
    throw new Error(`read ${length} after its end`);
  }
}

/** Sends 8 MiB, awaited by nobody. */
export class Bulk extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override handle() {
    for (let i = 0; i < 128; i++) {
      this.wfile.write(new Uint8Array(65536).fill(i));
    }
  }
}

/** Throws in `setup`. */
export class ThrowSetup extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override setup() {
    throw new RangeError("thrown by setup");
  }
}

/** Throws in `handle`, one of the OSError family with a cause. */
export class ThrowHandle extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    await this.wfile.write("half\n");
    throw new ConnectionResetError("thrown by handle", {
      code: "ECONNRESET",
      syscall: "recv",
      cause: new TypeError("the cause"),
    });
  }
}

/** Throws in `finish`. */
export class ThrowFinish extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async finish() {
    await super.finish();
    throw new SyntaxError("thrown by finish");
  }
}

/** Answers a datagram: in capitals, with its process's number, or not at all. */
export class Datagram extends DatagramRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    const text = decode(this.packet);
    if (text === "throw") throw new Error("thrown by a datagram's handler");
    if (text === "die") Deno.exit(3);
    if (text === "receive") await this.socket.recvfrom(1);
    if (text === "twice") {
      await this.socket.sendto(encode("once"), this.clientAddress);
    }
    await this.wfile.write(
      text === "pid" ? String(Deno.pid) : text.toUpperCase(),
    );
  }
}

class Hidden extends Echo {
  static override readonly moduleUrl = import.meta.url;
}
class Renamed extends Echo {
  static override readonly moduleUrl = import.meta.url;
}
class Named extends Echo {
  static override readonly moduleUrl = import.meta.url;
  static readonly exportName = "Alias";
}
export { Named as Alias, Renamed as Other };

/** Classes that the module does not export, or not under their own name. */
export const unexported = { Hidden, Renamed, Named };
