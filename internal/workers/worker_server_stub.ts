/**
 * The stub of the server in a worker.
 *
 * @module
 */

import { type ServerFacts, ServerStub } from "../handoff/server_stub.ts";
import { type Requests, requestsOf } from "../requests/request_registry.ts";

/** `this.server` of the handlers in a worker. */
export class WorkerServerStub extends ServerStub {
  readonly #shutdown: () => Promise<void>;
  readonly #receive: (() => void) | undefined;
  /** The signals that receive frames before each look at them. */
  readonly #receiving = new WeakSet<AbortSignal>();
  /** The open requests of the worker. */
  readonly requests: Requests = requestsOf(this);

  /**
   * @param facts The facts about the server.
   * @param draining Whether the server is shutting down.
   * @param shutdown Calls the server's `shutdown`.
   * @param receive Handles the frames that have come, for blocking handlers, which give the event loop no turn.
   */
  constructor(
    facts: ServerFacts,
    draining: boolean,
    shutdown: () => Promise<void>,
    receive?: () => void,
  ) {
    super(facts);
    this.#shutdown = shutdown;
    this.#receive = receive;
    if (!draining) return;
    this.requests.drain();
    this.requests.idleWaits.end();
  }

  /** Returns the signal of a request. It is aborted when the server shuts down. */
  override requestSignal(request: unknown): AbortSignal {
    const receive = this.#receive;
    receive?.();
    const signal = this.requests.signal(request);
    if (receive !== undefined && !this.#receiving.has(signal)) {
      this.#receiving.add(signal);
      receiveBeforeReading(signal, receive);
    }
    return signal;
  }

  /** Calls the server's `shutdown`. */
  override shutdown(): Promise<void> {
    return this.#shutdown();
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
