/**
 * Python's `getnameinfo`, `gethostname` and `getfqdn`.
 *
 * @module
 */

import { checkAddress, type InetAddress } from "../../base/address.ts";
import {
  AF_INET,
  AF_UNSPEC,
  IPPROTO_TCP,
  IPPROTO_UDP,
  NI_DGRAM,
  NI_NAMEREQD,
  NI_NUMERICHOST,
  NI_NUMERICSERV,
} from "../../base/constants.ts";
import { OSError } from "../../base/errors.ts";
import { translate } from "../../base/translate_error.ts";
import { failingLater } from "../../waiting/turns.ts";
import { gaiError, parseAddress, resolveAll, reverseLookUp } from "./dns.ts";
import { serviceOf } from "./service_ports.ts";

const KNOWN = NI_NUMERICHOST | NI_NUMERICSERV | NI_NAMEREQD | NI_DGRAM;

/**
 * Turns a socket address into the names of its host and service; Python's `socket.getnameinfo`.
 *
 * Takes host names from the system's resolver and service names from a built-in list of common ones. A host or port
 * without a name is returned as a number. `NI_NUMERICHOST` asks no resolver and needs no permission.
 *
 * @param sockaddr `[host, port]`; the host must be an IP address.
 * @param flags A combination of `NI_NUMERICHOST`, `NI_NUMERICSERV`, `NI_NAMEREQD` and `NI_DGRAM`.
 * @returns The host and the service.
 * @throws {GaiError} EAI_NONAME if the host is not an IP address, or has no name and `NI_NAMEREQD` is set; EAI_AGAIN if a
 *   name server failed for now.
 * @throws {PermissionError} if Deno's net permission for the address is missing.
 * @throws {TypeError} if the address is not `[host, port]`.
 * @throws {RangeError} if the port is not 0 to 65535.
 * @category Addresses
 * @example
 * ```ts
 * import { getnameinfo, NI_NUMERICHOST } from "@socketserver/socketserver";
 * import { deepStrictEqual } from "node:assert/strict";
 *
 * const name = await getnameinfo(["192.0.2.1", 80], NI_NUMERICHOST);
 * deepStrictEqual(name, ["192.0.2.1", "http"]);
 * ```
 */
export function getnameinfo(
  sockaddr: Readonly<InetAddress>,
  flags = 0,
): Promise<[host: string, service: string]> {
  return failingLater(() => namesOf(sockaddr, flags));
}

async function namesOf(
  sockaddr: Readonly<InetAddress>,
  flags: number,
): Promise<[host: string, service: string]> {
  const syscall = "getnameinfo";
  const [host, port] = checkAddress(AF_INET, sockaddr, syscall) as InetAddress;
  const question = { syscall, host };
  if (flags & ~KNOWN) {
    const reason = `flags ${flags} are not supported`;
    throw gaiError("EAI_BADFLAGS", question, { reason });
  }
  const ip = parseAddress(host)?.address;
  if (ip === undefined) {
    const reason = "the host must be an IP address";
    throw gaiError("EAI_NONAME", question, { reason });
  }
  const name = flags & NI_NUMERICHOST
    ? undefined
    : await reverseLookUp(ip, question);
  if (name === undefined && flags & NI_NAMEREQD) {
    throw gaiError("EAI_NONAME", question);
  }
  return [name ?? ip, serviceAt(port, flags)];
}

function serviceAt(port: number, flags: number): string {
  const service = flags & NI_NUMERICSERV
    ? undefined
    : serviceOf(port, flags & NI_DGRAM ? IPPROTO_UDP : IPPROTO_TCP);
  return service ?? String(port);
}

/**
 * Returns the name of this machine; Python's `socket.gethostname`. Needs `--allow-sys=hostname`.
 *
 * @returns The name, not always a fully qualified one.
 * @throws {PermissionError} if Deno's sys permission is missing.
 * @category Addresses
 * @example
 * ```ts
 * import { gethostname } from "@socketserver/socketserver";
 * import { strictEqual } from "node:assert/strict";
 *
 * strictEqual(gethostname(), Deno.hostname());
 * ```
 */
export function gethostname(): string {
  try {
    return Deno.hostname();
  } catch (error) {
    throw translate(error, { syscall: "gethostname" });
  }
}

/**
 * Finds the fully qualified name of a host, which is the name of its first address; Python's `socket.getfqdn`. Ignores
 * aliases of that name.
 *
 * @param name The host. Empty, `"0.0.0.0"` and `"::"` are this machine.
 * @returns The qualified name, or the host if the resolver has none or may not be asked.
 * @throws {PermissionError} for this machine, if Deno's sys permission is missing.
 * @category Addresses
 * @example
 * ```ts
 * import { getfqdn } from "@socketserver/socketserver";
 * import { match } from "node:assert/strict";
 *
 * match(await getfqdn("localhost"), /^[\w.-]+$/);
 * ```
 */
export async function getfqdn(name = ""): Promise<string> {
  const asked = name.trim();
  const host = ["", "0.0.0.0", "::"].includes(asked) ? gethostname() : asked;
  const question = { syscall: "getfqdn", host };
  try {
    const [{ address }] = await resolveAll(AF_UNSPEC, question);
    return await reverseLookUp(address, question) ?? host;
  } catch (error) {
    if (error instanceof OSError) return host;
    throw error;
  }
}
