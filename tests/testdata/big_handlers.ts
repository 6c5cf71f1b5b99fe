/** A handler that leaves 20 MB behind. */

import { BaseRequestHandler } from "../../handlers.ts";

/** How much it sends. */
export const SIZE = 20_000_000;

/** Sends without waiting for it. */
export class Big extends BaseRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override handle() {
    this.request.sendall(new Uint8Array(SIZE));
  }
}
