/**
 * Handlers that turn against their server, as code would that somebody has got into a child.
 *
 * @module
 */

import { Socket as NetSocket } from "node:net";
import {
  DatagramRequestHandler,
  StreamRequestHandler,
} from "@socketserver/socketserver";

const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** The connection underneath, which is hidden; but who shares a process can find anything. */
let taken: NetSocket | undefined;
const { read } = NetSocket.prototype;
NetSocket.prototype.read = function (this: NetSocket, ...args) {
  taken = this;
  return read.apply(this, args);
};

/** Says to the server what only the code of the module may. */
function say(message: unknown, handle?: NetSocket): void {
  globalThis.process.send!(message, handle);
}

/** The requests of this process. */
const requests = new Set<Hostile>();

/** Does what each line says, and goes on. */
export class Hostile extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    requests.add(this);
    for await (const line of this.rfile) {
      const [what, argument] = decode(line).trim().split(" ");
      await this.wfile.write(`${await this.#do(what, argument)}\n`);
    }
  }

  async #do(what: string, argument: string): Promise<string> {
    switch (what) {
      case "done":
        for (let id = 1; id < 10; id++) say({ type: "done", ids: [id], ms: 1 });
        break;
      case "acknowledge":
        say({ cmd: "NODE_HANDLE_ACK" });
        break;
      case "internal":
        say({ cmd: "NODE_CLUSTER" });
        break;
      case "handle":
        for (let i = 0; i < 10; i++) say({ type: "sync" }, taken);
        break;
      case "hold":
        hold();
        throw new Error("says that it has ended");
      case "options":
        return JSON.stringify(
          (this.server as unknown as { options: unknown }).options,
        );
      case "requests":
        return String(requests.size);
      case "pid":
        return String(Deno.pid);
      case "read":
      case "run":
      case "env":
      case "connect":
      case "write":
        return await tries[what](argument);
    }
    return what;
  }
}

/** Makes the connection, and this process, outlast what the library does to end them. */
function hold(): void {
  Object.assign(NetSocket.prototype, {
    destroy: () => {},
    end: (ended: () => void) => ended(),
  });
  Object.defineProperty(Deno, "exit", { value: () => {} });
}

/** The calls that need a permission. */
const tries: Record<string, (argument: string) => Promise<string>> = {
  read: (path) => named(() => Deno.readTextFile(path)),
  write: (path) => named(() => Deno.writeTextFile(path, "mine")),
  run: (path) => named(() => new Deno.Command(path).output()),
  env: (name) => named(() => Promise.resolve(Deno.env.get(name))),
  connect: (port) => named(() => Deno.connect({ port: Number(port) })),
};

async function named(attempt: () => Promise<unknown>): Promise<string> {
  try {
    await attempt();
    return "done";
  } catch (error) {
    return (error as Error).name;
  }
}

/** Sends a datagram to whoever the datagram names, and tells the client how that went. */
export class Elsewhere extends DatagramRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    const [host, port] = decode(this.packet).split(" ");
    const target: [string, number] | string = port === undefined
      ? host
      : [host, Number(port)];
    await this.wfile.write(await this.#try(target));
  }

  async #try(target: [string, number] | string): Promise<string> {
    try {
      return `sent ${await this.socket.sendto(
        this.packet,
        target as [string, number],
      )}`;
    } catch (error) {
      return `${(error as { code?: string }).code}`;
    }
  }
}
