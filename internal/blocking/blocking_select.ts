/**
 * Waits until one of several sockets of a blocking handler is ready.
 *
 * @module
 */

import { BlockingIOError, TimeoutError } from "../base/errors.ts";
import type { FrameChannel } from "../channel/frame_channel.ts";
import { typeName } from "../files/file_arguments.ts";
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
