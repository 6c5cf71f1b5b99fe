/**
 * A proxy in a worker and in a child.
 *
 * @module
 */

import {
  BaseRequestHandler,
  createConnection,
  MSG_WAITALL,
  relay,
} from "../../mod.ts";

/** Joins its client with the port of the loopback that its first two bytes name. */
export class PortProxy extends BaseRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    const [high, low] = await this.request.recv(2, MSG_WAITALL);
    const address = ["127.0.0.1", 256 * high + low] as const;
    using upstream = await createConnection(address, { timeout: 30 });
    await relay(this.request, upstream, { timeout: 30 });
  }
}
