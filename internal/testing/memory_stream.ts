/**
 * An end of a connection in memory.
 *
 * @module
 */

import { osError } from "../base/translate_error.ts";
import type {
  AbortableTransport,
  TransportAddr,
} from "../runtime/transport.ts";
import type { MemoryPipe } from "./memory_pipe.ts";

/** A transport over two pipes. Closes as a system does: with bytes unread, the other end sees a reset. */
export class MemoryStream implements AbortableTransport {
  readonly localAddr: TransportAddr;
  readonly remoteAddr: TransportAddr;
  /** The pipe that this end reads. */
  readonly incoming: MemoryPipe;
  /** The pipe that this end writes. */
  readonly outgoing: MemoryPipe;
  #closed = false;

  /**
   * @param incoming The pipe to read.
   * @param outgoing The pipe to write.
   * @param localAddr The address of this end.
   * @param remoteAddr The address of the other end.
   */
  constructor(
    incoming: MemoryPipe,
    outgoing: MemoryPipe,
    localAddr: TransportAddr,
    remoteAddr: TransportAddr,
  ) {
    this.incoming = incoming;
    this.outgoing = outgoing;
    this.localAddr = localAddr;
    this.remoteAddr = remoteAddr;
  }

  read(p: Uint8Array): Promise<number | null> {
    return this.incoming.read(p);
  }

  write(p: Uint8Array): Promise<number> {
    return this.outgoing.write(p);
  }

  closeWrite(): Promise<void> {
    if (this.#closed) {
      const reason = "the socket was closed";
      return Promise.reject(osError("EBADF", { syscall: "shutdown", reason }));
    }
    this.outgoing.end();
    return Promise.resolve();
  }

  close(): void {
    if (this.incoming.count > 0) return this.abort();
    if (this.#closed) return;
    this.#closed = true;
    this.outgoing.end();
    this.incoming.closeReader();
  }

  /** Resets the connection. */
  abort(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.outgoing.reset();
    this.incoming.closeReader();
  }
}
