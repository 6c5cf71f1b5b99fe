/**
 * A maildir: a directory with a file for each mail (<https://cr.yp.to/proto/maildir.html>).
 *
 * @module
 */

/** The bytes that are collected before they are written. */
const BUFFER_SIZE = 65536;

let delivered = 0;

/** A directory of mails. A reader sees a mail once it is complete. */
export class Maildir {
  /** @param directory The path of the directory. */
  private constructor(readonly directory: string) {}

  /** Opens a maildir, and makes it if there is none. */
  static async open(directory: string): Promise<Maildir> {
    for (const part of ["tmp", "new", "cur"]) {
      await Deno.mkdir(`${directory}/${part}`, {
        recursive: true,
        mode: 0o700,
      });
    }
    return new Maildir(directory);
  }

  /** Begins a mail. */
  async begin(): Promise<NewMail> {
    const now = Date.now();
    const random = crypto.randomUUID().slice(0, 8);
    const name = `${Math.floor(now / 1000)}.M${
      now % 1000
    }P${Deno.pid}Q${++delivered}R${random}.localhost`;
    return await NewMail.create(this.directory, name);
  }
}

/** A mail that is being written. Unless it is committed it is removed. */
export class NewMail implements AsyncDisposable {
  readonly #directory: string;
  readonly #name: string;
  readonly #file: Deno.FsFile;
  readonly #buffer = new Uint8Array(BUFFER_SIZE);
  #used = 0;
  #committed = false;

  private constructor(directory: string, name: string, file: Deno.FsFile) {
    this.#directory = directory;
    this.#name = name;
    this.#file = file;
  }

  /** Creates its file, in `tmp`. */
  static async create(directory: string, name: string): Promise<NewMail> {
    const options = { write: true, createNew: true, mode: 0o600 };
    const file = await Deno.open(`${directory}/tmp/${name}`, options);
    return new NewMail(directory, name, file);
  }

  /** Adds bytes. */
  async write(bytes: Uint8Array): Promise<void> {
    if (bytes.length > BUFFER_SIZE - this.#used) await this.#flush();
    if (bytes.length > BUFFER_SIZE) return await this.#writeAll(bytes);
    this.#buffer.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  async #flush(): Promise<void> {
    const bytes = this.#buffer.subarray(0, this.#used);
    this.#used = 0;
    await this.#writeAll(bytes);
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    while (bytes.length > 0) {
      bytes = bytes.subarray(await this.#file.write(bytes));
    }
  }

  /**
   * Writes the mail to the disk, and moves it to the directory that readers look at. From now on this server is
   * responsible for it.
   */
  async commit(): Promise<void> {
    await this.#flush();
    await this.#file.syncData();
    await Deno.rename(this.#path("tmp"), this.#path("new"));
    this.#committed = true;
  }

  #path(part: string): string {
    return `${this.#directory}/${part}/${this.#name}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#file.close();
    if (!this.#committed) await Deno.remove(this.#path("tmp")).catch(() => {});
  }
}
