/**
 * Python's addresses: checks, and conversion from Deno's.
 *
 * @module
 */

import { AF_INET, AF_INET6, AF_UNIX } from "./constants.ts";
import { osError } from "./translate_error.ts";
import { addressHint, awaitHint, numberHint } from "./message_hints.ts";

/**
 * An address of AF_INET or AF_INET6.
 *
 * @category Addresses
 */
export type InetAddress = [host: string, port: number];

/**
 * A socket address as in Python: `[host, port]`, or the path of a Unix socket.
 *
 * @category Addresses
 */
export type Address = InetAddress | string;

/**
 * An address as a parameter: an {@linkcode Address}, a literal such as `["localhost", 80]`, or a read-only tuple.
 *
 * @category Addresses
 */
export type AddressLike = readonly [host: string, port: number] | string;

/**
 * The shape of `Deno.NetAddr` and `Deno.UnixAddr` in one.
 *
 * @category Addresses
 */
export interface TransportAddr {
  /** `"tcp"`, `"udp"`, `"unix"` or `"unixpacket"`. */
  transport: string;
  /** The IP address, for TCP and UDP. */
  hostname?: string;
  /** The port, for TCP and UDP. */
  port?: number;
  /** The path, for Unix sockets; null or empty for an unnamed one. */
  path?: string | null;
}

/** The longest path of a Unix socket in bytes: `sun_path` of unix(7) is 108 with the NUL of a path. */
const UNIX_PATH_MAX = 107;

/**
 * Formats an address as text.
 *
 * @param address `[host, port]`, or a path.
 * @returns `localhost:80`, `[::1]:80`, or the path.
 * @category Addresses
 */
export function formatAddress(address: AddressLike): string {
  if (typeof address === "string") return address;
  const [host, port] = address;
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** Formats any value that was given as an address, for a message: `"localhost:80"`, or `[1,2]` as it is. */
function quoteAddress(address: unknown): string {
  const text = Array.isArray(address) && typeof address[0] === "string"
    ? formatAddress(address as unknown as AddressLike)
    : address;
  return JSON.stringify(text) ?? String(text);
}

/** Throws unless `port` is a port number; `doing` begins the message. */
export function checkPort(port: unknown, doing: string): void {
  if (isPort(port)) return;
  if (typeof port !== "number") {
    throw new TypeError(
      `${doing}: port must be a number, got ${typeof port}${numberHint(port)}`,
    );
  }
  throw new RangeError(
    `${doing}: port must be an integer from 0 to 65535, got ${port}${
      Number.isNaN(port) ? "; is the variable with the port set?" : ""
    }`,
  );
}

function isPort(port: unknown): port is number {
  return Number.isInteger(port) && port as number >= 0 &&
    port as number <= 65535;
}

/** Returns `address`, or throws if it does not have the shape of `family`. */
export function checkAddress(
  family: number,
  address: unknown,
  syscall: string,
): AddressLike {
  if (Array.isArray(address) && address.length === 2 && family !== AF_UNIX) {
    const [host, port] = address;
    if (typeof host === "string" && !host.includes("\0") && isPort(port)) {
      return [host, port]; // the common case: no message is made
    }
  }
  const doing = `Cannot ${syscall} ${quoteAddress(address)}`;
  return family === AF_UNIX
    ? checkPath(address, doing, syscall)
    : checkInetAddress(address, doing);
}

function checkInetAddress(address: unknown, doing: string): InetAddress {
  if (!Array.isArray(address) || address.length < 2 || address.length > 4) {
    throw new TypeError(
      `${doing}: the address must be [host, port]${addressHint(address)}`,
    );
  }
  const [host, port, ...rest] = address;
  if (typeof host !== "string") {
    throw new TypeError(
      `${doing}: host must be a string, got ${typeof host}${
        addressHint(address)
      }`,
    );
  }
  if (host.includes("\0")) {
    throw new TypeError(`${doing}: host must not contain a NUL character`);
  }
  checkPort(port, doing);
  if (rest.some((part) => part !== 0)) {
    throw new RangeError(
      `${doing}: flow info and scope must be 0; a scope goes into the host`,
    );
  }
  return [host, port];
}

function checkPath(path: unknown, doing: string, syscall: string): string {
  if (typeof path !== "string") {
    throw new TypeError(
      `${doing}: the address of a Unix socket must be a path string${
        Array.isArray(path)
          ? "; [host, port] needs AF_INET, as a TCPServer has"
          : awaitHint(path)
      }`,
    );
  }
  const abstract = path.startsWith("\0"); // a name with a length, not a path that ends with a NUL
  if (!abstract && path.includes("\0")) {
    throw new TypeError(`${doing}: the path must not contain a NUL character`);
  }
  const bytes = new TextEncoder().encode(path).length;
  const most = abstract ? UNIX_PATH_MAX + 1 : UNIX_PATH_MAX;
  if (bytes > most) {
    throw osError("ENAMETOOLONG", {
      syscall,
      address: path,
      reason: `AF_UNIX path must be at most ${most} bytes, got ${bytes}`,
    });
  }
  return path;
}

/** Returns an address of Deno's as Python's. */
export function fromTransport(addr: TransportAddr): Address {
  if (addr.hostname !== undefined) return [addr.hostname, addr.port ?? 0];
  return addr.path ?? "";
}

/** Returns the address family of an address of Deno's. */
export function familyOf(addr: TransportAddr): number {
  if (addr.hostname === undefined) return AF_UNIX;
  return addr.hostname.includes(":") ? AF_INET6 : AF_INET;
}
