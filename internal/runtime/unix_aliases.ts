/**
 * Other paths to the sockets of peers, by which a send can be taken back.
 *
 * @module
 */

/** How many peers have an alias each; the one that was made first goes. Arbitrary. */
const MOST = 64;

/**
 * A send of Deno's to a Unix datagram socket whose queue is full tries for ever, and cannot be cancelled. It looks
 * the path up each time, though: so it goes to a symbolic link of ours instead, and ends once that is removed.
 *
 * The links are in a directory of their own, which `close` removes. Without permission to make links there are
 * none, nor for names that are no paths.
 */
export class PeerAliases {
  readonly #paths = new Map<string, string>();
  #directory: string | undefined;
  #made = 0;
  #usable: boolean | undefined;

  /** The alias of a path, made if there is none; undefined where there cannot be one. */
  of(path: string): string | undefined {
    return this.#paths.get(path) ?? this.#make(path);
  }

  #make(path: string): string | undefined {
    if (path === "" || path.startsWith("\0") || !this.#may) return undefined;
    const oldest = this.#paths.size < MOST
      ? undefined
      : this.#paths.keys().next().value;
    if (oldest !== undefined) this.revoke(oldest);
    try {
      const alias = `${this.#home()}/${++this.#made}`;
      const target = path.startsWith("/") ? path : `${Deno.cwd()}/${path}`;
      Deno.symlinkSync(target, alias);
      this.#paths.set(path, alias);
      return alias;
    } catch {
      this.#usable = false; // a file system without links, or without room
      return undefined;
    }
  }

  /** Whether links may be made, and sent to. Nobody is asked for the permission. */
  get #may(): boolean {
    return this.#usable ??= (["read", "write", "net"] as const).every((name) =>
      Deno.permissions.querySync({ name }).state === "granted"
    );
  }

  #home(): string {
    if (this.#directory === undefined) {
      this.#directory = Deno.makeTempDirSync({ prefix: "socketserver-" });
      addEventListener("unload", this.#remove);
    }
    return this.#directory;
  }

  /** Whether `alias` still leads to `path`. */
  holds(path: string, alias: string): boolean {
    return this.#paths.get(path) === alias;
  }

  /**
   * Removes the alias of a path: a send that uses it ends with ENOENT. No other will have its name.
   *
   * @returns Whether it was still there.
   */
  revoke(path: string): boolean {
    const alias = this.#paths.get(path);
    if (alias === undefined) return false;
    this.#paths.delete(path);
    try {
      Deno.removeSync(alias);
      return true;
    } catch {
      return false; // somebody has tidied up
    }
  }

  readonly #remove = (): void => {
    try {
      Deno.removeSync(this.#directory!, { recursive: true });
    } catch {
      // somebody has tidied up
    }
  };

  /** Removes all of them, and what they are in. */
  close(): void {
    this.#paths.clear();
    this.#usable = false;
    if (this.#directory === undefined) return;
    removeEventListener("unload", this.#remove);
    this.#remove();
    this.#directory = undefined;
  }
}
