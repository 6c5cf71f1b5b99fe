/**
 * The server in a worker that accepts by itself.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { type ServerFacts, ServerStub } from "../handoff/server_stub.ts";
import { noteLimit, reportLimits } from "../requests/note_limit.ts";
import type { TimeLimits } from "../requests/remote_requests.ts";
import { requestsOf, shareRequests } from "../requests/request_registry.ts";
import { concurrent } from "../server/concurrent.ts";
import { runHandler } from "../server/request_stages.ts";
import type { Socket } from "../socket/socket_object.ts";
import type { RequestHandlerConstructor } from "../stages/handler_types.ts";
import type { LimitName } from "../stages/server_status.ts";
import { TCPServer } from "../../server.ts";

/** The calls that the server makes to the main thread. */
export interface AcceptingHooks {
  /** Reports an error of a handler. */
  onError(clientAddress: Address, error: unknown): void;
  /** Reports that a limit was reached. */
  onLimit(limit: LimitName, clientAddress: Address | null): void;
  /** Calls `shutdown` of the program's server. */
  shutdown(): Promise<void>;
}

/** Accepts on a shared socket, and runs the handlers as tasks. The program's own server is in the main thread. */
export class AcceptingServer extends concurrent(TCPServer) {
  static override maxConnections = Infinity; // the workers share their places
  readonly #hooks: AcceptingHooks;
  readonly #stub: AcceptingStub;

  /**
   * @param socket The listener on the shared socket.
   * @param Handler The class of handlers.
   * @param facts The facts about the program's server.
   * @param limits The limits of a request's time.
   * @param hooks The calls to the main thread.
   */
  constructor(
    socket: Socket,
    Handler: RequestHandlerConstructor,
    facts: ServerFacts,
    limits: TimeLimits,
    hooks: AcceptingHooks,
  ) {
    super(socket, Handler, { ...limits });
    this.#hooks = hooks;
    this.#stub = new AcceptingStub(facts, this, hooks);
  }

  override finishRequest(
    request: unknown,
    clientAddress: Address,
  ): void | Promise<void> {
    const { RequestHandlerClass: Handler } = this;
    return runHandler(new Handler(request, clientAddress, this.#stub));
  }

  override handleError(
    _request: unknown,
    clientAddress: Address,
    error: unknown,
  ): void {
    this.#hooks.onError(clientAddress, error);
  }

  override handleLimit(limit: LimitName, clientAddress: Address | null): void {
    this.#hooks.onLimit(limit, clientAddress);
  }

  /** Prints nothing: the program's server does. */
  override handleSlowClose(): void {}
}

/** `this.server` of the handlers. */
class AcceptingStub extends ServerStub {
  readonly #server: AcceptingServer;
  readonly #hooks: AcceptingHooks;

  constructor(
    facts: ServerFacts,
    server: AcceptingServer,
    hooks: AcceptingHooks,
  ) {
    super(facts);
    this.#server = server;
    this.#hooks = hooks;
    shareRequests(this, server);
    reportLimits(this, (limit, request) => {
      const client = requestsOf(server).of(request)?.clientAddress ?? null;
      noteLimit(server, limit, client);
    });
  }

  override requestSignal(request: unknown): AbortSignal {
    return this.#server.requestSignal(request);
  }

  override shutdown(): Promise<void> {
    return this.#hooks.shutdown();
  }
}
