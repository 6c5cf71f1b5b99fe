/**
 * Listening at a path.
 *
 * @module
 */

import { isAbsolute, join } from "node:path";
import type {
  ListenerTransport,
  StreamTransport,
  TransportAddr,
} from "./transport.ts";

/** `sun_path` of unix(7) without the NUL. */
const PATH_MAX = 107;

/**
 * A listener at a path. Deno (2.9.6) removes whatever is at the path of a listener when the last call on it has
 * ended, some turns after `close()`: the socket of the next server, or a file of the same relative name. So Deno's
 * listener has another name, which is gone by then, and the path is a link to it, removed where it still is that.
 */
class UnixListener implements ListenerTransport {
  readonly #listener: Deno.UnixListener;
  readonly #path: string;
  readonly #own: Deno.FileInfo;
  readonly addr: TransportAddr;
  #closed = false;

  /**
   * @param listener What to own.
   * @param address The path as it was given.
   * @param path The same, absolute.
   */
  constructor(listener: Deno.UnixListener, address: string, path: string) {
    this.#listener = listener;
    this.#path = path;
    this.#own = Deno.lstatSync(path);
    this.addr = { transport: "unix", path: address };
  }

  async accept(): Promise<StreamTransport> {
    const conn = await this.#listener.accept();
    return Object.defineProperty(conn, "localAddr", { value: this.addr });
  }

  close(): void {
    this.#listener.close();
    if (this.#closed) return;
    this.#closed = true;
    try {
      const { dev, ino } = Deno.lstatSync(this.#path);
      if (dev !== this.#own.dev || ino !== this.#own.ino) return;
      Deno.removeSync(this.#path);
    } catch {
      // somebody has removed it
    }
  }
}

/** Listens at a path; where a second name cannot be had, as Deno does it. */
export function openUnixListener(address: string): ListenerTransport {
  if (address === "" || address.startsWith("\0")) return listenAt(address);
  const path = absolute(address);
  const temporary = join(path, "..", `.${crypto.randomUUID().slice(0, 8)}`);
  if (new TextEncoder().encode(temporary).length > PATH_MAX) {
    return listenAt(address);
  }
  let listener: Deno.UnixListener;
  try {
    listener = listenAt(temporary);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return listenAt(address);
    throw error;
  }
  try {
    link(temporary, path);
    return new UnixListener(listener, address, path);
  } catch (error) {
    listener.close();
    if (error instanceof Deno.errors.AlreadyExists) {
      throw new Deno.errors.AddrInUse(error.message);
    }
    throw error;
  }
}

function listenAt(path: string): Deno.UnixListener {
  return Deno.listen({ transport: "unix", path });
}

function absolute(path: string): string {
  if (isAbsolute(path)) return path;
  try {
    return join(Deno.cwd(), path);
  } catch {
    return path; // the permission to know the working directory is missing
  }
}

/** Gives the socket its path, and nothing that is there another. */
function link(temporary: string, path: string): void {
  Deno.linkSync(temporary, path);
  Deno.removeSync(temporary);
}
