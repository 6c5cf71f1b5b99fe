/**
 * UDP and Unix datagrams over `Deno.listenDatagram`, which needs the unstable `net` flag.
 *
 * @module
 */

import { translate } from "./errors.ts";
import type {
  DatagramOption,
  DatagramTransport,
  TransportAddr,
} from "./transport.ts";

/** A membership as `joinMulticastV4` gives it. */
interface Membership {
  leave(): Promise<void>;
  setLoopback(on: boolean): Promise<void>;
  setTTL(ttl: number): Promise<void>;
}

/** The part of `Deno.DatagramConn` in use. */
export interface DenoDatagramConn {
  receive(p?: Uint8Array): Promise<[Uint8Array, TransportAddr]>;
  send(p: Uint8Array, addr: TransportAddr): Promise<number>;
  close(): void;
  readonly addr: TransportAddr;
  joinMulticastV4(group: string, networkInterface: string): Promise<Membership>;
}

/** What `Deno.listenDatagram` takes here. */
export type DatagramListenOptions =
  | { transport: "udp"; hostname: string; port: number; reuseAddress: boolean }
  | { transport: "unixpacket"; path: string };

type ListenDatagram = (options: DatagramListenOptions) => DenoDatagramConn;

/** `Deno.listenDatagram`, where the unstable `net` flag is on. */
export const listenDatagram: ListenDatagram | undefined =
  (Deno as unknown as { listenDatagram?: ListenDatagram }).listenDatagram;

/** Whether a transport is Deno's own datagram socket. */
export function isDenoDatagram(
  transport: object,
): transport is DenoDatagramConn {
  return "joinMulticastV4" in transport;
}

/** The group of all hosts on this network (RFC 1112), which no host has to join or may leave. */
const ALL_HOSTS = "224.0.0.1";

/**
 * Adds to Deno's datagram socket the options that it has only by way of a membership. They are
 * promises in Deno: a failure is kept and met by the next call.
 */
export class DenoDatagram implements DatagramTransport {
  /** What is underneath. */
  readonly conn: DenoDatagramConn;
  readonly #memberships = new Map<string, Promise<Membership>>();
  #failure: unknown;

  /** @param conn What to own. */
  constructor(conn: DenoDatagramConn) {
    this.conn = conn;
  }

  get addr(): TransportAddr {
    return this.conn.addr;
  }

  receive(p: Uint8Array): Promise<[Uint8Array, TransportAddr]> {
    return this.#failure === undefined
      ? this.conn.receive(p)
      : Promise.reject(this.#takeFailure());
  }

  send(p: Uint8Array, addr: TransportAddr): Promise<number> {
    return this.#failure === undefined
      ? this.conn.send(p, addr)
      : Promise.reject(this.#takeFailure());
  }

  close(): void {
    this.conn.close();
  }

  #takeFailure(): unknown {
    const failure = this.#failure;
    this.#failure = undefined;
    return failure;
  }

  setOption(name: DatagramOption, value: number): boolean {
    switch (name) {
      case "broadcast":
        return value !== 0; // always on in Deno
      case "multicastTTL":
        return this.#through((membership) => membership.setTTL(value));
      case "multicastLoop":
        return this.#through((membership) =>
          membership.setLoopback(value !== 0)
        );
      default:
        return false;
    }
  }

  /** Sets an option of the socket through any of its memberships, or one made for it. */
  #through(set: (membership: Membership) => Promise<void>): true {
    const [joined] = this.#memberships.values();
    this.#keep((async () => {
      const membership =
        await (joined ?? this.conn.joinMulticastV4(ALL_HOSTS, "0.0.0.0"));
      await set(membership);
      if (joined === undefined) await membership.leave();
    })());
    return true;
  }

  membership(group: string, networkInterface: string, join: boolean): boolean {
    const key = `${group} ${networkInterface}`;
    const joined = this.#memberships.get(key);
    if ((joined === undefined) !== join) return false;
    if (joined === undefined) {
      const joining = this.conn.joinMulticastV4(group, networkInterface);
      this.#memberships.set(key, joining);
      this.#keep(joining);
    } else {
      this.#memberships.delete(key);
      this.#keep(joined.then((membership) => membership.leave()));
    }
    return true;
  }

  #keep(change: Promise<unknown>): void {
    change.catch((error) =>
      this.#failure = translate(error, { syscall: "setsockopt" })
    );
  }
}
