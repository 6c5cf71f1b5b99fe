/**
 * The server of a handler that runs in a test.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { ServerStub } from "../handoff/server_stub.ts";

/**
 * The server of a handler, `this.server`, while {@linkcode serveRequest} or {@linkcode serveDatagram} runs the handler.
 * It has the members that all servers have.
 *
 * @category Testing
 * @example
 * ```ts
 * import { strictEqual } from "node:assert/strict";
 * import { StreamRequestHandler } from "@socketserver/socketserver";
 * import { serveRequest, TestServer } from "@socketserver/socketserver/testing";
 *
 * class Stop extends StreamRequestHandler {
 *   override async handle() {
 *     await this.server.shutdown();
 *   }
 * }
 *
 * const server = new TestServer(["127.0.0.1", 9999]);
 * using served = serveRequest(Stop, { server });
 * await served.done;
 * strictEqual(server.stopped, true);
 * ```
 */
export class TestServer extends ServerStub {
  /** Whether the handler has called `shutdown()`. */
  stopped = false;
  readonly #drain = new AbortController();

  /**
   * Creates a server. {@linkcode serveRequest} creates one by itself if it gets none.
   *
   * @param serverAddress The address.
   * @param options The server's own options.
   * @param shared The option `shared`.
   */
  constructor(
    serverAddress: Address,
    options: Readonly<Record<string, unknown>> = {},
    shared?: unknown,
  ) {
    super({ serverAddress, options, shared });
  }

  /** Returns the `signal` of the handler. */
  override requestSignal(_request: unknown): AbortSignal {
    return this.#drain.signal;
  }

  /** Notes that the handler has called `shutdown`. */
  override shutdown(): Promise<void> {
    this.stopped = true;
    return Promise.resolve();
  }

  /** Aborts the `signal` of the handler, as a closing server does. */
  drain(): void {
    this.#drain.abort();
  }
}
