/**
 * Handlers that a client can hold up, for the tests of limits.
 *
 * @module
 */

import {
  BaseRequestHandler,
  BlockingRequestHandler,
  BlockingStreamRequestHandler,
  DatagramRequestHandler,
  DualRequestHandler,
  LimitOverrunError,
  StreamRequestHandler,
} from "../../mod.ts";

const MANY = new Uint8Array(1_000_000);

/** Does what the first byte says: reads, sends, or waits for its signal, without an end. */
export class Held extends BaseRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    const how = new TextDecoder().decode(await this.request.recv(1));
    if (how === "r") { while ((await this.request.recv(100)).length > 0); }
    if (how === "s") { for (;;) await this.request.sendall(MANY); }
    if (how === "w") await this.#waits();
  }

  async #waits() {
    const { signal } = this;
    await new Promise((end) => signal.addEventListener("abort", end));
    await this.request.recv(1).catch(() => {}); // the connection is gone
    throw signal.reason;
  }
}

/** The same, blocking. */
export class BlockingHeld extends BlockingRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override handle() {
    const how = new TextDecoder().decode(this.request.recv(1));
    if (how === "r") { while (this.request.recv(100).length > 0); }
    if (how === "s") { for (;;) this.request.sendall(MANY); }
    if (how === "c") { for (;;); }
    if (how === "w") {
      while (!this.signal.aborted);
      throw this.signal.reason;
    }
  }
}

/** Waits for its signal, and answers with its reason; at once, if it is asked to. */
export class HeldDatagram extends DatagramRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    const { signal, packet } = this;
    if (packet.length === 3) return void await this.wfile.write("now");
    if (!signal.aborted) {
      await new Promise((end) => signal.addEventListener("abort", end));
    }
    await this.wfile.write(`${signal.reason.name}: ${signal.reason.message}`);
  }
}

/** Answers lines, and says which are too long. */
export class ShortLines extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;
  override lineLimit = 8;

  override async handle() {
    for (;;) {
      try {
        const line = await this.rfile.readline();
        if (line.length === 0) return;
        await this.wfile.write(line);
      } catch (error) {
        if (!(error instanceof LimitOverrunError)) throw error;
        await this.wfile.write("500\n");
      }
    }
  }
}

/** The same, blocking. */
export class BlockingShortLines extends BlockingStreamRequestHandler {
  static readonly moduleUrl = import.meta.url;
  override lineLimit = 8;

  override handle() {
    for (;;) {
      try {
        const line = this.rfile.readline();
        if (line.length === 0) return;
        this.wfile.write(line);
      } catch (error) {
        if (!(error instanceof LimitOverrunError)) throw error;
        this.wfile.write("500\n");
      }
    }
  }
}

/** Echoes lines, and fails at one that is too long. */
export class DualShortLines extends DualRequestHandler {
  static readonly moduleUrl = import.meta.url;
  override lineLimit = 8;

  override async handle() {
    for await (const line of this.rfile) await this.wfile.write(line);
  }
}

/** Answers with the number of bytes of a datagram. */
export class DatagramSize extends DatagramRequestHandler {
  override async handle() {
    await this.wfile.write(`${this.packet.length}`);
  }
}
