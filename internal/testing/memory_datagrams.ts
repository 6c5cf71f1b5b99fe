/**
 * A datagram socket in memory.
 *
 * @module
 */

import { osError } from "../base/translate_error.ts";
import type {
  DatagramTransport,
  TransportAddr,
} from "../runtime/transport/transport.ts";
import { Condition } from "./condition.ts";

/** The largest datagram of UDP over IPv4. */
const DATAGRAM_MAX = 65507;

/** The sockets that exchange datagrams, by their addresses. */
export type MemoryHost = Map<string, MemoryDatagrams>;

/** Returns an address as a key. */
function keyOf({ hostname, port, path }: TransportAddr): string {
  return hostname === undefined ? path ?? "" : `${hostname} ${port}`;
}

/** Delivers datagrams to the sockets of one host. Drops a datagram to anybody else, or to a full queue. */
export class MemoryDatagrams implements DatagramTransport {
  readonly addr: TransportAddr;
  readonly #host: MemoryHost;
  readonly #size: number;
  readonly #queue: [Uint8Array, TransportAddr][] = [];
  #queued = 0;
  readonly #changed = new Condition();
  #closed = false;

  /**
   * @param host The sockets that this one exchanges datagrams with.
   * @param addr The address of the socket.
   * @param size The most bytes that wait to be received.
   */
  constructor(host: MemoryHost, addr: TransportAddr, size: number) {
    this.#host = host;
    this.addr = addr;
    this.#size = size;
    host.set(keyOf(addr), this);
  }

  async receive(p: Uint8Array = new Uint8Array(DATAGRAM_MAX)): Promise<
    [Uint8Array, TransportAddr]
  > {
    while (this.#queue.length === 0) {
      this.#checkOpen("recv");
      await this.#changed.wait();
    }
    const [data, sender] = this.#queue.shift()!;
    this.#queued -= data.length;
    const taken = data.subarray(0, p.length);
    p.set(taken);
    return [p.subarray(0, taken.length), sender];
  }

  send(p: Uint8Array, addr: TransportAddr): Promise<number> {
    try {
      this.#checkOpen("send");
      if (p.length > DATAGRAM_MAX) {
        throw osError("EMSGSIZE", { syscall: "send" });
      }
    } catch (error) {
      return Promise.reject(error);
    }
    const peer = this.#host.get(keyOf(addr));
    if (peer !== undefined) peer.#deliver(p.slice(), this.addr);
    return Promise.resolve(p.length);
  }

  #deliver(data: Uint8Array, sender: TransportAddr): void {
    if (this.#queue.length > 0 && this.#queued + data.length > this.#size) {
      return;
    }
    this.#queue.push([data, sender]);
    this.#queued += data.length;
    this.#changed.notifyAll();
  }

  #checkOpen(syscall: string): void {
    if (!this.#closed) return;
    throw osError("EBADF", { syscall, reason: "the socket was closed" });
  }

  close(): void {
    this.#closed = true;
    this.#host.delete(keyOf(this.addr));
    this.#changed.notifyAll();
  }
}
