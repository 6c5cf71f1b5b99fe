/**
 * The start of a server: `serverBind` and `serverActivate`.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { Start } from "../waiting/start.ts";
import { publishListening } from "../stages/events.ts";
import { noteBound } from "./never_served.ts";

/** The part of a server that starts. */
interface StartingServer {
  readonly serverAddress: Address;
  readonly socket: { close(): void };
  fileno(): number;
  serverBind(): void | Promise<void>;
  serverActivate(): void | Promise<void>;
}

/**
 * Binds and activates a server, or only activates a server whose socket is bound already (`bound`). If one of the two
 * returns a promise, the start goes on in the background, and {@linkcode Start.of} has it. A failure closes the socket.
 *
 * @throws The error of a stage that returned no promise.
 */
export function bindAndActivate(server: StartingServer, bound = false): void {
  let starting: void | Promise<void>;
  try {
    starting = bound ? server.serverActivate() : begin(server);
  } catch (error) {
    server.socket.close();
    throw error;
  }
  if (starting === undefined) return started(server);
  const start: Start = new Start(
    server,
    finish(server, starting, () => start.cancelled),
  );
}

function begin(server: StartingServer): void | Promise<void> {
  const bound = server.serverBind();
  if (bound === undefined) return server.serverActivate();
  return activateAfter(bound, server);
}

async function activateAfter(
  bound: Promise<void>,
  server: StartingServer,
): Promise<void> {
  await bound;
  await server.serverActivate();
}

/** Ends a start that took time. A server that was closed meanwhile may have opened its socket since. */
async function finish(
  server: StartingServer,
  starting: Promise<void>,
  isClosed: () => boolean,
): Promise<void> {
  try {
    await starting;
  } catch (error) {
    server.socket.close();
    throw error;
  }
  if (isClosed()) server.socket.close();
  else started(server);
}

function started(server: StartingServer): void {
  noteBound(server);
  publishListening(server);
}
