/**
 * Handlers that end their worker, each in another way.
 *
 * @module
 */

import { StreamRequestHandler } from "../../mod.ts";

const decoder = new TextDecoder();
const me = crypto.randomUUID();

/** The memory that a worker fills, with a turn of its event loop after each piece, so that it shows signs of life. */
const eaten: number[][] = [];
const numbers = () => new Array(100_000).fill(Math.random());

/** Does what each line says, and answers with the worker it is in. */
export class Dies extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    for await (const line of this.rfile) {
      this.#do(decoder.decode(line).trimEnd());
      await this.wfile.write(`${me}\n`);
    }
  }

  #do(what: string): void {
    if (what === "throw") {
      setTimeout(() => {
        throw new RangeError("thrown outside", { cause: "the cause" });
      });
    }
    if (what === "reject") Promise.reject(new TypeError("rejected outside"));
    if (what === "close") self.close();
    if (what === "exit") Deno.exit(3);
    if (what === "loop") { for (;;); }
    if (what === "eat") setInterval(() => eaten.push(numbers()));
  }
}

/** Ends at once, and leaves behind what ends the worker. */
export class LeavesBehind extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override handle() {
    setTimeout(() => {
      throw new Error("left behind");
    }, 1);
  }
}
