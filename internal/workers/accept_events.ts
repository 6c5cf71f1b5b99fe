/**
 * The events of requests that workers have accepted.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { AF_INET, AF_INET6 } from "../base/constants.ts";
import { fromFailure } from "../handoff/failure.ts";
import { nextRequestId } from "../requests/observed_request.ts";
import type { AnyServer, RequestStartEvent } from "../stages/event_types.ts";
import { requestStart, requestStop } from "../stages/events.ts";
import { closedSocket } from "../server/accept_in.ts";
import type { Socket } from "../socket/socket_object.ts";
import type { AcceptEvent } from "./accepting_runner.ts";

/** A request that has begun. */
interface Begun {
  readonly event: RequestStartEvent;
  readonly since: number;
}

/** Publishes the events of requests in the main thread. */
export class AcceptEvents {
  readonly #server: AnyServer;
  /** The open requests of each worker, by the number that the request has there. */
  readonly #open = new WeakMap<object, Map<number, Begun>>();

  /** @param server The server. */
  constructor(server: AnyServer) {
    this.#server = server;
  }

  /** Publishes an event of a worker. */
  publish(worker: object, { id, clientAddress, stop, failure }: AcceptEvent) {
    const open = this.#open.get(worker) ?? new Map<number, Begun>();
    this.#open.set(worker, open);
    const event = open.get(id)?.event ?? this.#begin(clientAddress);
    if (stop === undefined) {
      return void open.set(id, { event, since: performance.now() });
    }
    open.delete(id);
    const error = failure === undefined ? undefined : fromFailure(failure);
    const { rejected } = stop;
    requestStop.publish({ ...event, ...stop, rejected, error });
  }

  #begin(clientAddress: RequestStartEvent["clientAddress"]): RequestStartEvent {
    const event = {
      server: this.#server,
      id: nextRequestId(),
      request: closedRequest(clientAddress),
      clientAddress,
    };
    requestStart.publish(event);
    return event;
  }

  /** Publishes the end of the requests of a worker that has died; of its error if they have failed. */
  end(worker: object, error: Error | undefined): void {
    for (const { event, since } of this.#open.get(worker)?.values() ?? []) {
      requestStop.publish({
        ...event,
        duration: (performance.now() - since) / 1000,
        bytesIn: 0,
        bytesOut: 0,
        reason: error === undefined ? "forced" : "failed",
        rejected: undefined,
        error,
      });
    }
    this.#open.delete(worker);
  }
}

/**
 * Returns the request of a connection that a worker has accepted, for hooks and subscribers in the main thread: a closed
 * socket of the client's family.
 */
export function closedRequest(client: Address | null): Socket {
  const host = Array.isArray(client) ? client[0] : "";
  return closedSocket(host.includes(":") ? AF_INET6 : AF_INET);
}
