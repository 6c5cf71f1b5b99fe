/**
 * The channels on which a server publishes its events. Each event is made only if its channel has a subscriber. An error of
 * a handler goes to the stage `handleError` too.
 *
 * @module
 */

import { EventChannel } from "../runtime/system/event_channel.ts";
import type { AnyServer, EventName, ServerEvents } from "./event_types.ts";
import { saySubscriberFailed } from "./report.ts";
import type { ServerCloseReport } from "./server_options.ts";
import type { Address } from "../base/address.ts";
import type { ServerStages } from "./stages.ts";

/** The names of the channels. */
export const EVENT_NAMES: Set<EventName> = new Set();

function channel<N extends EventName>(
  name: N,
): EventChannel<ServerEvents[N]> {
  EVENT_NAMES.add(name);
  return new EventChannel(name, saySubscriberFailed);
}

/** A server listens. */
const listenerStart = channel("socketserver.listener.start");
/** A server has closed. */
const listenerStop = channel("socketserver.listener.stop");
/** A call of `getRequest` has failed. */
export const acceptError = channel("socketserver.accept.error");
/** A server has got a request. */
export const requestStart = channel("socketserver.request.start");
/** A request has ended. */
export const requestStop = channel("socketserver.request.stop");
/** A TLS handshake has ended. */
export const handshakeEnd = channel("socketserver.handshake");
/** A limit was reached. */
export const limitReached = channel("socketserver.limit");
/** A handler has thrown. */
const handlerError = channel("socketserver.handler.error");
/** A worker has started. */
export const workerStart = channel("socketserver.worker.start");
/** A worker has ended. */
export const workerExit = channel("socketserver.worker.exit");
/** A child process has started. */
export const childStart = channel("socketserver.child.start");
/** A child process has ended. */
export const childExit = channel("socketserver.child.exit");

/** The servers that listen, and whether their start was published. */
const listening = new WeakMap<AnyServer, boolean>();

/** Publishes that a server listens, once: when it is bound, or when it begins to serve if nobody listened before. */
export function publishListening(
  bound: Pick<AnyServer, "serverAddress">,
): void {
  const server = bound as AnyServer;
  if (listening.get(server)) return;
  listening.set(server, listenerStart.hasSubscribers);
  if (!listenerStart.hasSubscribers) return;
  listenerStart.publish({ server, address: server.serverAddress });
}

/** Reports whether a server listens and its start was published, which a new subscriber has missed. */
export function isListening(server: AnyServer): boolean {
  return listening.get(server) === true;
}

/** Publishes that a server that listened has closed, once. */
export function publishClosed(
  server: AnyServer,
  report: ServerCloseReport,
): void {
  if (!listening.delete(server) || !listenerStop.hasSubscribers) return;
  listenerStop.publish({ server, address: server.serverAddress, report });
}

/** Publishes an error of a handler or of a stage, and calls `handleError`. */
export function reportError<R>(
  server: ServerStages<R>,
  request: R,
  clientAddress: Address,
  error: unknown,
): void | Promise<void> {
  if (handlerError.hasSubscribers) {
    handlerError.publish({ server, request, clientAddress, error });
  }
  return server.handleError(request, clientAddress, error);
}
