/**
 * The calls of a blocking handler that its thread answers. The worker that runs such handlers sets them, so no other
 * thread loads the blocking sockets and their files.
 *
 * @module
 */

import type { ConnectCall } from "../channel/frames.ts";
import type { Tied } from "../files/raw_streams.ts";
import type { BlockingSocket } from "./blocking_socket.ts";

/** The calls that block a thread. */
export interface BlockingThread {
  /** Opens a connection. */
  connect(call: ConnectCall, signal: AbortSignal | undefined): BlockingSocket;

  /** Waits until a socket is ready. Returns the ready sockets of each list. */
  select<
    R extends BlockingSocket,
    W extends BlockingSocket,
    X extends BlockingSocket,
  >(
    lists: readonly [readonly R[], readonly W[], readonly X[]],
    timeout: number | null,
    signal: AbortSignal | undefined,
  ): [R[], W[], X[]];

  /** Waits for the first byte of the next message. */
  waitForRequest(server: object, request: unknown, tie?: Tied): boolean;
}

let current: BlockingThread | undefined;

/** Allows the handlers of this thread, a worker, to block it. */
export function setBlockingThread(thread: BlockingThread): void {
  current = thread;
}

/** Returns the calls of this thread; undefined if its code must not block. */
export function blockingThread(): BlockingThread | undefined {
  return current;
}
