/**
 * Where the datagrams that a socket hands out are copied to.
 *
 * A datagram is received into memory that the next one overwrites, so it is copied. An array of its own for each
 * costs 850 ns, most of it for its `ArrayBuffer`, and then its collection: an echo of 64 bytes reached 0.87 of
 * the rate that it has with views of memory that is there. So who sends often has a slab, and its datagrams
 * are views of it. A slab holds what came from one address only: who looks at the `buffer` of a view
 * sees nothing of another peer.
 *
 * @module
 */

import { type Bytes, copyOf, memory } from "../base/memory.ts";
import type { TransportAddr } from "../runtime/transport.ts";

/** The size of a slab: a page, as for connections. */
const SLAB = 4096;

/** A larger datagram has an array of its own: a slab of four would be no better. */
const MOST = SLAB / 4;

/**
 * After how many datagrams of a peer the next have a slab. Of a peer that is heard once in a while each has memory
 * of its own, and whoever keeps one keeps no more than that. Arbitrary; as for connections.
 */
const USED = 8;

/** How many peers have a place each; 256 KiB of slabs at most. Arbitrary, a power of two. */
const PLACES = 64;

/** A peer that has sent, and its slab. */
class Peer {
  readonly #hostname: string | undefined;
  readonly #port: number;
  #used = 0;
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
    if (this.#used < USED) {
      this.#used++;
      return copyOf(data, 0, data.length);
    }
    let slab = this.#slab;
    if (slab === undefined || this.#at + data.length > slab.length) {
      slab = this.#slab = memory(SLAB); // also where somebody has transferred the last one
      this.#at = 0;
    }
    const copy = slab.subarray(this.#at, this.#at += data.length);
    copy.set(data);
    return copy;
  }
}

/** The memory of the datagrams of one socket. */
export class DatagramMemory {
  /** By the last bits of their ports: a peer that finds another in its place takes it. */
  readonly #peers: (Peer | undefined)[] = new Array(PLACES).fill(undefined);

  /** A datagram, copied, for the caller to keep. */
  copy(data: Uint8Array, { hostname, port }: TransportAddr): Bytes {
    if (port === undefined || data.length > MOST) { // Unix peers may have no name
      return copyOf(data, 0, data.length);
    }
    const place = port % PLACES;
    let peer = this.#peers[place];
    if (!peer?.is(hostname, port)) {
      peer = this.#peers[place] = new Peer(hostname, port);
    }
    return peer.copy(data);
  }
}
