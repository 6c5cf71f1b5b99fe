/**
 * A request whose events somebody listens to.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { Socket, stateOf } from "../socket/socket_object.ts";
import type {
  AnyServer,
  RequestEndReason,
  RequestStopEvent,
} from "../stages/event_types.ts";
import { requestStart, requestStop } from "../stages/events.ts";

/** The details of an end that `RequestEnd` does not tell. */
export type RequestDetails = Partial<
  Pick<RequestStopEvent, "reason" | "rejected" | "error">
>;

let lastId = 0;

/** Returns the number of another request. */
export function nextRequestId(): number {
  return ++lastId;
}

/** Publishes the start and the end of one request. */
export class ObservedRequest {
  readonly #server: AnyServer;
  readonly #id = nextRequestId();
  readonly #since = performance.now();
  #clientAddress: Address = "";
  #started = false;
  #stopped = false;
  #details: RequestDetails = {};

  /** The number of the request. */
  get id(): number {
    return this.#id;
  }

  /** @param server The server, which has got the request now. */
  constructor(server: object) {
    this.#server = server as AnyServer;
  }

  /** Publishes the start, once: when the client is known, which may take a PROXY header. */
  start(request: unknown, clientAddress: Address = ""): void {
    this.#clientAddress = clientAddress;
    if (this.#started) return;
    this.#started = true;
    if (!requestStart.hasSubscribers) return;
    requestStart.publish({
      server: this.#server,
      id: this.#id,
      request,
      clientAddress,
    });
  }

  /** Sets the details of the end. */
  note(details: RequestDetails): void {
    this.#details = details;
  }

  /** Publishes the end, once: when the last bytes are sent, if they are on their way. */
  stop(request: unknown, end: RequestEndReason): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.start(request, this.#clientAddress);
    const flushed = request instanceof Socket
      ? stateOf(request).flushed
      : undefined;
    const publish = () => this.#publish(request, end);
    if (flushed === undefined || end === "forced") publish();
    else flushed.then(publish, publish);
  }

  #publish(request: unknown, end: RequestEndReason): void {
    if (!requestStop.hasSubscribers) return;
    const { reason = end, rejected, error } = this.#details;
    requestStop.publish({
      server: this.#server,
      id: this.#id,
      request,
      clientAddress: this.#clientAddress,
      duration: (performance.now() - this.#since) / 1000,
      ...byteCountsOf(request),
      reason,
      rejected,
      error,
    });
  }
}

/** Reports whether anybody listens to the events of requests. */
export function hasRequestSubscribers(): boolean {
  return requestStart.hasSubscribers || requestStop.hasSubscribers;
}

/** Returns the bytes of a request: of its connection, or of its datagram. */
function byteCountsOf(
  request: unknown,
): Pick<RequestStopEvent, "bytesIn" | "bytesOut"> {
  if (request instanceof Socket) {
    const { bytesIn, bytesOut } = stateOf(request).byteCounts;
    return { bytesIn, bytesOut };
  }
  const packet = Array.isArray(request) ? request[0] : undefined;
  const bytesIn = packet instanceof Uint8Array ? packet.length : 0;
  return { bytesIn, bytesOut: null };
}
