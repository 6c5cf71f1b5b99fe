/**
 * Checks of arguments.
 *
 * @module
 */

import * as C from "./constants.ts";
import { osError } from "./translate_error.ts";
import { awaitHint, numberHint } from "./message_hints.ts";
import { joinBytes } from "./memory.ts";
import { warnOfMilliseconds } from "./warnings.ts";

/**
 * Bytes as a parameter: any view of memory, or an `ArrayBuffer`.
 *
 * @category Sockets
 */
export type BytesLike = ArrayBufferView | ArrayBufferLike;

/**
 * Returns the bytes of a view or an `ArrayBuffer`, without a copy; undefined for other values. A subclass may have a `slice`
 * that makes no copy, as that of `Buffer`, so its bytes are a plain view.
 */
export function bytesOf(data: unknown): Uint8Array | undefined {
  if (
    data instanceof Uint8Array &&
    Object.getPrototypeOf(data) === Uint8Array.prototype
  ) return data;
  if (ArrayBuffer.isView(data)) {
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  }
  if (data instanceof ArrayBuffer || data instanceof SharedArrayBuffer) {
    return new Uint8Array(data);
  }
}

/** Returns the bytes of a parameter, without a copy. */
export function toBytes(data: unknown, doing: string): Uint8Array {
  const bytes = bytesOf(data);
  if (bytes !== undefined) return bytes;
  const hint = typeof data === "string" ? "; encode it first" : awaitHint(data);
  throw new TypeError(
    `Cannot ${doing}: data must be bytes, got ${typeof data}${hint}`,
  );
}

/** Returns the bytes in memory of their own: a view would transfer all of a larger buffer. */
export function ownBytes(
  bytes: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  return bytes.byteLength < bytes.buffer.byteLength ? bytes.slice() : bytes;
}

/** Throws unless the mode is one, and the options of a path are for a path. */
export function checkPathOptions(
  address: unknown,
  { pathMode, replaceStalePath }: {
    pathMode?: unknown;
    replaceStalePath?: unknown;
  },
): void {
  if (pathMode !== undefined && pathMode !== null) {
    checkMode(pathMode);
  } else if (!replaceStalePath) return;
  if (typeof address === "string" && /^[^\0]/.test(address)) return;
  const name = replaceStalePath ? "replaceStalePath" : "pathMode";
  throw new TypeError(
    `Cannot bind to ${
      JSON.stringify(address)
    }: ${name} is for the path of a Unix socket`,
  );
}

function checkMode(mode: unknown): void {
  if (typeof mode !== "number") {
    throw new TypeError(
      `Cannot bind: pathMode must be a number such as 0o660, got ${typeof mode}`,
    );
  }
  if (!Number.isInteger(mode) || mode < 0 || mode > 0o777) {
    throw new RangeError(
      `Cannot bind: pathMode must be 0 to 0o777, got ${mode}`,
    );
  }
}

/** Throws unless `size` is a count of bytes. */
export function checkSize(
  size: unknown,
  doing: string,
  name = "bufsize",
): asserts size is number {
  checkInteger(size, doing, name);
  if (size < 0) {
    throw new RangeError(
      `Cannot ${doing}: ${name} must not be negative, got ${size}`,
    );
  }
}

/** Throws unless `value` is an integer. */
export function checkInteger(
  value: unknown,
  doing: string,
  name: string,
): asserts value is number {
  if (!Number.isInteger(value)) {
    throw new TypeError(
      `Cannot ${doing}: ${name} must be an integer, got ${value}`,
    );
  }
}

/** Throws unless `how` is a direction of `shutdown`. */
export function checkDirection(how: unknown): void {
  checkInteger(how, "shutdown", "how");
  if (how !== C.SHUT_RD && how !== C.SHUT_WR && how !== C.SHUT_RDWR) {
    const reason = `there is no such direction: ${how}`;
    throw osError("EINVAL", { syscall: "shutdown", reason });
  }
}

/** Throws unless `backlog` is a C `int`. */
export function checkBacklog(backlog: unknown): void {
  checkInteger(backlog, "listen", "backlog");
  if (backlog !== (backlog | 0)) {
    throw new RangeError(
      `Cannot listen: backlog must be a 32-bit integer, got ${backlog}`,
    );
  }
}

/** Throws unless `value` can be iterated over. */
export function checkIterable<T>(
  value: Iterable<T> | unknown,
  doing: string,
  name: string,
): asserts value is Iterable<T> {
  if (Symbol.iterator in Object(value)) return;
  throw new TypeError(
    `Cannot ${doing}: ${name} must be iterable, got ${typeof value}${
      awaitHint(value)
    }`,
  );
}

/** Joins the buffers of `sendmsg`. */
export function gather(buffers: unknown, ancdata: unknown): Uint8Array {
  checkIterable(buffers, "sendmsg", "buffers");
  checkIterable(ancdata, "sendmsg", "ancdata");
  if (Array.from(ancdata).length > 0) {
    const reason = "Deno passes no ancillary data";
    throw osError("EOPNOTSUPP", { syscall: "sendmsg", reason });
  }
  return joinBytes(Array.from(buffers, (part) => toBytes(part, "sendmsg")));
}

/** Throws unless a socket of this type and timeout can send that part of a file. */
export function checkSendfile(
  socket: { type: number; timeout: number | null },
  offset: unknown,
  count: unknown,
): void {
  checkSize(offset, "sendfile", "offset");
  if (count !== undefined) checkSize(count, "sendfile", "count");
  if (count === 0) {
    throw new RangeError("Cannot sendfile: count must be positive, got 0");
  }
  if (socket.type !== C.SOCK_STREAM) {
    throw new TypeError("Cannot sendfile: only stream sockets can");
  }
  if (socket.timeout === 0) {
    throw new TypeError(
      "Cannot sendfile: the socket must wait, its timeout is 0",
    );
  }
}

/** Throws unless `seconds` is a timeout: null, or a number from 0. */
export function checkTimeout(
  seconds: unknown,
): asserts seconds is number | null {
  if (seconds === null) return;
  if (typeof seconds !== "number") {
    throw new TypeError(
      `Cannot set the timeout: it must be a number or null, got ${typeof seconds}${
        numberHint(seconds)
      }`,
    );
  }
  if (!(seconds >= 0 && seconds < Infinity)) {
    throw new RangeError(
      `Cannot set the timeout: it must be finite and not negative, got ${seconds}`,
    );
  }
  warnOfMilliseconds(seconds);
}

/** Throws a TypeError unless `value` is a boolean. */
export function checkBoolean(value: boolean, name: string): boolean {
  if (typeof value === "boolean") return value;
  throw new TypeError(`Cannot set ${name}: it must be a boolean, got ${value}`);
}

/** Throws a RangeError unless `max` is an integer from 1, or Infinity. */
export function checkMax(max: number, name: string): number {
  if (max === Infinity || Number.isInteger(max) && max >= 1) return max;
  throw new RangeError(
    `Cannot set ${name}: it must be an integer from 1, or Infinity, got ${max}`,
  );
}
