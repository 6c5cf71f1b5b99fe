/**
 * A listening socket that this process keeps open without accepting. Other processes accept on copies of it.
 *
 * @module
 */

import type { Server as NetServer, Socket as NetSocket } from "node:net";
import { handleOf } from "./bound_handle.ts";
import { nodeBinding, nodeNet } from "../system/node_builtins.ts";
import {
  listenAt,
  type ListenHandle,
  NodeListener,
  PassableStream,
} from "./node_listener.ts";
import type {
  ListenerTransport,
  StreamTransport,
  TransportAddr,
} from "../transport/transport.ts";

/** The type of a handle that connects. A handle that listens would accept as soon as it is opened. */
const SOCKET_HANDLE = 0;

/** A handle of Node over a listening descriptor, which does not accept. Its copies can. */
export interface ParkedHandle {
  /** Opens a descriptor. Returns 0, or the negative errno. */
  open(fd: number): number;
  /** Returns a copy of the descriptor that is closed on exec; negative if there is none. */
  fdForIpc(): number;
  close(): void;
}

/** Returns a handle over a copy of a TCP handle that listens. The copy does not accept. */
export function parkHandle(handle: { fdForIpc(): number }): ParkedHandle {
  const { TCP } = nodeBinding("tcp_wrap");
  const parked: ParkedHandle = new TCP(SOCKET_HANDLE);
  parked.open(handle.fdForIpc());
  return parked;
}

/** Opens a connection over a handle that another process has passed. It does not read yet. */
export function connectionOver(handle: object): NetSocket {
  const options = { handle, allowHalfOpen: true, pauseOnCreate: true };
  return new (nodeNet().Socket)(options);
}

/**
 * Opens a server of `node:net` that listens on a copy of a parked handle.
 *
 * @returns The server and its handle; undefined if no descriptor is left for the copy.
 */
export function listenOn(
  parked: ParkedHandle,
  backlog: number,
): [NetServer, ListenHandle] | undefined {
  const copy = parked.fdForIpc();
  if (!(copy >= 0)) return undefined;
  const handle = handleOf<ListenHandle>(copy);
  if (typeof handle === "number") return undefined;
  const server = nodeNet().createServer({
    allowHalfOpen: true,
    pauseOnConnect: true,
  });
  if (listenAt(server, handle, backlog) === 0) return [server, handle];
  server.close();
  return undefined;
}

/**
 * A listening socket that other processes accept on. Gives the connections that they return, and accepts by itself only
 * after {@linkcode ParkedListener.takeBack}.
 */
export class ParkedListener implements ListenerTransport {
  readonly addr: TransportAddr;
  /** The handle to pass. The listener owns it. */
  readonly handle: ParkedHandle;
  /** The number of connections that may wait in the backlog. */
  readonly backlog: number;
  readonly #returned: StreamTransport[] = [];
  #own: NodeListener | undefined;
  #waiter: PromiseWithResolvers<StreamTransport> | undefined;
  #closed = false;
  /** Whether an accept has got a connection, and the next accept has not begun. */
  #given = false;
  /** Called when a connection waits for the next accept, or an accept has got one. */
  onTaken: () => void = () => {};

  /** @param handle The handle. The listener owns it. */
  constructor(handle: ParkedHandle, addr: TransportAddr, backlog: number) {
    this.handle = handle;
    this.addr = addr;
    this.backlog = backlog;
  }

  /** Whether connections were returned that nobody has taken. */
  get waits(): boolean {
    return this.#given || this.#returned.length > 0;
  }

  accept(): Promise<StreamTransport> {
    const next = this.#returned.shift();
    this.#given = next !== undefined;
    if (next !== undefined) {
      this.onTaken();
      return Promise.resolve(next);
    }
    this.#waiter = Promise.withResolvers();
    void this.#acceptOwn();
    return this.#waiter.promise;
  }

  async #acceptOwn(): Promise<void> {
    const own = this.#own;
    if (own === undefined) return;
    try {
      this.#give(await own.accept());
    } catch (error) {
      if (own === this.#own) this.#settle()?.reject(error);
    }
  }

  #give(stream: StreamTransport): void {
    const waiter = this.#settle();
    if (waiter !== undefined) this.#given = true;
    if (waiter !== undefined) waiter.resolve(stream);
    else this.#returned.push(stream);
    this.onTaken();
  }

  #settle(): PromiseWithResolvers<StreamTransport> | undefined {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    return waiter;
  }

  /** Takes a connection that another process has accepted and returned. */
  offer(socket: NetSocket): void {
    const stream = new PassableStream(socket, this.addr);
    if (this.#closed || stream.gone) socket.destroy();
    else this.#give(stream);
  }

  /** Accepts in this process too. */
  takeBack(): void {
    if (this.#own !== undefined || this.#closed) return;
    const listening = listenOn(this.handle, this.backlog);
    if (listening === undefined) return;
    this.#own = new NodeListener(...listening, this.addr, this.backlog, true);
    if (this.#waiter !== undefined) void this.#acceptOwn();
  }

  /** Accepts no longer in this process. */
  letGo(): void {
    const own = this.#own;
    if (own === undefined) return;
    this.#own = undefined;
    for (const stream of own.takeAhead?.() ?? []) this.#give(stream);
    own.close();
  }

  ref(): void {
    this.#own?.ref();
  }

  unref(): void {
    this.#own?.unref();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#own?.close();
    this.#own = undefined;
    this.handle.close();
    for (const stream of this.#returned.splice(0)) stream.close();
    this.#settle()?.reject(
      new Deno.errors.BadResource("the listener was closed"),
    );
  }
}
