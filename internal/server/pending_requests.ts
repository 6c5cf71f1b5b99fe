/**
 * Requests that wait for something before the loop takes them on: their PROXY header, or their TLS handshake.
 *
 * @module
 */

import { Queue } from "../base/queue.ts";
import type {
  ActiveRequest,
  KnownRequest,
} from "../requests/active_request.ts";
import { cutOff } from "../socket/server_calls.ts";
import type { ServerStages } from "../stages/stages.ts";
import { turnAway } from "./rejection.ts";

/**
 * Keeps the requests that wait, and those whose wait is over until the loop takes them.
 *
 * @typeParam R The type of a request.
 */
export class PendingRequests<R> {
  readonly #server: ServerStages<R>;
  readonly #wake: () => void;
  readonly #pending = new Set<ActiveRequest<R>>();
  readonly #ready = new Queue<KnownRequest<R>>();
  #quiet: PromiseWithResolvers<void> | undefined;

  /**
   * @param server The server.
   * @param wake Called when the wait of a request is over.
   */
  constructor(server: ServerStages<R>, wake: () => void) {
    this.#server = server;
    this.#wake = wake;
  }

  /** Reports whether no request waits. */
  get empty(): boolean {
    return this.#pending.size === 0;
  }

  /** Reports whether the loop may take a request. */
  get ready(): boolean {
    return this.#ready.first !== undefined;
  }

  /** Takes the request whose wait was over first. */
  take(): KnownRequest<R> | undefined {
    return this.#ready.shift();
  }

  /** Begins the wait of a request. */
  begin(active: ActiveRequest<R>): void {
    active.detached = true;
    this.#pending.add(active);
  }

  /** Hands a request to the loop. */
  hand(active: KnownRequest<R>): void {
    this.#ready.push(active);
  }

  /** Ends the wait of a request, whatever has become of it, and wakes the loop. */
  end(active: ActiveRequest<R>): void {
    this.#pending.delete(active);
    this.#wake();
    if (this.empty) this.#quiet?.resolve();
  }

  /** Resolves when no request waits. */
  async settled(): Promise<void> {
    if (this.empty) return;
    await (this.#quiet ??= Promise.withResolvers()).promise;
    this.#quiet = undefined;
  }

  /** Cuts off the requests that wait, and turns those away that the loop has not taken: the server shuts down. */
  drain(): void {
    for (const { request } of this.#pending) cutOff(request);
    for (let next; (next = this.take()) !== undefined;) {
      const { request, clientAddress } = next;
      void turnAway(this.#server, request, clientAddress, "draining");
    }
  }
}
