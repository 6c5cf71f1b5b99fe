/**
 * Python's `getaddrinfo` and `gethostbyname`, and the look-ups of a socket before it connects or sends.
 *
 * @module
 */

import type { InetAddress } from "../../base/address.ts";
import {
  AF_INET,
  AF_INET6,
  AF_UNSPEC,
  AI_ADDRCONFIG,
  AI_CANONNAME,
  AI_NUMERICHOST,
  AI_NUMERICSERV,
  AI_PASSIVE,
  SOCK_STREAM,
} from "../../base/constants.ts";
import { failingLater } from "../../waiting/turns.ts";
import { queryPermission } from "../system/deno_api.ts";
import {
  gaiError,
  type HostAddress,
  hostFor,
  lookUp,
  mayUse,
  parseAddress,
  permitted,
  type Question,
  resolveAll,
} from "./dns.ts";
import { endpointsOf } from "./service_ports.ts";

/**
 * One result of {@linkcode getaddrinfo}: the arguments of `new Socket`, and of `connect` or `bind`.
 *
 * @category Addresses
 */
export type AddrInfo = [
  family: number,
  type: number,
  proto: number,
  canonname: string,
  sockaddr: InetAddress,
];

const KNOWN = AI_PASSIVE | AI_CANONNAME | AI_NUMERICHOST | AI_NUMERICSERV |
  AI_ADDRCONFIG;

/** The addresses of a null host, in the order of getaddrinfo(3) on Linux. */
const LOOPBACK: HostAddress[] = [
  { address: "::1", family: AF_INET6 },
  { address: "127.0.0.1", family: AF_INET },
];
const WILDCARD: HostAddress[] = [
  { address: "0.0.0.0", family: AF_INET },
  { address: "::", family: AF_INET6 },
];

/**
 * Finds the addresses of a host and a service; Python's `socket.getaddrinfo`.
 *
 * Asks the system's resolver, and keeps its order; literal addresses need no permission. As in Python, each address has
 * one entry for each socket type, unless `type` or `proto` selects one; raw sockets are left out. An IPv6 address is
 * `[host, port]`, with its scope id in the host (`"fe80::1%eth0"`), and the canonical name is the host as given.
 *
 * @param host A name or an address; null is this machine, and `""` is not a name.
 * @param port A port number, as a number or as text, the name of a common service, or null.
 * @param family `AF_INET`, `AF_INET6`, or `AF_UNSPEC` for both.
 * @param type `SOCK_STREAM`, `SOCK_DGRAM`, or 0 for both.
 * @param proto `IPPROTO_TCP`, `IPPROTO_UDP`, or 0 for both.
 * @param flags A combination of `AI_PASSIVE` (with null as the host: every address, to bind to),
 *   `AI_CANONNAME`, `AI_NUMERICHOST` and `AI_NUMERICSERV`; `AI_ADDRCONFIG` changes nothing.
 * @returns The entries, the best first.
 * @throws {GaiError} EAI_NONAME for an unknown host, EAI_ADDRFAMILY for an address of another family, EAI_SERVICE for an
 *   unknown service, EAI_AGAIN if a name server failed for now, EAI_FAMILY, EAI_SOCKTYPE and EAI_BADFLAGS for
 *   unsupported values.
 * @throws {PermissionError} if Deno's net permission for the name is missing.
 * @throws {TypeError} if the host or the port has another type.
 * @throws {RangeError} if the port is a number outside 0 to 65535.
 * @category Addresses
 * @example
 * ```ts
 * import { getaddrinfo, SOCK_STREAM } from "@socketserver/socketserver";
 * import { deepStrictEqual } from "node:assert/strict";
 *
 * const [[, , , , sockaddr]] = await getaddrinfo("127.0.0.1", "http", 0, SOCK_STREAM);
 * deepStrictEqual(sockaddr, ["127.0.0.1", 80]);
 * ```
 */
export function getaddrinfo(
  host: string | null,
  port: string | number | null,
  family: number = AF_UNSPEC,
  type = 0,
  proto = 0,
  flags = 0,
): Promise<AddrInfo[]> {
  return failingLater(() => infosOf(host, port, family, type, proto, flags));
}

async function infosOf(
  host: string | null,
  port: string | number | null,
  family: number,
  type: number,
  proto: number,
  flags: number,
): Promise<AddrInfo[]> {
  if (host !== null && typeof host !== "string") {
    throw new TypeError(
      `Cannot getaddrinfo: host must be a string or null, got ${typeof host}`,
    );
  }
  const question = { syscall: "getaddrinfo", host };
  checkHints(question, port, family, flags);
  const endpoints = endpointsOf(question, port, type, proto, flags);
  const addresses = await hostsOf(question, family, flags);
  const infos = addresses.flatMap(({ address, family }) =>
    endpoints.map((
      [type, proto, port],
    ): AddrInfo => [family, type, proto, "", [address, port]])
  );
  if (flags & AI_CANONNAME) infos[0][3] = host!;
  return infos;
}

/** Throws if the arguments do not fit together, in the order of getaddrinfo(3). */
function checkHints(
  question: Question<string | null>,
  port: unknown,
  family: number,
  flags: number,
): void {
  const error = (code: Parameters<typeof gaiError>[0], reason: string) =>
    gaiError(code, question, { reason });
  if (question.host === null && port === null) {
    throw error("EAI_NONAME", "the host and the port are both null");
  }
  if (flags & ~KNOWN) {
    throw error("EAI_BADFLAGS", `flags ${flags} are not supported`);
  }
  if (question.host === null && flags & AI_CANONNAME) {
    throw error("EAI_BADFLAGS", "AI_CANONNAME needs a host");
  }
  if (family !== AF_UNSPEC && family !== AF_INET && family !== AF_INET6) {
    throw error("EAI_FAMILY", `family ${family} is not supported`);
  }
}

/** Returns the addresses of `host`, in the order of getaddrinfo(3) on Linux. */
async function hostsOf(
  { syscall, host }: Question<string | null>,
  family: number,
  flags: number,
): Promise<HostAddress[]> {
  if (host === null) {
    const own = flags & AI_PASSIVE ? WILDCARD : LOOPBACK;
    return own.filter((address) =>
      family === AF_UNSPEC || family === address.family
    );
  }
  const question = { syscall, host };
  if (flags & AI_NUMERICHOST && parseAddress(host) === undefined) {
    throw gaiError("EAI_NONAME", question, { reason: "AI_NUMERICHOST is set" });
  }
  return await resolveAll(family, question);
}

/**
 * Finds the IPv4 address of a host; Python's `socket.gethostbyname`. Literal addresses need no
 * permission. `""` is every address and `"<broadcast>"` the broadcast address, as in Python.
 *
 * @param host A name or an address.
 * @returns The first IPv4 address.
 * @throws {GaiError} EAI_NONAME for an unknown host, EAI_ADDRFAMILY for an IPv6 address, EAI_AGAIN if a name server
 *   failed for now.
 * @throws {PermissionError} if Deno's net permission for the name is missing.
 * @throws {TypeError} if the host is not a string.
 * @category Addresses
 * @example
 * ```ts
 * import { gethostbyname } from "@socketserver/socketserver";
 * import { strictEqual } from "node:assert/strict";
 *
 * strictEqual(await gethostbyname("127.1"), "127.0.0.1");
 * ```
 */
export function gethostbyname(host: string): Promise<string> {
  return failingLater(() => ipv4Of(host));
}

async function ipv4Of(host: string): Promise<string> {
  if (typeof host !== "string") {
    throw new TypeError(
      `Cannot gethostbyname: host must be a string, got ${typeof host}`,
    );
  }
  if (host === "") return "0.0.0.0";
  if (host === "<broadcast>") return "255.255.255.255";
  const [{ address }] = await resolveAll(AF_INET, {
    syscall: "gethostbyname",
    host,
  });
  return address;
}

/**
 * Finds the host to pass to Deno for a socket of `family`: an IP address, so that the family holds, or the name itself if
 * the permissions allow only that (`--allow-net=example.com`). Never prompts for the look-up.
 *
 * @param family `AF_INET` or `AF_INET6`.
 * @param host A name or an address, with Python's special names.
 * @param port The port for which permission is needed.
 * @param syscall The method, for messages.
 * @returns The host.
 * @throws {GaiError} if the host has no address in the family.
 */
export async function resolveHost(
  family: number,
  host: string,
  port: number,
  syscall: string,
): Promise<string> {
  const given = hostFor(family, host, port, syscall);
  if (parseAddress(given) !== undefined) return given;
  const question = { syscall, host: given };
  if (!mayLookUp(question, port)) return given;
  const [{ address }] = await lookUp(family, question);
  return permitted(given, address, port);
}

/**
 * Returns the addresses to try, in order, for a connection to a host. If the permissions allow only the name, returns
 * the name itself, and Deno tries its addresses.
 *
 * @param host A name or an address.
 * @param port The port.
 * @returns Families, each with an address.
 * @throws {GaiError} if the host is not known.
 */
export async function connectAddresses(
  host: string,
  port: number,
): Promise<[family: number, address: InetAddress][]> {
  const question = { syscall: "connect", host };
  if (
    host !== "" && parseAddress(host) === undefined &&
    !mayLookUp(question, port)
  ) {
    return [[AF_INET, [host, port]]];
  }
  const found = await getaddrinfo(host, port, AF_UNSPEC, SOCK_STREAM);
  return found.map((
    [family, , , , [ip]],
  ) => [family, [permitted(host, ip, port), port]]);
}

/** Reports whether the permissions allow the name and its look-up. Never prompts. */
function mayLookUp(question: Question, port: number): boolean {
  const { host } = question;
  try {
    return mayUse(host, port) &&
      queryPermission({ name: "net", host }).state === "granted";
  } catch (cause) { // URIError: Deno would not connect to such a name either
    const { message: reason } = cause as URIError;
    throw gaiError("EAI_NONAME", question, { reason, cause });
  }
}
