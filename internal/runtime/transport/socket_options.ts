/**
 * Socket options: a table of them, and functions to set and read them.
 *
 * @module
 */

import * as C from "../../base/constants.ts";
import type { OSError } from "../../base/errors.ts";
import { inetNtoa, isIPv4 } from "../../base/inet.ts";
import { osError, translate } from "../../base/translate_error.ts";
import type {
  DatagramOption,
  DatagramTransport,
  StreamTransport,
} from "./transport.ts";

/**
 * The value of an option: a number or boolean, the bytes of a C `int`, or for a multicast
 * membership `[group, interface]` or the bytes of an `ip_mreq`.
 *
 * @category Options
 */
export type OptionValue =
  | number
  | boolean
  | Uint8Array
  | readonly [group: string, networkInterface?: string];

/** The members of a socket that options need. */
export interface OptionTarget {
  /** The socket's type. */
  readonly type: number;
  /** The options that were set. They are applied once there is a transport. */
  readonly values: Map<OptionName, number>;
  /** The connected stream, if there is one. */
  readonly stream?: StreamTransport;
  /** The datagram socket, if there is one. */
  readonly datagram?: DatagramTransport;
  /** Whether it is bound, listening or connected. */
  readonly open: boolean;
}

interface Row {
  readonly level: number;
  readonly number: number;
  /** The largest value; the smallest is 0. */
  readonly max: number;
  /** The value of a new socket; undefined if only the system knows. */
  readonly initial?: number;
  /** The type of the sockets that have the option, if it is one only. */
  readonly type?: number;
  /** The method of a stream that sets it. */
  readonly stream?: "setNoDelay" | "setKeepAlive";
  /** The option of a datagram socket. */
  readonly datagram?: DatagramOption;
}

const { SOL_SOCKET, IPPROTO_IP, IPPROTO_TCP, SOCK_DGRAM, SOCK_STREAM } = C;
const INT_MAX = 2147483647;

/** The options of setsockopt(2), tcp(7) and ip(7) that Deno or Node can set. */
const ROWS = {
  SO_REUSEADDR: { level: SOL_SOCKET, number: C.SO_REUSEADDR, max: 1 },
  SO_REUSEPORT: {
    level: SOL_SOCKET,
    number: C.SO_REUSEPORT,
    max: 1,
    initial: 0,
  },
  SO_KEEPALIVE: {
    level: SOL_SOCKET,
    number: C.SO_KEEPALIVE,
    max: 1,
    initial: 0,
    stream: "setKeepAlive",
  },
  TCP_NODELAY: {
    level: IPPROTO_TCP,
    number: C.TCP_NODELAY,
    max: 1,
    initial: 0,
    type: SOCK_STREAM,
    stream: "setNoDelay",
  },
  SO_BROADCAST: {
    level: SOL_SOCKET,
    number: C.SO_BROADCAST,
    max: 1,
    initial: 0, // a bound socket asks Deno
    type: SOCK_DGRAM,
    datagram: "broadcast",
  },
  SO_RCVBUF: {
    level: SOL_SOCKET,
    number: C.SO_RCVBUF,
    max: INT_MAX,
    type: SOCK_DGRAM,
    datagram: "recvBufferSize",
  },
  SO_SNDBUF: {
    level: SOL_SOCKET,
    number: C.SO_SNDBUF,
    max: INT_MAX,
    type: SOCK_DGRAM,
    datagram: "sendBufferSize",
  },
  IP_MULTICAST_TTL: {
    level: IPPROTO_IP,
    number: C.IP_MULTICAST_TTL,
    max: 255,
    initial: 1,
    type: SOCK_DGRAM,
    datagram: "multicastTTL",
  },
  IP_MULTICAST_LOOP: {
    level: IPPROTO_IP,
    number: C.IP_MULTICAST_LOOP,
    max: 1,
    initial: 1,
    type: SOCK_DGRAM,
    datagram: "multicastLoop",
  },
} as const satisfies Record<string, Row>;

/** The options that have a number for a value. */
export type OptionName = keyof typeof ROWS;

function find(level: number, number: number): OptionName | undefined {
  return (Object.keys(ROWS) as OptionName[]).find((name) => {
    return ROWS[name].level === level && ROWS[name].number === number;
  });
}

function cannot(syscall: string, what: string, reason: string): OSError {
  return osError("ENOPROTOOPT", { syscall, reason: `${what}: ${reason}` });
}

function describe(level: number, number: number): string {
  return find(level, number) ?? `option ${number} of level ${level}`;
}

/** Sets an option, now or when the socket opens. */
export function setOption(
  target: OptionTarget,
  level: number,
  number: number,
  value: OptionValue,
): void {
  const join = number === C.IP_ADD_MEMBERSHIP;
  if (level === IPPROTO_IP && (join || number === C.IP_DROP_MEMBERSHIP)) {
    return changeMembership(target, value, join);
  }
  const name = find(level, number);
  if (name === undefined) {
    throw cannot("setsockopt", describe(level, number), "Deno cannot set it");
  }
  const wanted = toNumber(name, value);
  checkSettable(target, name, wanted);
  apply(target, name, wanted);
  target.values.set(name, wanted);
}

/** Applies the options that were set before to a socket that has just opened. */
export function applyOptions(target: OptionTarget): void {
  for (const [name, value] of target.values) apply(target, name, value);
}

function checkSettable(
  target: OptionTarget,
  name: OptionName,
  value: number,
): void {
  const row: Row = ROWS[name];
  if (row.type !== undefined && row.type !== target.type) {
    throw cannot("setsockopt", name, otherType(row.type));
  }
  if (name === "SO_REUSEADDR" && value === 0 && target.type === SOCK_STREAM) {
    throw cannot("setsockopt", name, "Deno sets it on every listener");
  }
  if (name === "SO_REUSEPORT" && target.open) {
    throw cannot("setsockopt", name, "it must be set before bind");
  }
}

/** Returns why an option of sockets of `type` cannot be set on others. */
function otherType(type: number): string {
  return type === SOCK_STREAM
    ? "a datagram socket has no such option"
    : "Deno cannot set it on a stream socket";
}

function apply(target: OptionTarget, name: OptionName, value: number): void {
  const row: Row = ROWS[name];
  const { stream, datagram } = target;
  try {
    // A stream without the method is no TCP connection, so the option has no meaning.
    if (row.stream !== undefined) stream?.[row.stream]?.(value !== 0);
    if (row.datagram === undefined || datagram === undefined) return;
    if (datagram.setOption?.(row.datagram, value)) return;
  } catch (error) {
    throw translate(error, { syscall: "setsockopt" });
  }
  throw cannot("setsockopt", name, `Deno cannot set it to ${value}`);
}

/** Reads an option that {@linkcode setOption} can set. */
export function getOption(
  target: OptionTarget,
  level: number,
  number: number,
): number {
  const name = find(level, number);
  const row: Row | undefined = name && ROWS[name];
  if (name === undefined || (row?.type ?? target.type) !== target.type) {
    throw cannot("getsockopt", describe(level, number), "Deno cannot read it");
  }
  if (name === "SO_REUSEADDR") {
    return target.values.get(name) ?? +(target.type === SOCK_STREAM);
  }
  const read = row?.datagram && target.datagram?.getOption?.(row.datagram);
  const value = read ?? target.values.get(name) ?? row?.initial;
  if (value === undefined) {
    throw cannot("getsockopt", name, "Deno cannot read it");
  }
  return value;
}

function toNumber(name: OptionName, value: OptionValue): number {
  const { max } = ROWS[name];
  const number = value instanceof Uint8Array ? unpackInt(name, value) : value;
  if (typeof number === "boolean") return Number(number);
  if (typeof number !== "number" || !Number.isInteger(number)) {
    throw new TypeError(
      `Cannot set ${name}: the value must be an integer, got ${value}`,
    );
  }
  if (max === 1) return Number(number !== 0);
  if (number < 0 || number > max) {
    throw new RangeError(
      `Cannot set ${name}: the value must be 0-${max}, got ${number}`,
    );
  }
  return number;
}

function unpackInt(name: string, bytes: Uint8Array): number {
  if (bytes.length !== 4) {
    throw new RangeError(
      `Cannot set ${name}: an int is 4 bytes, got ${bytes.length}`,
    );
  }
  return new DataView(bytes.buffer, bytes.byteOffset).getInt32(0, true);
}

function changeMembership(
  target: OptionTarget,
  value: OptionValue,
  join: boolean,
): void {
  const name = join ? "IP_ADD_MEMBERSHIP" : "IP_DROP_MEMBERSHIP";
  const { datagram } = target;
  if (target.type !== SOCK_DGRAM) {
    throw cannot("setsockopt", name, otherType(SOCK_DGRAM));
  }
  const [group, networkInterface] = unpackMembership(name, value);
  if (datagram?.membership === undefined) {
    throw cannot("setsockopt", name, "the socket must be bound first");
  }
  let changed: boolean;
  try {
    changed = datagram.membership(group, networkInterface, join);
  } catch (error) {
    throw translate(error, { syscall: "setsockopt", address: group });
  }
  if (!changed) {
    const code = join ? "EADDRINUSE" : "EADDRNOTAVAIL";
    throw osError(code, { syscall: "setsockopt", address: group });
  }
}

function unpackMembership(name: string, value: OptionValue): [string, string] {
  const [group, networkInterface = "0.0.0.0"] = value instanceof Uint8Array
    ? [inetNtoa(value.subarray(0, 4)), inetNtoa(value.subarray(4, 8))]
    : Array.isArray(value)
    ? value
    : [];
  if (!isMulticast(group) || !isIPv4(networkInterface)) {
    throw new TypeError(
      `Cannot set ${name}: the value must be [group, interface] with a group of 224.0.0.0/4, got ${value}`,
    );
  }
  return [group, networkInterface];
}

/** Reports whether an address is in 224.0.0.0/4 (RFC 5771). */
function isMulticast(group: unknown): group is string {
  return typeof group === "string" && isIPv4(group) &&
    Number.parseInt(group) >> 4 === 0xe;
}
