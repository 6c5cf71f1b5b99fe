/**
 * A listening stream socket.
 *
 * @module
 */

import {
  type AddressLike,
  formatAddress,
  fromTransport,
} from "../base/address.ts";
import type { WaitLimit } from "../waiting/timeouts.ts";
import { whenReady } from "../waiting/when_ready.ts";
import { osError, translate } from "../base/translate_error.ts";
import { PendingOperation } from "../waiting/pending_operation.ts";
import type {
  ListenerTransport,
  StreamTransport,
  TransportAddr,
} from "../runtime/transport/transport.ts";

/** The addresses of closed listeners whose accept in flight has not ended yet: the system still holds them. */
const held = new Set<string>();

function holdUntil(addr: TransportAddr, released: Promise<void>): void {
  const address = formatAddress(fromTransport(addr));
  held.add(address);
  released.then(() => held.delete(address));
}

/** Reports whether a closed listener of this program still holds the address. */
export function isHeld(address: AddressLike): boolean {
  return held.has(formatAddress(address));
}

/** Accepts connections, with at most one accept in flight. Owns the transport and closes it. */
export class Listener {
  /** The transport. */
  readonly transport: ListenerTransport;
  /** The accept in flight and its result. */
  readonly pending: PendingOperation<StreamTransport>;
  #closed = false;

  /** @param transport The transport to own. */
  constructor(transport: ListenerTransport) {
    this.transport = transport;
    this.pending = new PendingOperation(() => transport.accept());
  }

  /** Whether a detach would lose a connection or a call in flight. */
  get busy(): boolean {
    return this.pending.busy;
  }

  /** Takes the next connection. */
  accept(limit: WaitLimit): Promise<StreamTransport> {
    return whenReady(this.pending, limit, "accept", () => this.take());
  }

  /** Takes the connection that has arrived, or throws the error of the accept. */
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

  /** Takes the connections that were accepted and that no call took, if another process listens on the socket next. */
  takeAhead(): StreamTransport[] {
    const rest = this.transport.takeAhead?.();
    if (rest === undefined) return [];
    const first = this.pending.ready ? this.pending.drop() : undefined;
    return first === undefined ? rest : [first, ...rest];
  }

  /**
   * Closes. A connection that no call took is closed too.
   *
   * @returns Resolves when the accept in flight has ended and the system has released the address.
   */
  close(): Promise<void> {
    const holds = this.pending.busy && !this.pending.ready;
    this.#closed = true;
    this.pending.drop()?.close();
    try {
      this.transport.close();
    } catch {
      // its owner or the runtime has closed the transport already
    }
    const released = this.pending.abandon((late) => late.close());
    if (holds) holdUntil(this.transport.addr, released);
    return released;
  }
}
