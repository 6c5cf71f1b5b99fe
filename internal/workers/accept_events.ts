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

/** An open request. */
interface OpenRequest {
  readonly event: RequestStartEvent;
  /** The time of the start, on the clock of `performance.now()`. */
  readonly since: number;
}

/** Publishes the events of one server's requests in the main thread. */
export class AcceptEvents {
  readonly #server: AnyServer;
  /** The open requests of each worker, by the number that the request has there. */
  readonly #open = new WeakMap<object, Map<number, OpenRequest>>();

  /** @param server The server. */
  constructor(server: AnyServer) {
    this.#server = server;
  }

  /** Publishes an event of a worker. */
  publish(worker: object, { id, clientAddress, stop, failure }: AcceptEvent) {
    const open = this.#open.get(worker) ?? new Map<number, OpenRequest>();
    this.#open.set(worker, open);
    const event = open.get(id)?.event ?? this.#begin(clientAddress);
    if (stop === undefined) {
      return void open.set(id, { event, since: performance.now() });
    }
    open.delete(id);
    const error = failure === undefined ? undefined : fromFailure(failure);
    const { rejected } = stop; // JSON has dropped it if it is undefined
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

  /** Publishes that the open requests of a worker have ended with it: they failed with `error`, or were cut off without one. */
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
 * Returns a closed socket of the client's family: the request that hooks and subscribers in the main thread get for a
 * connection that a worker has accepted.
 */
export function closedRequest(client: Address | null): Socket {
  const host = Array.isArray(client) ? client[0] : "";
  return closedSocket(host.includes(":") ? AF_INET6 : AF_INET);
}
