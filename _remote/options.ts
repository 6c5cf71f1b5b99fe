/**
 * What a handler that runs elsewhere gets to see of the options of its server.
 *
 * @module
 */

/** Options that are for the server's own process: a child has no business with keys and environments. */
const PRIVATE = new Set([
  "childEnv",
  "childFlags",
  "childPermissions",
  "cert",
  "key",
  "tls",
]);

/** Those of the options that a child gets to see. */
export function copyable(options: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(options).filter(([name, value]) =>
      !PRIVATE.has(name) && isCopyable(value)
    ),
  );
}

/** Whether a value arrives as it is: plain data. */
function isCopyable(value: unknown): boolean {
  if (typeof value !== "object" || value === null) {
    return typeof value !== "function" && typeof value !== "symbol";
  }
  if (value instanceof Uint8Array) return true;
  if (Array.isArray(value)) return value.every(isCopyable);
  return Object.getPrototypeOf(value) === Object.prototype &&
    Object.values(value).every(isCopyable);
}

/** The options of a server that can be told to a worker. */
export function plainOptions(server: object): Record<string, unknown> {
  const isPlain = ([name, value]: [string, unknown]) =>
    name !== "shared" && name !== "serverAddress" &&
    (value === null ||
      ["number", "string", "boolean"].includes(typeof value));
  return Object.fromEntries(Object.entries(server).filter(isPlain));
}
