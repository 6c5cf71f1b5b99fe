/**
 * One listening TCP socket for several workers of this process, each of which accepts on it by itself.
 *
 * Deno shares a socket among the listeners with `loadBalanced` on the same requested address (2.9.6; no flag, and not in
 * its types). A worker that is busy gets no connection then, and a listener that never accepts keeps the queue alive.
 *
 * @module
 */

import {
  type AddressLike,
  formatAddress,
  fromTransport,
} from "../../base/address.ts";
import { OSError } from "../../base/errors.ts";
import { osError, translate } from "../../base/translate_error.ts";
import { settleReads } from "../../waiting/turns.ts";
import type {
  ListenerTransport,
  TransportAddr,
} from "../transport/transport.ts";
import { hostFor } from "../resolver/dns.ts";
import { scopedListener, scopeOf } from "../deno/scope_id.ts";
import { checkFamily, openListener } from "./open.ts";

/** The number of free ports to try, because another program may take a port in between. Arbitrary. */
const TRIES = 3;

/** The milliseconds after which no more clients are turned away, as some may come without end. Arbitrary. */
const TURN_AWAY_MS = 1000;

interface LoadBalanced extends Deno.TcpListenOptions {
  loadBalanced: true;
}

/**
 * Opens a shared socket, whose address no other socket has. The listener never accepts: while it is open, the clients in
 * the queue wait for a worker, even if there is none for a while.
 *
 * For port 0 opens a usual listener first, which finds a free port: the key of a shared socket is the port that was asked
 * for. With a port that clients know, one of them could get into the queue of that listener, and be lost with it.
 *
 * @throws {OSError} as a usual listener.
 */
export function openAnchor(
  family: number,
  address: AddressLike,
  backlog: number,
): ListenerTransport {
  if (address[1] !== 0) return openAt(family, address, backlog);
  for (let left = TRIES;; left--) {
    const probe = openListener(family, address, backlog);
    const { addr } = probe;
    probe.close();
    try {
      return new Anchor(openShared(addr, backlog));
    } catch (error) {
      const taken = error instanceof OSError && error.code === "EADDRINUSE";
      if (!taken || left === 1) throw error;
    }
  }
}

/** The addresses of the anchors of this thread: a second one would share the socket of the first. */
const anchors = new Set<string>();

/** Opens an anchor at an address with a port. */
function openAt(
  family: number,
  address: AddressLike,
  backlog: number,
): ListenerTransport {
  const [host, port] = address as readonly [string, number];
  const hostname = hostFor(family, host, port, "bind");
  const addr = { transport: "tcp", hostname, port };
  const anchor = new Anchor(openShared(addr, backlog));
  if (!anchor.first) {
    anchor.close();
    const where = formatAddress(address);
    throw osError("EADDRINUSE", { syscall: "bind", address: where });
  }
  checkFamily(anchor, family, host);
  return anchor;
}

/** Opens a listener on a shared socket. `addr` is the address of its anchor. */
export function openShared(
  addr: TransportAddr,
  backlog?: number,
): ListenerTransport {
  const { hostname, port } = addr as { hostname: string; port: number };
  const options: LoadBalanced = { hostname, port, loadBalanced: true };
  if (backlog !== undefined) options.tcpBacklog = backlog;
  try {
    return scopedListener(Deno.listen(options), scopeOf(hostname));
  } catch (error) {
    const address = formatAddress(fromTransport(addr));
    throw translate(error, { syscall: "bind", address });
  }
}

/**
 * Accepts the clients in the queue of a shared socket, and closes their connections. The queue stays, as the anchor keeps
 * the socket open.
 *
 * @param addr The address of the anchor.
 */
export async function turnAwayQueued(addr: TransportAddr): Promise<void> {
  const end = performance.now() + TURN_AWAY_MS;
  const listener = openShared(addr);
  try {
    while (performance.now() < end) {
      const closed = listener.accept().then(
        (client) => (client.close(), true),
        () => false, // the last one waits until the close
      );
      if (await Promise.race([closed, settleReads()]) !== true) return;
    }
  } finally {
    listener.close();
  }
}

/** A listener whose `accept` waits until the close. */
class Anchor implements ListenerTransport {
  readonly #listener: ListenerTransport;
  readonly #closed = Promise.withResolvers<never>();

  /** Whether no other anchor has the address. */
  readonly first: boolean;
  readonly #address: string;

  constructor(listener: ListenerTransport) {
    this.#listener = listener;
    this.#address = formatAddress(fromTransport(listener.addr));
    this.first = !anchors.has(this.#address);
    anchors.add(this.#address);
    this.#closed.promise.catch(() => {});
  }

  get addr(): TransportAddr {
    return this.#listener.addr;
  }

  accept(): Promise<never> {
    return this.#closed.promise;
  }

  close(): void {
    if (this.first) anchors.delete(this.#address);
    this.#listener.close();
    this.#closed.reject(new Deno.errors.BadResource("the listener was closed"));
  }
}
