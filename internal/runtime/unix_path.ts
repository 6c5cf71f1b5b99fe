/**
 * The path of a Unix socket: its mode, its replacement and its end.
 *
 * @module
 */

import { isAbsolute, join } from "node:path";
import { removeStale, temporaryName } from "./unix_stale.ts";

/**
 * What to do about the path of a Unix socket when it is bound.
 *
 * @category Options
 */
export interface PathOptions {
  /**
   * The permissions of the path, such as `0o660`: connecting needs the permission to write. Null leaves them to the
   * umask. @default {null}
   */
  pathMode?: number | null;
  /**
   * Whether to replace the path of a socket that is closed, as a program leaves it that was killed. The path of an open
   * socket, and what is no socket, stay, and `bind` fails with EADDRINUSE. A stream socket that is bound and does not
   * listen yet counts as open with `--unstable-net` on Linux only. `bind` blocks for some 40 ms if there is something
   * to replace. @default {false}
   */
  replaceStalePath?: boolean;
}

/** `sun_path` of unix(7) without the NUL. */
const PATH_MAX = 107;

/**
 * Binds with the mode in place of the umask's, so that the socket has no other one at any time. A directory with a
 * default ACL does not heed the umask (umask(2)), so the mode is set once more.
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

/** A path that leads to a socket of this program. It is removed only while it does. */
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

  /** Removes the path when the program ends, or begins anew under `deno run --watch`. */
  readonly #unload = (): void => this.remove();

  /** Removes the path, unless something else is there by now. */
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

/**
 * Binds a listening socket to a path. Deno and `node:net` (2.9.6) remove whatever is at the path of a listener when it
 * has closed, some turns after `close()`: the socket of the next server, or a file of the same relative name. So the
 * socket is bound to another name, which is gone by then, and the path is a link to it.
 *
 * @param address The path as it was given.
 * @param options What to do about the path.
 * @param bind Opens the listener at the path it is given.
 * @returns The listener, and its path; without the latter if a second name cannot be had: then the runtime removes
 *   the path.
 * @throws {Deno.errors.AddrInUse} if something is at the path, and what `bind` throws.
 */
export function bindPath<T extends { close(): void }>(
  address: string,
  options: PathOptions,
  bind: (path: string) => T,
): [listener: T, path: OwnPath | undefined] {
  if (address === "" || address.startsWith("\0")) {
    return [bind(address), undefined];
  }
  const path = absolute(address);
  if (options.replaceStalePath) removeStale(path);
  const temporary = temporaryName(path);
  const direct = (): [T, undefined] => [
    bindWithMode(address, options.pathMode, bind),
    undefined,
  ];
  if (new TextEncoder().encode(temporary).length > PATH_MAX) return direct();
  let listener: T;
  try {
    listener = bindWithMode(temporary, options.pathMode, bind);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return direct();
    throw error;
  }
  try {
    link(temporary, path);
    return [listener, new OwnPath(path)];
  } catch (error) {
    listener.close();
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    throw new Deno.errors.AddrInUse(error.message);
  }
}

/** Returns the absolute form of a path, if the working directory may be known. */
export function absolute(path: string): string {
  if (isAbsolute(path)) return path;
  try {
    return join(Deno.cwd(), path);
  } catch {
    return path; // the permission to know the working directory is missing
  }
}

/** Gives the socket its path; fails if something is there. */
function link(temporary: string, path: string): void {
  try {
    Deno.linkSync(temporary, path);
  } finally {
    Deno.removeSync(temporary);
  }
}
