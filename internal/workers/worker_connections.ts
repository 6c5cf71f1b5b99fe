/**
 * The main thread's side of the connections that blocking handlers open.
 *
 * @module
 */

import { createConnection } from "../socket/create_connection.ts";
import { type Socket, stateOf } from "../socket/socket_object.ts";
import type { FrameChannel } from "../channel/frame_channel.ts";
import * as frames from "../channel/frames.ts";
import { StreamRelay } from "./stream_relay.ts";

/** The reason of attempts that were given up. Nobody sees it. */
const GIVEN_UP = new Error("the worker waits for it no longer");

/** Opens the connections of one worker, and owns them. */
export class WorkerConnections {
  readonly #channel: FrameChannel;
  readonly #attempts = new Map<number, AbortController>();
  readonly #open = new Map<number, [StreamRelay, Socket]>();

  /** @param channel The channel to the worker. */
  constructor(channel: FrameChannel) {
    this.#channel = channel;
  }

  /** Handles a frame of a connection or an attempt. */
  onFrame(type: number, id: number, payload: Uint8Array): void {
    if (type === frames.CONNECT) {
      return void this.#connect(
        id,
        frames.unpack<frames.ConnectCall>(payload)!,
      );
    }
    this.#attempts.get(id)?.abort(GIVEN_UP); // the only frame of an attempt is ABORT
    const [relay] = this.#open.get(id) ?? [];
    if (type === frames.CLOSE || type === frames.ABORT) this.#open.delete(id);
    relay?.onFrame(type, payload);
  }

  async #connect(id: number, call: frames.ConnectCall): Promise<void> {
    const attempt = new AbortController();
    const { signal } = attempt;
    this.#attempts.set(id, attempt);
    try {
      const socket = await createConnection(call.address, { ...call, signal });
      if (signal.aborted) socket.close();
      else this.#relay(id, socket);
    } catch (error) {
      if (signal.aborted) return;
      this.#channel.send(frames.CONNECT_FAILED, id, frames.packFailure(error));
    } finally {
      this.#attempts.delete(id);
    }
  }

  #relay(id: number, socket: Socket): void {
    const relay = new StreamRelay(this.#channel, id, socket);
    this.#open.set(id, [relay, socket]);
    relay.open(socket.getpeername());
  }

  /** Ends all attempts and connections: the worker is dead. The bytes that it has sent are still written. */
  close(): void {
    for (const attempt of this.#attempts.values()) attempt.abort(GIVEN_UP);
    for (const [relay, socket] of this.#open.values()) {
      relay.end().then(() => stateOf(socket).close(false));
    }
    this.#open.clear();
  }
}
