/**
 * Waits for the first byte of the next message of a blocking handler.
 *
 * @module
 */

import type { Tied } from "../files/raw_streams.ts";
import { endsIdle } from "../requests/idle_waits.ts";
import { requestsOf } from "../requests/request_registry.ts";
import { notConnected } from "../requests/wait_for_request.ts";
import { blockingStateOf } from "./blocking_socket_shell.ts";

/**
 * Blocks until a connection has a byte that nobody has read.
 *
 * @param server The stand-in of the server.
 * @param request The connection.
 * @param tie A writer whose bytes are sent before the wait.
 * @returns Whether there is one. False at the end of the stream, at the server's `idleTimeout`, and if the server drains.
 */
export function waitForRequestSync(
  server: object,
  request: object,
  tie?: Tied,
): boolean {
  const state = blockingStateOf(request);
  if (state === undefined) throw notConnected(request);
  if (state.unread) return true;
  tie?.sendHeld();
  const requests = requestsOf(server);
  const { idleWaits } = requests;
  try {
    return idleWaits.block(
      requests.of(request),
      () => state.waitReadable(() => idleWaits.over),
    );
  } catch (error) {
    return endsIdle(request, error);
  }
}
