/**
 * A listening stream socket.
 *
 * @module
 */

import { type Limit, whenReady } from "./alarm.ts";
import { osError, translate } from "./errors.ts";
import { Slot } from "./slot.ts";
import type { ListenerTransport, StreamTransport } from "./transport.ts";

/** Accepts connections, one accept in flight at most. Owns the transport and closes it. */
export class Listener {
  /** What is underneath. */
  readonly transport: ListenerTransport;
  /** The accept in flight and its result. */
  readonly pending: Slot<StreamTransport>;
  #closed = false;

  /** @param transport What to own. */
  constructor(transport: ListenerTransport) {
    this.transport = transport;
    this.pending = new Slot(() => transport.accept());
  }

  /** Whether a connection, or a call in flight, would be lost. */
  get busy(): boolean {
    return this.pending.busy;
  }

  /** Takes the next connection. */
  accept(limit: Limit): Promise<StreamTransport> {
    return whenReady(this.pending, limit, "accept", () => this.take());
  }

  /** Takes the connection that is there, or throws why there is none. */
  take(): StreamTransport {
    try {
      return this.pending.take();
    } catch (error) {
      if (this.#closed) {
        throw osError("EBADF", {
          syscall: "accept",
          reason: "the socket was closed",
        });
      }
      throw translate(error, { syscall: "accept" });
    }
  }

  /**
   * Closes. A connection that nobody took is closed too.
   *
   * @returns Resolves when the accept in flight has ended, and the system has the address back.
   */
  close(): Promise<void> {
    this.#closed = true;
    this.pending.drop()?.close();
    this.transport.close();
    return this.pending.abandon((late) => late.close());
  }
}
