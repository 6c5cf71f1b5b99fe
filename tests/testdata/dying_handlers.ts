/**
 * Handlers that end their worker, each in another way.
 *
 * @module
 */

import { StreamRequestHandler } from "../../mod.ts";
import { eat } from "./greedy_handlers.ts";

const decoder = new TextDecoder();
const me = crypto.randomUUID();

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
    if (what === "eat") eat();
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
