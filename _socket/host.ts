/**
 * The host to give to Deno for the host of an address, as far as that takes no look-up.
 *
 * @module
 */

import { AF_INET } from "./constants.ts";
import { literalIn } from "./lookup.ts";

/**
 * The host to give to Deno for `host`. `""` is every address and `"<broadcast>"` the broadcast
 * address, as in Python; `"localhost"` is the loopback address of the family (RFC 6761, section
 * 6.3); `"127.1"` and the like are what inet_aton(3) makes of them.
 *
 * @param family `AF_INET` or `AF_INET6`.
 * @param host A name or an address.
 * @param port The port for which permission is needed.
 * @param syscall The method, for messages.
 * @throws {GaiError} where the host is an address of the other family.
 */
export function hostFor(
  family: number,
  host: string,
  port: number,
  syscall: string,
): string {
  if (host === "") return family === AF_INET ? "0.0.0.0" : "::";
  if (host === "<broadcast>" && family === AF_INET) return "255.255.255.255";
  if (host === "localhost") {
    return permitted(host, family === AF_INET ? "127.0.0.1" : "::1", port);
  }
  return literalIn(family, { syscall, host })?.address ?? host;
}

/**
 * The IP address of a name, or the name itself unless the permissions allow both: Deno then decides by
 * the name, as `--allow-net=example.com` and `--deny-net=example.com` ask for.
 */
export function permitted(name: string, ip: string, port: number): string {
  return mayUse(name, port) && mayUse(ip, port) ? ip : name;
}

/** Whether the net permission for a host is granted; asking never prompts. */
export function mayUse(host: string, port: number): boolean {
  const bracketed = host.includes(":") ? `[${host}]` : host;
  return Deno.permissions.querySync({
    name: "net",
    host: `${bracketed}:${port}`,
  }).state === "granted";
}
