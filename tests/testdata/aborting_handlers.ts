/**
 * Handlers that send more than the client takes, and then abort the connection in the way that the client's first byte
 * names.
 *
 * @module
 */

import {
  BaseRequestHandler,
  BlockingRequestHandler,
  OSError,
  SHUT_WR,
} from "../../mod.ts";

/** The bytes that a handler sends: more than the buffers of the system hold. */
export const SENT = 12_000_000;

/** The seconds until a handler gives up sending. */
const PATIENCE = 0.2;

/** Aborts after a timeout ("t"), while it sends ("s"), after `shutdown` ("w"), or with an open file ("f"). */
export class Aborts extends BaseRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    const { request } = this;
    const way = String.fromCharCode(...await request.recv(1));
    if (way === "f") request.makefile("wb").write("held");
    if (way !== "s") request.settimeout(PATIENCE);
    const sent = request.sendall(new Uint8Array(SENT)).catch(unsent);
    if (way === "s") {
      await new Promise((resolve) => setTimeout(resolve, 1000 * PATIENCE));
    } else await sent;
    if (way === "w") request.shutdown(SHUT_WR).catch(unsent);
    request.abort();
    await sent;
  }
}

/** The same, blocking; what a blocking handler sends cannot be aborted meanwhile. */
export class BlockingAborts extends BlockingRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override handle() {
    const { request } = this;
    const way = String.fromCharCode(...request.recv(1));
    if (way === "f") request.makefile("wb").write("held");
    request.settimeout(PATIENCE);
    try {
      request.sendall(new Uint8Array(SENT));
    } catch (error) {
      unsent(error);
    }
    if (way === "w") request.shutdown(SHUT_WR);
    request.abort();
  }
}

function unsent(error: unknown): void {
  if (!(error instanceof OSError)) throw error;
}
