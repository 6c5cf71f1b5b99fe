/**
 * Listening at a path.
 *
 * @module
 */

import type {
  ListenerTransport,
  StreamTransport,
  TransportAddr,
} from "./transport.ts";
import { bindPath, type OwnPath, type PathOptions } from "./unix_path.ts";

/** A listener whose path is a link to the name under which the system knows it. Closing it removes the path. */
class UnixListener implements ListenerTransport {
  readonly #listener: ListenerTransport;
  readonly #path: OwnPath;
  readonly addr: TransportAddr;

  /**
   * @param listener What to own.
   * @param address The path as it was given.
   * @param path Its path.
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
 * @param options What to do about the path.
 * @param listen Opens a listener at the path it is given; without it, one of Deno's.
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
