/**
 * The memory of the datagrams that a socket hands out.
 *
 * A datagram is received into memory that the next one overwrites, so it is copied. An array of its own for each costs
 * 850 ns, most of it for its `ArrayBuffer`, and then its collection: an echo of 64 bytes reached 0.87 of its rate with
 * views of existing memory. So a peer that sends often has a slab, and its datagrams are views of that. A slab holds the
 * datagrams of one address only: the `buffer` of a view shows nothing of another peer.
 *
 * @module
 */

import { type Bytes, copyOf, memory } from "../base/memory.ts";
import type { TransportAddr } from "../runtime/transport/transport.ts";

/** The size of a slab: a page, as for connections. */
const SLAB = 4096;

/** A larger datagram has an array of its own: a slab of four would be no better. */
const VIEW_MAX = SLAB / 4;

/**
 * The number of datagrams after which a peer gets a slab. Before that each datagram has memory of its own, so a program
 * that keeps one keeps no other bytes alive. Arbitrary; as for connections.
 */
const DATAGRAMS_BEFORE_SLAB = 8;

/** The number of peers that have a slab: 256 KiB in all. Arbitrary, a power of two. */
const PEERS_MAX = 64;

/** A peer that has sent, and its slab. */
class Peer {
  readonly #hostname: string | undefined;
  readonly #port: number;
  #datagrams = 0;
  #slab: Bytes | undefined;
  #at = 0;

  constructor(hostname: string | undefined, port: number) {
    this.#hostname = hostname;
    this.#port = port;
  }

  is(hostname: string | undefined, port: number): boolean {
    return this.#port === port && this.#hostname === hostname;
  }

  copy(data: Uint8Array): Bytes {
    if (this.#datagrams < DATAGRAMS_BEFORE_SLAB) {
      this.#datagrams++;
      return copyOf(data, 0, data.length);
    }
    let slab = this.#slab;
    if (slab === undefined || this.#at + data.length > slab.length) {
      slab = this.#slab = memory(SLAB); // also if the program has transferred the last one
      this.#at = 0;
    }
    const copy = slab.subarray(this.#at, this.#at += data.length);
    copy.set(data);
    return copy;
  }
}

/** The memory of the datagrams of one socket. */
export class DatagramMemory {
  /** The peers by the last bits of their port. A peer replaces another one with the same bits. */
  readonly #peers: (Peer | undefined)[] = new Array(PEERS_MAX).fill(undefined);

  /** Copies a datagram for the caller to keep. */
  copy(data: Uint8Array, { hostname, port }: TransportAddr): Bytes {
    if (port === undefined || data.length > VIEW_MAX) { // Unix peers may have no name
      return copyOf(data, 0, data.length);
    }
    const index = port % PEERS_MAX;
    let peer = this.#peers[index];
    if (!peer?.is(hostname, port)) {
      peer = this.#peers[index] = new Peer(hostname, port);
    }
    return peer.copy(data);
  }
}
