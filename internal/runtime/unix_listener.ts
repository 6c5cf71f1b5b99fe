/**
 * Listens at the path of a Unix socket.
 *
 * @module
 */

import type {
  ListenerTransport,
  StreamTransport,
  TransportAddr,
} from "./transport.ts";
import { bindPath, type OwnPath, type PathOptions } from "./unix_path.ts";

/** A listener whose path is a link to the name that the socket is bound to. Closing the listener removes the path. */
class UnixListener implements ListenerTransport {
  readonly #listener: ListenerTransport;
  readonly #path: OwnPath;
  readonly addr: TransportAddr;

  /**
   * @param listener The listener of the other name. This one owns it.
   * @param address The path as the program wrote it.
   * @param path The path, which is removed at the end.
   */
  constructor(listener: ListenerTransport, address: string, path: OwnPath) {
    this.#listener = listener;
    this.#path = path;
    this.addr = { transport: "unix", path: address };
  }

  async accept(): Promise<StreamTransport> {
    const conn = await this.#listener.accept();
    return Object.defineProperty(conn, "localAddr", { value: this.addr });
  }

  ref(): void {
    this.#listener.ref?.();
  }

  unref(): void {
    this.#listener.unref?.();
  }

  close(): void {
    this.#path.remove();
    this.#listener.close();
  }
}

/**
 * Listens at a path.
 *
 * @param address The path, or an abstract name.
 * @param options The mode of the path, and whether to replace a stale one.
 * @param listen Opens a listener at a path; `Deno.listen` by default.
 */
export function openUnixListener(
  address: string,
  options: PathOptions,
  listen: (path: string) => ListenerTransport = (path) =>
    Deno.listen({ transport: "unix", path }),
): ListenerTransport {
  const [listener, path] = bindPath(address, options, listen);
  return path === undefined
    ? listener
    : new UnixListener(listener, address, path);
}
