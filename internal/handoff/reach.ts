/**
 * Where code that runs elsewhere may have datagrams sent.
 *
 * @module
 */

import type { AddressLike } from "../base/address.ts";
import { AF_INET, AF_INET6 } from "../base/constants.ts";
import { inetPton, isIPv4, isIPv6 } from "../base/inet.ts";
import { type ChildPermissions, expandHost } from "./permissions.ts";

/**
 * Whether a child may have the server's socket send a datagram to an address: where it could send there itself. Names
 * in the list do not count, for an address does not say which it had.
 */
export function maySendTo(
  { net, read, write }: ChildPermissions,
  address: AddressLike,
): boolean {
  if (typeof address === "string") {
    return net === true && read === true && write === true;
  }
  if (!Array.isArray(net)) return net === true;
  return net.flatMap(expandHost).some((value) => covers(value, address));
}

/** Whether a value of a list stands for an address: `10.0.0.1`, `[::1]:53`, `10.0.0.0/8:53`. */
function covers(value: string, [host, port]: AddressLike): boolean {
  const parts = /^(\[.*?\]|[^:/]*)(?:\/(\d+))?(?::(\d+))?$/.exec(value);
  if (parts === null) return false;
  if (parts[3] !== undefined && Number(parts[3]) !== port) return false;
  const [wanted, given] = [bitsOf(parts[1]), bitsOf(host as string)];
  if (wanted === undefined || given?.length !== wanted.length) return false;
  const count = Number(parts[2] ?? wanted.length);
  return wanted.slice(0, count) === given.slice(0, count);
}

/** The bits of an IP address as text. */
function bitsOf(host: string): string | undefined {
  const literal = host.replace(/^\[|\]$/g, "");
  const family = isIPv4(literal) ? AF_INET : AF_INET6;
  if (family === AF_INET6 && !isIPv6(literal)) return;
  const bytes = inetPton(family, literal);
  return Array.from(bytes, (byte: number) => byte.toString(2).padStart(8, "0"))
    .join("");
}
