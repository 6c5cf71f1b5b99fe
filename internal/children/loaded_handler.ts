/**
 * The handler class in a child process, and the server that it gets.
 *
 * @module
 */

import { exportedHandler } from "../handoff/handler_reference.ts";
import { ServerStub } from "../handoff/server_stub.ts";
import { requestsOf } from "../requests/request_registry.ts";
import { type HandlerClass, loadModule } from "../server/handler_class.ts";
import type { InitMessage } from "./messages.ts";
import type { ParentLink } from "./parent_link.ts";

/** The stand-in of the server in a child process: `this.server` of its handlers. */
export class ChildServerStub extends ServerStub {
  readonly #link: ParentLink;

  /**
   * @param init The facts about the server.
   * @param link The channel to the server.
   */
  constructor(init: InitMessage, link: ParentLink) {
    super(init);
    this.#link = link;
  }

  override requestSignal(request: unknown): AbortSignal {
    return requestsOf(this).signal(request);
  }

  override shutdown(): Promise<void> {
    return this.#link.shutdown();
  }
}

/** The handler and the server that it gets, once the first message has come and the module is loaded. */
export interface LoadedHandler {
  readonly server: ChildServerStub;
  readonly Handler: HandlerClass;
}

/** Imports the module of the handler. */
export type ImportHandler = () => Promise<Record<string, unknown>>;

/**
 * Loads the handler class.
 *
 * @param server The server that the handlers get.
 * @param exportName The name of the class in its module.
 * @param importHandler Imports the module.
 */
export async function loadHandler(
  server: ChildServerStub,
  exportName: string,
  importHandler: ImportHandler,
): Promise<LoadedHandler> {
  const where = "in another process";
  const module = await loadModule(where, importHandler);
  return { server, Handler: exportedHandler(module, exportName, where) };
}
