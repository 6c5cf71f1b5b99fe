/**
 * The connections that a blocking handler opens.
 *
 * @module
 */

import { osError } from "../base/translate_error.ts";
import type { FrameChannel } from "../channel/frame_channel.ts";
import * as frames from "../channel/frames.ts";
import { WorkerStream } from "../channel/worker_stream.ts";
import { type Failure, fromFailure } from "../handoff/failure.ts";
import type { BlockingSocket } from "./blocking_socket.ts";
import { BlockingSocketShell } from "./blocking_socket_shell.ts";
import { BlockingStream } from "./blocking_transports.ts";
import { setBlockingThread } from "./blocking_thread.ts";
import { blockForSockets, waitForRequestSync } from "./blocking_waits.ts";
import { Deadline } from "./deadline.ts";

/** The most open connections of a worker: as many descriptors as a process has by default on most systems. */
const CONNECTIONS_MAX = 1024;

/** The result of an attempt; both undefined while it goes on. */
interface PendingConnect {
  stream?: WorkerStream;
  failure?: Failure;
}

/** Opens connections through the main thread, which resolves names and moves the bytes. Owns the connections. */
export class BlockingConnections {
  /** The channel to the main thread. */
  readonly channel: FrameChannel;
  readonly #attempts = new Map<number, PendingConnect>();
  readonly #open = new Map<number, WorkerStream>();
  #lastId = 0;

  /** @param channel The channel to the main thread. */
  constructor(channel: FrameChannel) {
    this.channel = channel;
  }

  /** The id of the last connection. Later ones are below. */
  get lastId(): number {
    return this.#lastId;
  }

  /** Opens a connection, and blocks until it is open or has failed. */
  connect(
    call: frames.ConnectCall,
    signal: AbortSignal | undefined,
  ): BlockingSocket {
    this.#makeRoom();
    const id = --this.#lastId;
    const attempt: PendingConnect = {};
    const limit = new Deadline(null, signal); // the main thread has the timeout
    this.#attempts.set(id, attempt);
    this.channel.send(frames.CONNECT, id, frames.pack(call));
    const ended = () => (attempt.stream ?? attempt.failure) !== undefined;
    try {
      limit.wait(this.channel, ended, "connect");
    } catch (error) {
      this.channel.send(frames.ABORT, id);
      throw error;
    } finally {
      this.#attempts.delete(id);
    }
    if (attempt.failure !== undefined) throw fromFailure(attempt.failure);
    return this.#socket(id, attempt.stream!);
  }

  #socket(id: number, stream: WorkerStream): BlockingSocket {
    this.#open.set(id, stream);
    const socket = new BlockingSocketShell(
      new BlockingStream(stream, this.channel),
    );
    socket.settimeout(stream.opening.timeout);
    return socket;
  }

  /** Forgets the closed connections. Throws EMFILE if too many are open. */
  #makeRoom(): void {
    for (const [id, stream] of this.#open) {
      if (stream.closed) this.#open.delete(id);
    }
    if (this.#open.size < CONNECTIONS_MAX) return;
    const reason = `the handler has ${CONNECTIONS_MAX} open connections`;
    throw osError("EMFILE", { syscall: "connect", reason });
  }

  /** Handles a frame of a connection or an attempt. */
  onFrame(type: number, id: number, payload: Uint8Array): void {
    const attempt = this.#attempts.get(id);
    if (attempt === undefined) {
      return this.#open.get(id)?.onFrame(type, payload); // undefined for a closed connection
    }
    if (type === frames.OPEN) {
      const opening = frames.unpack<frames.Opening>(payload)!;
      attempt.stream = new WorkerStream(id, opening, this.channel);
    } else if (type === frames.CONNECT_FAILED) {
      attempt.failure = frames.unpack(payload);
    } else attempt.stream?.onFrame(type, payload); // came with OPEN
  }

  /** Closes the connections that were opened after the one with the id `lastId`. */
  closeSince(lastId: number): void {
    for (const [id, stream] of this.#open) {
      if (id >= lastId) continue;
      stream.close();
      this.#open.delete(id);
    }
  }
}

/** Allows the handlers of this thread, a worker, to block it: its connections are these. */
export function setConnections(connections: BlockingConnections): void {
  setBlockingThread({
    connect: (call, signal) => connections.connect(call, signal),
    select: (lists, timeout, signal) =>
      blockForSockets(connections.channel, lists, timeout, signal),
    waitForRequest: waitForRequestSync,
  });
}
