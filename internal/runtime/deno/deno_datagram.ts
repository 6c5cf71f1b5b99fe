/**
 * UDP and Unix datagrams over `Deno.listenDatagram`, which needs the unstable `net` flag.
 *
 * @module
 */

import { translate } from "../../base/translate_error.ts";
import { MAX_DELAY } from "../../waiting/timeouts.ts";
import type {
  DatagramOption,
  SeveralDatagramTransport,
  TransportAddr,
} from "../transport/transport.ts";

/** A membership as `joinMulticastV4` gives it. */
interface Membership {
  leave(): Promise<void>;
  setLoopback(on: boolean): Promise<void>;
  setTTL(ttl: number): Promise<void>;
}

/** The members of `Deno.DatagramConn` in use. */
export interface DenoDatagramConn {
  receive(p?: Uint8Array): Promise<[Uint8Array, TransportAddr]>;
  send(p: Uint8Array, addr: TransportAddr): Promise<number>;
  close(): void;
  ref?(): void;
  unref?(): void;
  readonly addr: TransportAddr;
  joinMulticastV4(group: string, networkInterface: string): Promise<Membership>;
}

/** The options of `Deno.listenDatagram` in use. */
export type DatagramListenOptions =
  | { transport: "udp"; hostname: string; port: number; reuseAddress: boolean }
  | { transport: "unixpacket"; path?: string };

type ListenDatagram = (options: DatagramListenOptions) => DenoDatagramConn;

/** `Deno.listenDatagram`, if `--unstable-net` is on. */
export const listenDatagram: ListenDatagram | undefined =
  (Deno as unknown as { listenDatagram?: ListenDatagram }).listenDatagram;

/** Whether `--unstable-net` is on. Without it, some options of Deno end the process. */
export const unstableNet: boolean = listenDatagram !== undefined;

/** Reports whether a transport is Deno's own datagram socket. */
export function isDenoDatagram(
  transport: object,
): transport is DenoDatagramConn {
  return "joinMulticastV4" in transport;
}

/** The group of all hosts on this network (RFC 1112). No host has to join it, and none can leave it. */
const ALL_HOSTS = "224.0.0.1";

/**
 * Adds the options that Deno's datagram socket (2.9.6) has only through a multicast membership. Deno sets an option in
 * the background: the next call waits for that, and throws its failure.
 */
export class DenoDatagram implements SeveralDatagramTransport {
  /** Deno's socket. */
  readonly conn: DenoDatagramConn;
  /** The joined groups, also before Deno has confirmed them. */
  readonly #joined = new Set<string>();
  readonly #memberships = new Map<string, Membership>();
  #changing: Promise<void> | undefined;
  /** Keeps the process alive in place of several receives. The timer itself does nothing. */
  #alive: ReturnType<typeof setInterval> | undefined;
  #failure: unknown;

  /** @param conn The socket to own. */
  constructor(conn: DenoDatagramConn) {
    this.conn = conn;
  }

  get addr(): TransportAddr {
    return this.conn.addr;
  }

  receive(p: Uint8Array): Promise<[Uint8Array, TransportAddr]> {
    if (this.#settled) return this.conn.receive(p);
    return this.#afterChanges(() => this.conn.receive(p));
  }

  send(p: Uint8Array, addr: TransportAddr): Promise<number> {
    if (this.#settled) return this.conn.send(p, addr);
    return this.#afterChanges(() => this.conn.send(p, addr));
  }

  /** Lets a timer keep the process alive, because Deno's `ref` and `unref` (2.9.6) are for the latest receive only. */
  receiveSeveral(): void {
    this.conn.unref?.();
    this.#alive = setInterval(() => {}, MAX_DELAY);
  }

  /** Returns the socket to the caller, who closes it. */
  detach(): DenoDatagramConn {
    if (this.#alive !== undefined) this.conn.ref?.();
    this.endSeveral();
    return this.conn;
  }

  unref(): void {
    if (this.#alive === undefined) this.conn.unref?.();
    else Deno.unrefTimer(this.#alive);
  }

  ref(): void {
    if (this.#alive === undefined) this.conn.ref?.();
    else Deno.refTimer(this.#alive);
  }

  close(): void {
    this.conn.close();
  }

  /** Ends the timer, which the close must leave: the process waits for the receives that it ends. */
  endSeveral(): void {
    clearInterval(this.#alive);
  }

  /** Whether no change is in progress and none has failed. */
  get #settled(): boolean {
    return this.#changing === undefined && this.#failure === undefined;
  }

  #afterChanges<T>(call: () => Promise<T>): Promise<T> {
    if (this.#changing !== undefined) {
      return this.#changing.then(() => this.#afterChanges(call));
    }
    const failure = this.#failure;
    this.#failure = undefined;
    return failure === undefined ? call() : Promise.reject(failure);
  }

  /** Makes a change after the earlier ones; at once if there are none. */
  #change(change: () => Promise<void>): true {
    const changed = this.#changing?.then(change) ?? change();
    const settled = changed.catch((error) => {
      this.#failure = translate(error, { syscall: "setsockopt" });
    }).then(() => {
      if (this.#changing === settled) this.#changing = undefined;
    });
    this.#changing = settled;
    return true;
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

  /** Sets an option of the socket through any membership. Joins a group for it if there is none. */
  #through(set: (membership: Membership) => Promise<void>): true {
    return this.#change(async () => {
      const [joined] = this.#memberships.values();
      if (joined !== undefined) return await set(joined);
      const { hostname } = this.conn.addr;
      const made = await this.conn.joinMulticastV4(ALL_HOSTS, hostname!);
      await set(made).finally(() => made.leave());
    });
  }

  getOption(name: DatagramOption): number | undefined {
    return name === "broadcast" ? 1 : undefined; // always on in Deno
  }

  membership(group: string, networkInterface: string, join: boolean): boolean {
    const key = `${group} ${networkInterface}`;
    if (this.#joined.has(key) === join) return false;
    if (!join) {
      this.#joined.delete(key);
      return this.#change(() => this.#leave(key));
    }
    this.#joined.add(key);
    return this.#change(() => this.#join(key, group, networkInterface));
  }

  async #join(key: string, group: string, networkInterface: string) {
    try {
      const made = await this.conn.joinMulticastV4(group, networkInterface);
      this.#memberships.set(key, made);
    } catch (error) {
      this.#joined.delete(key);
      throw error;
    }
  }

  async #leave(key: string): Promise<void> {
    const membership = this.#memberships.get(key);
    this.#memberships.delete(key);
    await membership?.leave();
  }
}
