/**
 * Handlers for what only child processes have.
 *
 * @module
 */

import { getHeapStatistics } from "node:v8";
import { SHUT_WR, StreamRequestHandler } from "@socketserver/socketserver";
import { requestsOf } from "../../internal/requests/request_registry.ts";
import { Datagram, Echo, sizeAndHash } from "./handlers.ts";

const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** Answers each line with what it asks for; ends without an answer after "flood". */
export class Asks extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    for await (const line of this.rfile) {
      const [word, ...rest] = decode(line).trim().split(" ");
      if (word === "flood") return this.flood();
      await this.wfile.write(`${await this.answer(word, rest)}\n`);
    }
  }

  /** Writes 8 MiB to the file and sends 8 MiB over the connection, and awaits neither. */
  flood(): void {
    for (let i = 0; i < 128; i++) this.wfile.write(piece(i));
    for (let i = 0; i < 128; i++) this.request.sendall(piece(i));
  }

  /** Ends its own side, reads what the client still sends, and throws an error that says how much came. */
  async halfClose(): Promise<never> {
    await this.wfile.write("bye\n");
    await this.request.shutdown(SHUT_WR);
    throw new Error(`read ${(await this.rfile.read()).length} after its end`);
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
      case "print":
        console.log(rest[0]);
        console.error(rest[0]);
        break;
      case "main":
        return String(import.meta.main);
      case "heap":
        return String(getHeapStatistics().heap_size_limit / 2 ** 20);
      case "env":
        return tried(() => JSON.stringify(Deno.env.toObject()));
      case "disk":
        return tried(() => Deno.readTextFileSync(rest[0]).slice(0, 3));
      case "drain":
        return await new Promise((resolve) => {
          if (this.signal.aborted) resolve("aborted");
          this.signal.addEventListener("abort", () => resolve("aborted"));
        });
      case "exit":
        return Deno.exit(Number(rest[0]));
      case "stop":
        Deno.kill(Deno.pid, "SIGSTOP"); // stops all threads, this one perhaps a moment later
        for (;;);
      case "spin":
        for (;;);
      case "say":
        globalThis.process.send!(JSON.parse(rest.join(" ")));
        return await new Promise(() => {});
      case "disconnect":
        globalThis.process.disconnect!();
        return await new Promise(() => {});
      case "half":
        return await this.halfClose();
      case "send":
        return String(await this.request.send(new Uint8Array(2_000_000)));
      case "upload":
        return await sizeAndHash(await this.rfile.read());
    }
    return word.toUpperCase();
  }
}

function piece(number: number): Uint8Array {
  return new Uint8Array(65536).fill(number);
}

function tried(get: () => string): string {
  try {
    return get();
  } catch (error) {
    return (error as Error).name;
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
      await this.socket.sendto(this.packet, this.clientAddress);
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
