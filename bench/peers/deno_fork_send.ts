/**
 * What handing connections to child processes costs by itself: `fork` and `send`, one connection at a time
 * for each child, which echoes. There is no handler, message or limit. Prints its port.
 *
 *     deno run -A bench/peers/deno_fork_send.ts [children]
 */
import { type ChildProcess, fork } from "node:child_process";
import { createServer, type Socket } from "node:net";
import process from "node:process";

/** A child, and the connections that wait for it. */
class Child {
  readonly #process: ChildProcess;
  readonly #waiting: Socket[] = [];
  #busy = false;

  constructor() {
    this.#process = fork(new URL(import.meta.url).pathname, ["child"], {
      serialization: "advanced",
      execArgv: ["run", "-A", "--quiet", "--no-check"],
    });
  }

  take(socket: Socket): void {
    this.#waiting.push(socket);
    if (!this.#busy) this.#next();
  }

  #next(): void {
    const socket = this.#waiting.shift();
    this.#busy = socket !== undefined;
    if (socket === undefined) return;
    socket.once("close", () => this.#next()); // the child has it
    this.#process.send({}, socket);
  }
}

function echo(socket: Socket): void {
  socket.allowHalfOpen = true;
  socket.on("data", (data) => socket.write(data));
  socket.on("end", () => socket.end());
  socket.on("error", () => {});
}

function serve(count: number): void {
  const children = Array.from({ length: count }, () => new Child());
  let turn = 0;
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    socket.on("error", () => {});
    children[turn++ % count].take(socket);
  });
  server.listen(0, "127.0.0.1", 511, () => {
    console.log((server.address() as { port: number }).port);
  });
}

if (Deno.args[0] === "child") {
  process.on("disconnect", () => process.exit());
  process.on("message", (_message, socket) => echo(socket as Socket));
} else serve(Number(Deno.args[0] ?? navigator.hardwareConcurrency + 1));
