/**
 * Handlers for what only child processes have.
 *
 * @module
 */

import { getHeapStatistics } from "node:v8";
import {
  BaseRequestHandler,
  type Socket,
  StreamRequestHandler,
} from "@socketserver/socketserver";
import { requestsOf } from "../../internal/requests/request_registry.ts";
import { Datagram, Echo } from "./handlers.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** Answers each line with what it asks for. */
export class Asks extends StreamRequestHandler {
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
      case "active":
        return String(requestsOf(this.server).size);
      case "customs":
        return JSON.stringify([
          new Date(0).getTimezoneOffset(),
          navigator.language,
          Deno.noColor,
        ]);
      case "main":
        return String(import.meta.main);
      case "heap":
        return String(getHeapStatistics().heap_size_limit / 2 ** 20);
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

/** Sends 8 MiB, awaited by nobody. */
export class Bulk extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override handle() {
    for (let i = 0; i < 128; i++) {
      this.wfile.write(new Uint8Array(65536).fill(i));
    }
  }
}

/** Sends 20 MB on the connection itself, awaited by nobody. */
export class Flood extends BaseRequestHandler<Socket> {
  static readonly moduleUrl = import.meta.url;

  override handle() {
    this.request.sendall(new Uint8Array(20_000_000));
  }
}

/** Sends 2 MB with one `send`, and then how much that took. */
export class SendOnce extends BaseRequestHandler<Socket> {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    const count = await this.request.send(new Uint8Array(2_000_000));
    await this.request.sendall(encode(` ${count}`));
  }
}

/** As {@linkcode Datagram}, and does what only a process can. */
export class AsksDatagram extends Datagram {
  static override readonly moduleUrl = import.meta.url;

  override async handle() {
    const text = decode(this.packet);
    if (text === "die") Deno.exit(3);
    if (text === "receive") await this.socket.recvfrom(1);
    if (text === "twice") {
      await this.socket.sendto(encode("once"), this.clientAddress);
    }
    if (text === "pid") await this.wfile.write(String(Deno.pid));
    else await super.handle();
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
