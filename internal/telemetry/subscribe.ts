/**
 * Subscriptions to the events of servers.
 *
 * @module
 */

import { awaitHint } from "../base/message_hints.ts";
import { inspect } from "../runtime/system/deno_api.ts";
import { subscribeTo } from "../runtime/system/event_channel.ts";
import type {
  AnyServer,
  EventName,
  ServerEvents,
} from "../stages/event_types.ts";
import { EVENT_NAMES, isListening } from "../stages/events.ts";

/**
 * Calls a function for each event of a channel, of all servers of the process: `subscribe` of
 * `node:diagnostics_channel` with types. The first error of a function is printed. Errors of the function do not harm
 * the server.
 *
 * @typeParam N The name of the channel.
 * @param name The name of the channel.
 * @param listener The function. The server waits while it runs, so it should be quick.
 * @returns Ends the subscription when it is disposed of.
 * @throws {TypeError} if there is no such channel.
 * @category Events
 * @example
 * ```ts
 * import { strictEqual } from "node:assert/strict";
 * import { createConnection, StreamRequestHandler, TCPServer } from "@socketserver/socketserver";
 * import { subscribe } from "@socketserver/socketserver/telemetry";
 *
 * class Greeter extends StreamRequestHandler {
 *   override async handle() {
 *     await this.wfile.write("hello");
 *   }
 * }
 *
 * let sent: number | null = 0;
 * using _subscription = subscribe("socketserver.request.stop", ({ bytesOut }) => sent = bytesOut);
 *
 * await using server = new TCPServer(["127.0.0.1", 0], Greeter);
 * const handled = server.handleRequest();
 * using client = await createConnection(server.serverAddress);
 * await client.recv(100);
 * await handled;
 * strictEqual(sent, 5);
 * ```
 */
export function subscribe<N extends EventName>(
  name: N,
  listener: (event: ServerEvents[N]) => void,
): Disposable {
  if (EVENT_NAMES.has(name)) return subscribeTo(name, listener);
  throw new TypeError(
    `Cannot subscribe to ${JSON.stringify(name)}: it is not one of ${
      [...EVENT_NAMES].join(", ")
    }`,
  );
}

/** The functions for the events of one server. */
export type Listeners = {
  readonly [N in EventName]?: (event: ServerEvents[N]) => void;
};

/**
 * Calls functions for the events of one server, until the result is disposed of. If the start of the server was published
 * before, to the subscribers of another server, calls the function for that at once.
 *
 * @throws {TypeError} if it is no server.
 */
export function listenTo(server: AnyServer, listeners: Listeners): Disposable {
  checkServer(server);
  const subscriptions = new DisposableStack();
  for (const name of EVENT_NAMES) {
    const listener = listeners[name] as
      | ((event: ServerEvents[EventName]) => void)
      | undefined;
    if (listener === undefined) continue;
    subscriptions.use(subscribe(name, (event) => {
      if (event.server === server) listener(event);
    }));
  }
  if (isListening(server)) {
    const started = { server, address: server.serverAddress };
    listeners["socketserver.listener.start"]?.(started);
  }
  return subscriptions;
}

function checkServer(value: unknown): void {
  if (typeof Object(value).serveForever === "function") return;
  throw new TypeError(
    `Cannot observe: pass a server, got ${inspect(value, { depth: 0 })}${
      awaitHint(value)
    }`,
  );
}
