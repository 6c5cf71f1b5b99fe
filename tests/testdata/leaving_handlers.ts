/**
 * Handlers that leave most of what the client sends to the server: they read one byte, answer "k" and end.
 *
 * @module
 */

import {
  BaseRequestHandler,
  BlockingRequestHandler,
  MSG_PEEK,
} from "../../mod.ts";

const K = new TextEncoder().encode("k");

/** Reads with `recv`; where the byte is "t", it has waited in vain for more before, with a timeout. */
export class Leaves extends BaseRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    const [byte] = await this.request.recv(1);
    if (byte === 0x74) {
      this.request.settimeout(0.01);
      await this.request.recv(99).catch(() => {});
    }
    if (byte === 0x70) await this.request.recv(99, MSG_PEEK);
    if (byte === 0x63) return this.request.close();
    await this.request.sendall(K);
  }
}

/** The same, blocking. */
export class BlockingLeaves extends BlockingRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override handle() {
    const [byte] = this.request.recv(1);
    if (byte === 0x74) {
      this.request.settimeout(0.01);
      try {
        this.request.recv(99);
      } catch {
        // in vain
      }
    }
    if (byte === 0x70) this.request.recv(99, MSG_PEEK);
    if (byte === 0x63) return this.request.close();
    this.request.sendall(K);
  }
}
