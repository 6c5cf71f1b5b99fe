/**
 * Names of servers, for SNI.
 *
 * @module
 */

/** A host name, or a wildcard for one label in front of it. */
const PATTERN =
  /^(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** Values by the name of the server. */
export class ServerNames<T> {
  readonly #values = new Map<string, T>();

  /** The number of names. */
  get size(): number {
    return this.#values.size;
  }

  /**
   * Sets the value of a name.
   *
   * @param name A host name such as `"www.example.com"`, or `"*.example.com"` for each name with one label more.
   * @throws {TypeError} if the name is not a host name.
   */
  set(name: string, value: T): void {
    const key = normalized(name);
    if (!PATTERN.test(key)) {
      throw new TypeError(
        `Cannot add a context: expected a host name or "*." and a host name, got ${
          JSON.stringify(name)
        }`,
      );
    }
    this.#values.set(key, value);
  }

  /** Returns the value for a name: that of the name itself, or else of the wildcard that it matches. */
  get(name: string): T | undefined {
    const key = normalized(name);
    const own = this.#values.get(key);
    if (own !== undefined) return own;
    const dot = key.indexOf(".");
    return dot < 0 ? undefined : this.#values.get(`*${key.slice(dot)}`);
  }

  /** Returns the values. */
  values(): Iterable<T> {
    return this.#values.values();
  }
}

function normalized(name: string): string {
  return String(name).toLowerCase().replace(/\.$/, "");
}
