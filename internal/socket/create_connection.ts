/**
 * Connections to a host or a path: all addresses of the host, in a race.
 *
 * @module
 */

import {
  type Address,
  type AddressLike,
  checkAddress,
  formatAddress,
  type InetAddress,
} from "../base/address.ts";
import { AF_INET, AF_UNIX } from "../base/constants.ts";
import { parseAddress } from "../runtime/resolver/dns.ts";
import { connectAddresses } from "../runtime/resolver/getaddrinfo.ts";
import { tcpPort } from "../runtime/resolver/service_ports.ts";
import {
  type AbortOptions,
  checkAborted,
  checkSignal,
  untilAborted,
} from "../waiting/abort.ts";
import { staggeredRace } from "../waiting/staggered_race.ts";
import { failLater } from "../waiting/turns.ts";
import { Socket } from "./socket_object.ts";

/** The delay that RFC 8305 recommends (section 5), and that trio has. */
const HAPPY_EYEBALLS_DELAY = 0.25;

/**
 * Options of {@linkcode createConnection}.
 *
 * @category Options
 */
export interface CreateConnectionOptions extends AbortOptions {
  /**
   * Seconds that each attempt may take, as in Python, and the timeout of the socket; null is no timeout. To limit all
   * attempts together, pass a `signal` such as `AbortSignal.timeout(10_000)`.
   *
   * @default {getdefaulttimeout()}
   */
  timeout?: number | null;
  /**
   * The local address to connect from. Only the addresses of its family are tried.
   */
  sourceAddress?: AddressLike;
  /**
   * Seconds after which the next address is tried, if no attempt has succeeded or failed meanwhile (RFC 8305). Null
   * tries an address only when the one before has failed, as Python's function does.
   *
   * @default {0.25}
   */
  happyEyeballsDelay?: number | null;
  /**
   * Whether a failure throws an `AggregateError` of all attempts, and not only the error of the last one.
   *
   * @default {false}
   */
  allErrors?: boolean;
}

/**
 * Opens a connection. Over TCP, tries every address of the host, alternately of IPv6 and IPv4, and returns the first
 * connection. A slow address delays the next one by `happyEyeballsDelay` only. All other attempts are closed.
 *
 * @param address `[host, port]`, or the path of a Unix socket, which Python's function does not take. The port may be the
 *   name of a service (`"https"`) or digits, as for {@linkcode getaddrinfo}.
 * @param options Timeout, local address, signal, and the delay between two attempts.
 * @returns The connected socket.
 * @throws {OSError} The failure of the last address.
 * @throws {AggregateError} The failures of all addresses, in their order, with `allErrors`.
 * @throws {GaiError} if the host or the service is not known.
 * @throws {TypeError} if the address has the wrong shape.
 * @throws {RangeError} if the port, the timeout or the delay is out of range.
 * @category Sockets
 * @example
 * ```ts
 * import { deepStrictEqual } from "node:assert/strict";
 * import { createConnection, createServer } from "@socketserver/socketserver";
 *
 * using listener = createServer(["127.0.0.1", 0]);
 * const address = listener.getsockname();
 * using client = await createConnection(address, { timeout: 5 });
 * deepStrictEqual(client.getpeername(), address);
 * ```
 */
export async function createConnection(
  address: readonly [host: string, port: number | string] | string,
  options: CreateConnectionOptions = {},
): Promise<Socket> {
  try {
    checkConnectOptions(address, options);
    const { signal } = options;
    checkSignal(signal, "connect");
    checkAborted(signal);
    if (typeof address !== "string") {
      return await connectToAny(address, options);
    }
    return await connectTo(AF_UNIX, address, options, signal);
  } catch (error) {
    return await failLater(error);
  }
}

/** Throws unless the options of a connection are an object. Python has the timeout in their place. */
export function checkConnectOptions(address: unknown, options: unknown): void {
  if (typeof options === "object" && options !== null) return;
  const cure = typeof address === "string"
    ? `[${JSON.stringify(address)}, ${options}]`
    : `{ timeout: ${options} }`;
  const hint = typeof options === "number" ? `; write ${cure}` : "";
  throw new TypeError(
    `Cannot connect: the second argument must be an object of options, got ${options}${hint}`,
  );
}

async function connectToAny(
  address: readonly [host: string, port: number | string],
  options: CreateConnectionOptions,
): Promise<Socket> {
  const [host, port] = withNumber(address);
  const { signal, allErrors } = options;
  const { happyEyeballsDelay: delay = HAPPY_EYEBALLS_DELAY } = options;
  checkDelay(delay);
  const found = await untilAborted(() => connectAddresses(host, port), signal);
  const candidates = interleave(usable(found, options));
  try {
    return await connectToFirst(candidates, delay, options);
  } catch (error) {
    if (!(error instanceof AggregateError)) throw error;
    if (!allErrors) throw error.errors.at(-1);
    const where = formatAddress(address as InetAddress);
    throw new AggregateError(
      error.errors,
      `Cannot connect "${where}": all attempts failed`,
    );
  }
}

/** Connects to the first address that answers. Throws an AggregateError if none does. */
async function connectToFirst(
  candidates: Candidate[],
  delay: number | null,
  options: CreateConnectionOptions,
): Promise<Socket> {
  const { signal } = options;
  const attempts = candidates.map(([family, address]) => (over?: AbortSignal) =>
    connectTo(family, address, options, over)
  );
  if (attempts.length > 1) {
    return await staggeredRace(attempts, { delay, discard: close, signal });
  }
  try {
    return await attempts[0](signal);
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new AggregateError([error]);
  }
}

function close(socket: Socket): void {
  socket.close();
}

/** Returns the address with a port number. */
function withNumber(
  address: readonly [host: string, port: number | string],
): InetAddress {
  const named = Array.isArray(address) && typeof address[1] === "string";
  const [host, port] = checkAddress(
    AF_INET,
    named ? address.toSpliced(1, 1, 0) : address,
    "connect",
  ) as InetAddress;
  return [
    host,
    named ? tcpPort({ syscall: "connect", host }, address[1]) : port,
  ];
}

/** Throws unless a delay between two attempts is null or finite seconds. */
export function checkDelay(seconds: unknown): asserts seconds is number | null {
  if (seconds === null) return;
  const doing = "Cannot connect: happyEyeballsDelay must be";
  if (typeof seconds !== "number") {
    throw new TypeError(`${doing} a number or null, got ${typeof seconds}`);
  }
  if (!(seconds >= 0 && seconds < Infinity)) {
    throw new RangeError(`${doing} finite and not negative, got ${seconds}`);
  }
}

type Candidate = [family: number, address: InetAddress];

/**
 * Returns the addresses that the local address can reach; all of them if none fits, so that an attempt fails with the
 * error of the system.
 */
function usable(
  candidates: Candidate[],
  { sourceAddress }: CreateConnectionOptions,
): Candidate[] {
  const [host] = Array.isArray(sourceAddress) ? sourceAddress : [""];
  const family = typeof host === "string"
    ? parseAddress(host)?.family
    : undefined;
  const fitting = candidates.filter(([each]) => each === family);
  return fitting.length > 0 ? fitting : candidates;
}

/** Orders addresses by turns of their families, the family of the first one first (RFC 8305, section 4). */
function interleave(candidates: Candidate[]): Candidate[] {
  const families = Object.values(
    Object.groupBy(
      candidates,
      ([family]) => family === candidates[0][0] ? "first" : "other",
    ),
  );
  const longest = Math.max(...families.map((each) => each!.length));
  return Array.from({ length: longest }).flatMap((_, index) =>
    families.flatMap((each) => each!.slice(index, index + 1))
  );
}

async function connectTo(
  family: number,
  address: Address,
  { timeout, sourceAddress }: CreateConnectionOptions,
  signal: AbortSignal | undefined,
): Promise<Socket> {
  const socket = new Socket(family);
  try {
    if (timeout !== undefined) socket.settimeout(timeout);
    if (sourceAddress !== undefined) socket.bind(sourceAddress);
    await socket.connect(address, { signal });
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}
