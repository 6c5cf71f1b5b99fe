/**
 * Aliases of the paths of peers, which make a send cancellable.
 *
 * @module
 */

import { queryPermission } from "../system/deno_api.ts";

/** The most aliases, one for each peer. A new one replaces the oldest. Arbitrary. */
const ALIASES_MAX = 64;

/**
 * Manages symbolic links to the paths of peers. Deno (2.9.6) repeats a send to a Unix datagram socket with a full queue
 * for ever, and cannot cancel the send. But it looks the path up each time, so a send to a link ends when the link is
 * removed.
 *
 * The links are in a directory of their own, which `close` removes. Without the permission to make links, and for
 * abstract names, there are none.
 */
export class PeerAliases {
  readonly #paths = new Map<string, string>();
  #directory: string | undefined;
  #made = 0;
  #usable: boolean | undefined;

  /** Returns the alias of a path. Makes the alias if needed; undefined if that is impossible. */
  of(path: string): string | undefined {
    return this.#paths.get(path) ?? this.#make(path);
  }

  #make(path: string): string | undefined {
    if (path === "" || path.startsWith("\0") || !this.#allowed) {
      return undefined;
    }
    const oldest = this.#paths.size < ALIASES_MAX
      ? undefined
      : this.#paths.keys().next().value;
    if (oldest !== undefined) this.revoke(oldest);
    try {
      const alias = `${this.#openDirectory()}/${++this.#made}`;
      const target = path.startsWith("/") ? path : `${Deno.cwd()}/${path}`;
      Deno.symlinkSync(target, alias);
      this.#paths.set(path, alias);
      return alias;
    } catch {
      this.#usable = false; // the file system has no links, or no room
      return undefined;
    }
  }

  /** Reports whether the permissions allow links, and sending to them. Never prompts. */
  get #allowed(): boolean {
    return this.#usable ??= (["read", "write", "net"] as const).every((name) =>
      queryPermission({ name }).state === "granted"
    );
  }

  #openDirectory(): string {
    if (this.#directory === undefined) {
      this.#directory = Deno.makeTempDirSync({ prefix: "socketserver-" });
      addEventListener("unload", this.#remove);
    }
    return this.#directory;
  }

  /** Reports whether `alias` still leads to `path`. */
  holds(path: string, alias: string): boolean {
    return this.#paths.get(path) === alias;
  }

  /**
   * Removes the alias of a path: a send that uses the alias ends with ENOENT. No later alias has the same name.
   *
   * @returns Whether the alias was still there.
   */
  revoke(path: string): boolean {
    const alias = this.#paths.get(path);
    if (alias === undefined) return false;
    this.#paths.delete(path);
    try {
      Deno.removeSync(alias);
      return true;
    } catch {
      return false; // removed by another program
    }
  }

  readonly #remove = (): void => {
    try {
      Deno.removeSync(this.#directory!, { recursive: true });
    } catch {
      // removed by another program
    }
  };

  /** Removes all aliases and their directory. */
  close(): void {
    this.#paths.clear();
    this.#usable = false;
    if (this.#directory === undefined) return;
    removeEventListener("unload", this.#remove);
    this.#remove();
    this.#directory = undefined;
  }
}
