/**
 * A listening socket that this process keeps open without accepting. Other processes accept on copies of it.
 *
 * @module
 */

import type { Socket as NetSocket } from "node:net";
import type {
  ListenerTransport,
  StreamTransport,
  TransportAddr,
} from "../transport/transport.ts";
import { listenOnCopy, type ParkedHandle } from "./node_handles.ts";
import { NodeListener } from "./node_listener.ts";
import { PassableStream } from "./passable_stream.ts";

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
    if (waiter === undefined) this.#returned.push(stream);
    else {
      this.#given = true;
      waiter.resolve(stream);
    }
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
    const listening = listenOnCopy(this.handle, this.backlog);
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
