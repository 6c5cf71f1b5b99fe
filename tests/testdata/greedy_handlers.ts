/**
 * Handlers that take more than they should: all the memory, or a processor.
 *
 * @module
 */

import {
  BlockingRequestHandler,
  StreamRequestHandler,
  type WorkerServer,
} from "../../mod.ts";

/** Takes all the memory. */
function eat(): never {
  const eaten: unknown[] = [];
  for (;;) eaten.push(new Array(100_000).fill(Math.random()));
}

const worker = crypto.randomUUID();

/** Tells its worker, or takes all the memory: at once, after a promise, or in a timer. */
export class Eats extends StreamRequestHandler<WorkerServer> {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    for await (const line of this.rfile) {
      const how = new TextDecoder().decode(line).trimEnd();
      if (how === "at once") eat();
      if (how === "timer") setTimeout(eat);
      if (how === "promise") {
        setTimeout(async () => {
          await Promise.resolve();
          eat();
        });
      }
      await this.wfile.write(`${worker}\n`);
    }
  }
}

/** The same at once, blocking. */
export class BlockingEats extends BlockingRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override handle() {
    if (this.request.recv(1)[0] === 0x65) eat();
    this.request.sendall(new TextEncoder().encode("fed"));
  }
}

/** Counts without end in what is shared. */
export class Counts extends StreamRequestHandler<WorkerServer<Int32Array>> {
  static readonly moduleUrl = import.meta.url;

  override handle(): Promise<void> {
    for (;;) Atomics.add(this.server.shared, 0, 1);
  }
}
