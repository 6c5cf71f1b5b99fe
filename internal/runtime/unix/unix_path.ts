/**
 * The path of a Unix socket: sets its mode, replaces a stale one, listens there, and removes it.
 *
 * @module
 */

import type {
  ListenerTransport,
  StreamTransport,
  TransportAddr,
} from "../transport/transport.ts";
import { removeStale, temporaryName } from "./unix_stale_path.ts";

/**
 * Options of `bind` for the path of a Unix socket.
 *
 * @category Options
 */
export interface PathOptions {
  /**
   * The permissions of the path, such as `0o660`. Clients need the permission to write. Null leaves the permissions to
   * the umask. Any other value needs `--allow-sys`, with which Deno guards the umask.
   *
   * @default {null}
   */
  pathMode?: number | null;
  /**
   * Whether to replace the path that a killed program has left. If the path belongs to an open socket, or is no socket,
   * `bind` fails with EADDRINUSE. A stream socket that is bound but does not listen yet counts as open only on Linux
   * with `--unstable-net`. `bind` blocks for about 40 ms if the path exists.
   *
   * @default {false}
   */
  replaceStalePath?: boolean;
}

/** `sun_path` of unix(7) without the NUL. */
const PATH_MAX = 107;

/**
 * Binds under a umask that gives the path its mode, so that the path never has another one. A directory with a default
 * ACL ignores the umask (umask(2)), so the mode is set once more.
 */
export function bindWithMode<T extends { close(): void }>(
  path: string,
  mode: number | null | undefined,
  bind: (path: string) => T,
): T {
  if (mode === null || mode === undefined) return bind(path);
  const before = Deno.umask(0o777 & ~mode);
  let bound: T;
  try {
    bound = bind(path);
  } finally {
    Deno.umask(before);
  }
  try {
    Deno.chmodSync(path, mode);
    return bound;
  } catch (error) {
    bound.close();
    throw error;
  }
}

/** The path of a socket of this program. Removes the path only while it leads to that socket. */
export class OwnPath {
  readonly #path: string;
  readonly #own: Deno.FileInfo;
  #removed = false;

  /** @param path The path, absolute. */
  constructor(path: string) {
    this.#path = path;
    this.#own = Deno.lstatSync(path);
    addEventListener("unload", this.#unload);
  }

  /** Removes the path when the program ends, or restarts under `deno run --watch`. */
  readonly #unload = (): void => this.remove();

  /** Removes the path, unless it leads to something else by now. */
  remove(): void {
    if (this.#removed) return;
    this.#removed = true;
    removeEventListener("unload", this.#unload);
    try {
      const { dev, ino } = Deno.lstatSync(this.#path);
      if (dev !== this.#own.dev || ino !== this.#own.ino) return;
      Deno.removeSync(this.#path);
    } catch {
      // another program has removed it
    }
  }
}

/** Links a path to the temporary name of a listener, or closes the listener. */
function linkTo(
  listener: { close(): void },
  temporary: string,
  path: string,
): OwnPath {
  try {
    link(temporary, path);
    return new OwnPath(path);
  } catch (error) {
    listener.close();
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    throw new Deno.errors.AddrInUse(error.message);
  }
}

/** Returns the absolute form of a path, if the permissions show the working directory. */
export function absolute(path: string): string {
  if (path.startsWith("/")) return path;
  try {
    return `${Deno.cwd()}/${path}`;
  } catch {
    return path; // the permission to read the working directory is missing
  }
}

/** Links the path to the socket. Fails if the path exists. */
function link(temporary: string, path: string): void {
  try {
    Deno.linkSync(temporary, path);
  } finally {
    Deno.removeSync(temporary);
  }
}

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
 * Listens at a path. Some turns after the `close()` of a listener, Deno and `node:net` (2.9.6) remove any file that has
 * the path by then: the socket of the next server, or a file of the same relative name. So the socket is bound to another
 * name, which is removed before, and the path is a link to it. If such a name is impossible, the runtime removes the path.
 *
 * @param address The path as the program wrote it, or an abstract name.
 * @param options The mode of the path, and whether to replace a stale one.
 * @param listen Opens a listener at a path; `Deno.listen` by default.
 * @throws {Deno.errors.AddrInUse} if the path exists. Throws the errors of `listen` too.
 */
export function openUnixListener(
  address: string,
  options: PathOptions,
  listen: (path: string) => ListenerTransport = (path) =>
    Deno.listen({ transport: "unix", path }),
): ListenerTransport {
  if (address === "" || address.startsWith("\0")) return listen(address);
  const path = absolute(address);
  if (options.replaceStalePath) removeStale(path);
  const temporary = temporaryName(path);
  const direct = () => bindWithMode(address, options.pathMode, listen);
  if (new TextEncoder().encode(temporary).length > PATH_MAX) return direct();
  let listener: ListenerTransport;
  try {
    listener = bindWithMode(temporary, options.pathMode, listen);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return direct();
    throw error;
  }
  return new UnixListener(listener, address, linkTo(listener, temporary, path));
}
