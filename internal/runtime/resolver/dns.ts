/**
 * Resolves names to IP addresses and back, with the system's resolver (`node:dns`), and translates its errors. Literal
 * addresses never reach the resolver.
 *
 * @module
 */

import {
  AF_INET,
  AF_INET6,
  AF_UNSPEC,
  EAI_ADDRFAMILY,
  EAI_AGAIN,
  EAI_BADFLAGS,
  EAI_FAIL,
  EAI_FAMILY,
  EAI_NONAME,
  EAI_SERVICE,
  EAI_SOCKTYPE,
} from "../../base/constants.ts";
import { isErrnoName } from "../../base/errno.ts";
import { GaiError } from "../../base/errors.ts";
import {
  bytesOfIPv6,
  formatIPv4,
  formatIPv6,
  isIPv4,
  isIPv6,
  readAton,
} from "../../base/ip_text.ts";
import { translate } from "../../base/translate_error.ts";
import { queryPermission } from "../system/deno_api.ts";
import { nodeDns } from "../system/node_builtins.ts";

/** The numbers, and the texts of gai_strerror(3). */
const GAI = {
  EAI_ADDRFAMILY: [EAI_ADDRFAMILY, "Address family for hostname not supported"],
  EAI_BADFLAGS: [EAI_BADFLAGS, "Bad value for ai_flags"],
  EAI_NONAME: [EAI_NONAME, "Name or service not known"],
  EAI_AGAIN: [EAI_AGAIN, "Temporary failure in name resolution"],
  EAI_FAIL: [EAI_FAIL, "Non-recoverable failure in name resolution"],
  EAI_FAMILY: [EAI_FAMILY, "ai_family not supported"],
  EAI_SOCKTYPE: [EAI_SOCKTYPE, "ai_socktype not supported"],
  EAI_SERVICE: [EAI_SERVICE, "Servname not supported for ai_socktype"],
} as const;

/** A question to the resolver, and the method that asks it. */
export interface Question<Host = string> {
  readonly syscall: string;
  readonly host: Host;
}

/** An IP address and its family. */
export interface HostAddress {
  readonly address: string;
  readonly family: number;
}

/** Creates a {@linkcode GaiError}; `reason` replaces the text of gai_strerror(3). */
export function gaiError(
  code: keyof typeof GAI,
  { syscall, host }: Question<string | null>,
  more: { reason?: string; cause?: unknown } = {},
): GaiError {
  const [eai, text] = GAI[code];
  const message = `Cannot ${syscall} ${JSON.stringify(host)}: ${
    more.reason ?? text
  } (${code})`;
  const options = { code, syscall, address: host ?? undefined };
  return new GaiError(
    message,
    eai,
    "cause" in more ? { ...options, cause: more.cause } : options,
  );
}

/** Translates an error of `node:dns`. */
export function lookupError(error: unknown, question: Question): unknown {
  if (!(error instanceof Error)) return error;
  const code: unknown = "code" in error ? error.code : undefined;
  const cause = error;
  if (code === "ENOTFOUND") return gaiError("EAI_NONAME", question, { cause });
  if (code === "EAI_AGAIN") return gaiError("EAI_AGAIN", question, { cause });
  if (!isErrnoName(code)) {
    return gaiError("EAI_FAIL", question, { cause, reason: error.message });
  }
  const { syscall, host: address } = question;
  // node:dns throws EPERM if Deno's permissions refuse.
  const reason = code === "EPERM"
    ? `requires net access to "${address}", run again with the --allow-net flag`
    : undefined;
  return translate(error, { syscall, address, reason });
}

/** Parses a literal address, in the form of getaddrinfo(3); undefined for a name. */
export function parseAddress(host: string): HostAddress | undefined {
  if (isIPv4(host)) return { address: host, family: AF_INET };
  if (isIPv6(host)) {
    const [ip, scope] = host.split("%");
    const address = formatIPv6(bytesOfIPv6(ip)!);
    return {
      address: scope ? `${address}%${scope}` : address,
      family: AF_INET6,
    };
  }
  const value = readAton(host);
  return value < 0
    ? undefined
    : { address: formatIPv4(value), family: AF_INET };
}

/** Parses a literal address of `family`; undefined for a name. */
function parseAddressIn(
  family: number,
  question: Question,
): HostAddress | undefined {
  const found = parseAddress(question.host);
  if (found === undefined || family === AF_UNSPEC || found.family === family) {
    return found;
  }
  const mapped = found.address.replace(/^::ffff:/, ""); // getaddrinfo(3) unwraps it
  if (family === AF_INET && isIPv4(mapped)) return { address: mapped, family };
  const reason = family === AF_INET
    ? "an IPv6 address needs AF_INET6: `new Socket(AF_INET6)`, or the `addressFamily` of a server"
    : "an IPv4 address needs AF_INET: `new Socket(AF_INET)`, or the `addressFamily` of a server";
  throw gaiError("EAI_ADDRFAMILY", question, { reason });
}

/** Creates the error of a `bind` to a name without an address in `family`. */
export function wrongFamily(family: number, host: string): GaiError {
  const name = family === AF_INET ? "AF_INET" : "AF_INET6";
  const reason = `the host has no address in ${name}`;
  return gaiError("EAI_ADDRFAMILY", { syscall: "bind", host }, { reason });
}

/** Asks the resolver for the addresses of a name in `family`. Returns at least one. */
export async function lookUp(
  family: number,
  question: Question,
): Promise<HostAddress[]> {
  const wanted = family === AF_INET ? 4 : family === AF_INET6 ? 6 : 0;
  const options = { all: true, family: wanted, verbatim: true } as const;
  const found = await query(
    question,
    () => nodeDns().promises.lookup(question.host, options),
  );
  if (found.length > 0) return found.map(fromNode);
  throw gaiError("EAI_NONAME", question); // node:dns has no error for the empty name
}

/** Returns the answer of `node:dns`; translates its error. */
async function query<T>(
  question: Question,
  send: () => Promise<T>,
): Promise<T> {
  try {
    return await send();
  } catch (error) {
    throw lookupError(error, question);
  }
}

/** Returns the addresses of a literal or a name in `family`, at least one. */
export async function resolveAll(
  family: number,
  question: Question,
): Promise<HostAddress[]> {
  const found = parseAddressIn(family, question);
  return found === undefined ? await lookUp(family, question) : [found];
}

function fromNode(
  { address, family }: { address: string; family: number },
): HostAddress {
  return { address, family: family === 6 ? AF_INET6 : AF_INET };
}

/** Asks the resolver for the name of an IP address; undefined if it has none. */
export async function reverseLookUp(
  ip: string,
  question: Question,
): Promise<string | undefined> {
  const [unscoped] = ip.split("%"); // node:dns takes no scope id here
  try {
    const send = () => nodeDns().promises.lookupService(unscoped, 0);
    return (await query(question, send)).hostname;
  } catch (error) {
    if (error instanceof GaiError && error.errno === EAI_NONAME) {
      return undefined;
    }
    throw error;
  }
}

/**
 * Returns the host to pass to Deno for `host`. `""` is every address and `"<broadcast>"` the broadcast address, as in
 * Python; `"localhost"` is the loopback address of the family (RFC 6761, section 6.3); short forms such as `"127.1"`
 * are read as inet_aton(3) reads them.
 *
 * @param family `AF_INET` or `AF_INET6`.
 * @param host A name or an address.
 * @param port The port for which permission is needed.
 * @param syscall The method, for messages.
 * @throws {GaiError} if the host is an address of the other family.
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
  return parseAddressIn(family, { syscall, host })?.address ?? host;
}

/**
 * Returns the IP address of a name, or the name itself unless the permissions allow both. Deno then decides by the name,
 * as `--allow-net=example.com` and `--deny-net=example.com` ask.
 */
export function permitted(name: string, ip: string, port: number): string {
  return mayUse(name, port) && mayUse(ip, port) ? ip : name;
}

/** Reports whether the net permission for a host is granted. Never prompts. */
export function mayUse(host: string, port: number): boolean {
  const bracketed = host.includes(":") ? `[${host}]` : host;
  const descriptor = { name: "net", host: `${bracketed}:${port}` };
  return queryPermission(descriptor).state === "granted";
}
