/**
 * The waits of a blocking handler: for one of several sockets, and for the next message of a connection.
 *
 * @module
 */

import { BlockingIOError, TimeoutError } from "../base/errors.ts";
import type { FrameChannel } from "../channel/frame_channel.ts";
import { typeName } from "../files/file_arguments.ts";
import type { Tied } from "../files/raw_streams.ts";
import { endsIdle } from "../requests/idle_waits.ts";
import { requestsOf } from "../requests/request_registry.ts";
import { notConnected } from "../requests/wait_for_request.ts";
import { checkAborted } from "../waiting/abort.ts";
import type { BlockingSocket } from "./blocking_socket.ts";
import { blockingStateOf } from "./blocking_socket_shell.ts";
import type { BlockingReadiness } from "./blocking_state.ts";
import { Deadline } from "./deadline.ts";

/** Blocks until a socket is ready. Returns the ready sockets of each list. */
export function blockForSockets<
  R extends BlockingSocket,
  W extends BlockingSocket,
  X extends BlockingSocket,
>(
  channel: FrameChannel,
  [rlist, wlist, xlist]: readonly [readonly R[], readonly W[], readonly X[]],
  timeout: number | null,
  signal: AbortSignal | undefined,
): [R[], W[], X[]] {
  const readers = rlist.map(withReadiness);
  const writers = wlist.map(withReadiness);
  xlist.forEach(withReadiness);
  const found = (): [R[], W[], X[]] => [
    readers.filter(([, now]) => now.readable).map(([socket]) => socket),
    writers.filter(([, now]) => now.writable).map(([socket]) => socket),
    [],
  ];
  let ready: [R[], W[], X[]] = [[], [], []];
  const limit = new Deadline(timeout === 0 ? "now" : timeout, signal);
  const check = () => {
    ready = found();
    return ready[0].length > 0 || ready[1].length > 0;
  };
  blockUntil(check, channel, limit, signal);
  return ready;
}

/** Blocks until `check` returns true, or until the limit. Throws the reason of an aborted signal. */
function blockUntil(
  check: () => boolean,
  channel: FrameChannel,
  limit: Deadline,
  signal: AbortSignal | undefined,
): void {
  channel.receive(); // bytes that have come since the last call
  try {
    limit.wait(channel, check, "select");
  } catch (error) {
    checkAborted(signal);
    const late = error instanceof TimeoutError ||
      error instanceof BlockingIOError;
    if (!late) throw error;
  }
}

/** Returns a socket with its readiness. Throws EBADF if the socket is closed, and a TypeError if it is none. */
function withReadiness<S extends BlockingSocket>(
  socket: S,
): [S, BlockingReadiness] {
  const state = blockingStateOf(socket);
  if (state === undefined) {
    const got = typeName(socket);
    throw new TypeError(
      `Cannot select: the lists must hold BlockingSockets, got ${got}`,
    );
  }
  state.checkOpen("select");
  return [socket, state.readiness];
}

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
