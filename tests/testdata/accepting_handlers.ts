/**
 * Handlers of servers whose workers or children accept by themselves.
 *
 * @module
 */

import { StreamRequestHandler } from "../../mod.ts";

const decoder = new TextDecoder();
const me = crypto.randomUUID();

/** Counts the handlers that run at a time, in the words of `shared`: now, and the most so far. Echoes lines. */
export class Counts extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    const words = new Int32Array(this.server.shared as SharedArrayBuffer);
    const now = Atomics.add(words, 0, 1) + 1;
    for (let most = Atomics.load(words, 1); now > most;) {
      most = Atomics.compareExchange(words, 1, most, now);
    }
    try {
      for await (const line of this.rfile) await this.wfile.write(line);
    } finally {
      Atomics.sub(words, 0, 1);
    }
  }
}

/** Does what each line says, and answers with the worker it is in. */
export class Obeys extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    while (await this.waitForRequest()) {
      const line = decoder.decode(await this.rfile.readline()).trimEnd();
      await this.#do(line);
      await this.wfile.write(`${me}\n`);
    }
  }

  async #do(what: string): Promise<void> {
    if (what === "throw") throw new RangeError("thrown by the handler");
    if (what === "shutdown") await this.server.shutdown();
    if (what === "exit") Deno.exit(3);
    if (what === "leave") this.#leave();
    if (what === "loop" || what === "work") this.#sayBusy();
    if (what === "loop") { for (;;); }
    if (what === "work") this.#block();
    if (what === "wait") {
      await new Promise((done) => this.signal.addEventListener("abort", done));
      await this.wfile.write("aborted\n");
    }
    if (what === "stay") await new Promise(() => {});
  }

  /** Leaves behind what rejects once the program sets a word of `shared`, and ends the worker. */
  #leave(): void {
    const words = new Int32Array(this.server.shared as SharedArrayBuffer);
    const set = Promise.resolve(Atomics.waitAsync(words, 0, 0).value);
    set.then(() => {
      throw new RangeError("left behind");
    });
  }

  /** Blocks the worker, as a computation does, until the program takes back the word of `shared`. */
  #block(): void {
    const words = new Int32Array(this.server.shared as SharedArrayBuffer);
    Atomics.wait(words, 0, 1, 60_000);
  }

  /** Sets a word of `shared`: the worker gets no connection any more. */
  #sayBusy(): void {
    const memory = this.server.shared as SharedArrayBuffer | undefined;
    if (memory !== undefined) Atomics.store(new Int32Array(memory), 0, 1);
  }
}

/** As {@linkcode Obeys}, with short lines. */
export class ObeysShort extends Obeys {
  static override readonly moduleUrl = import.meta.url;
  override lineLimit = 64;
}
