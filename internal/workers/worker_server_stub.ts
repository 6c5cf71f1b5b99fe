/**
 * The stub of the server in a worker: `this.server` of its handlers.
 *
 * @module
 */

import type { OSError } from "../base/errors.ts";
import { type ServerFacts, ServerStub } from "../handoff/server_stub.ts";

/** Implements {@linkcode WorkerServer} in a worker. */
export class WorkerServerStub extends ServerStub {
  readonly #shutdown: () => Promise<void>;
  readonly #receive: (() => void) | undefined;
  readonly #signals = new Map<unknown, AbortController>();
  #draining: boolean;

  /**
   * @param init The facts about the server.
   * @param draining Whether the server is shutting down.
   * @param shutdown Calls the server's `shutdown`.
   * @param receive Handles the frames that have come, for blocking handlers, which give the event loop no turn.
   */
  constructor(
    init: ServerFacts,
    draining: boolean,
    shutdown: () => Promise<void>,
    receive?: () => void,
  ) {
    super(init);
    this.#draining = draining;
    this.#shutdown = shutdown;
    this.#receive = receive;
  }

  /** Returns the signal of a request. It is aborted when the server shuts down. */
  override requestSignal(request: unknown): AbortSignal {
    this.#receive?.();
    let controller = this.#signals.get(request);
    if (controller === undefined) {
      this.#signals.set(request, controller = new AbortController());
      if (this.#receive) receiveBeforeReading(controller.signal, this.#receive);
      if (this.#draining) controller.abort();
    }
    return controller.signal;
  }

  /** Calls the server's `shutdown`. */
  override shutdown(): Promise<void> {
    return this.#shutdown();
  }

  /** Aborts the signals of all requests. */
  drain(): void {
    this.#draining = true;
    for (const controller of this.#signals.values()) controller.abort();
  }

  /** Aborts the signal of a request whose time is up. */
  expire(request: unknown, error: OSError): void {
    let controller = this.#signals.get(request);
    if (controller === undefined) {
      this.#signals.set(request, controller = new AbortController());
    }
    controller.abort(error);
  }

  /** Drops the signal of a request that has ended. */
  forget(request: unknown): void {
    this.#signals.delete(request);
  }
}

const { get: isAborted } = Object.getOwnPropertyDescriptor(
  AbortSignal.prototype,
  "aborted",
)!;

/** Makes a signal receive frames before each look at it: a blocking handler may loop on `signal.aborted` alone. */
function receiveBeforeReading(signal: AbortSignal, receive: () => void): void {
  Object.defineProperties(signal, {
    aborted: {
      get() {
        receive();
        return isAborted!.call(signal);
      },
    },
    throwIfAborted: {
      value() {
        receive();
        AbortSignal.prototype.throwIfAborted.call(signal);
      },
    },
  });
}
