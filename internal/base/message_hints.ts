/**
 * The ends of messages that say how to mend a mistake.
 *
 * @module
 */

/** Returns the hint for a promise in place of its value; "" for any other value. */
export function awaitHint(value: unknown): string {
  return value instanceof Promise
    ? "; await the call that returned the promise"
    : "";
}

/** Returns the hint for a value that is no `[host, port]`; "" if it looks like none of the usual mistakes. */
export function addressHint(value: unknown): string {
  if (typeof value === "string") return textHint(value);
  if (Array.isArray(value)) return arrayHint(value);
  if (Number.isInteger(value)) return `; write ["localhost", ${value}]`;
  const { hostname, host = hostname, port } = Object(value);
  if (typeof host === "string") return `; write ${literal(host, port)}`;
  return awaitHint(value);
}

function textHint(text: string): string {
  if (/^\0|\//.test(text)) {
    return "; a path needs AF_UNIX: use a UnixStreamServer or UnixDatagramServer, or new Socket(AF_UNIX)";
  }
  const [, host = text, port] = /^(.*):(\d+)$/.exec(text) ?? [];
  return `; write ${literal(host, port)}`;
}

function arrayHint([first, second]: unknown[]): string {
  if (Number.isInteger(first) && typeof second === "string") {
    return `; write ${literal(second, first)}`;
  }
  return typeof first === "string" && second === undefined
    ? `; write ${literal(first, second)}`
    : "";
}

function literal(host: string, port: unknown): string {
  return `[${JSON.stringify(host)}, ${port ?? "port"}]`;
}

/** Returns the hint for a value that should be a number. */
export function numberHint(value: unknown): string {
  if (typeof value !== "string") return awaitHint(value);
  const cure = "convert it with Number()";
  const quoted = JSON.stringify(value);
  return /^\d+$/.test(value)
    ? ` ${quoted}; write ${Number(value)}, or ${cure}`
    : ` ${quoted}; ${cure}`;
}
