/**
 * Python's `socket` module for Deno: the {@linkcode Socket} class over TCP, UDP and Unix sockets, the functions around
 * it, the constants of BSD and the errors of the `OSError` family. The servers are in the package itself.
 *
 * @example
 * ```ts
 * import { strictEqual } from "node:assert/strict";
 * import { createConnection, createServer } from "@socketserver/socketserver/socket";
 *
 * using listener = createServer(["127.0.0.1", 0]);
 * using client = await createConnection(listener.getsockname(), { timeout: 5 });
 * const [server] = await listener.accept();
 * await server.sendall(new TextEncoder().encode("hello"));
 * server.close();
 * strictEqual(new TextDecoder().decode(await client.recv(1024)), "hello");
 * ```
 *
 * @module
 */

import "./internal/runtime/system/deno_version.ts"; // first, so that an older Deno meets nothing else

import { atCaller } from "./internal/base/translate_error.ts";
import {
  type Address,
  type AddressLike,
  formatAddress,
} from "./internal/base/address.ts";
import * as C from "./internal/base/constants.ts";
import { Socket } from "./internal/socket/socket_object.ts";
import {
  isDualStack,
  loopbackAddress,
} from "./internal/runtime/opening/open.ts";
import type { PathOptions } from "./internal/runtime/unix/unix_path.ts";

export { formatAddress } from "./internal/base/address.ts";
export type {
  Address,
  AddressLike,
  InetAddress,
} from "./internal/base/address.ts";
export type { BytesLike } from "./internal/base/arguments.ts";
export * from "./internal/base/constants.ts";
export type { OSErrorOptions } from "./internal/base/errors.ts";
export { warnings } from "./internal/base/warnings.ts";
export type { Warnings } from "./internal/base/warnings.ts";
export {
  BlockingIOError,
  BrokenPipeError,
  ConnectionAbortedError,
  ConnectionError,
  ConnectionRefusedError,
  ConnectionResetError,
  FileExistsError,
  FileNotFoundError,
  GaiError,
  HError,
  InterruptedError,
  OSError,
  PermissionError,
  TimeoutError,
} from "./internal/base/errors.ts";
export {
  decodeProxyHeader,
  encodeProxyHeader,
} from "./internal/proxy/codec.ts";
export type { ProxyHeaderOptions } from "./internal/proxy/codec.ts";
export type {
  ProxyHeader,
  ProxySsl,
  ProxyTlv,
} from "./internal/proxy/header.ts";
export { proxyHeaderOf } from "./internal/proxy/known_headers.ts";
export { Socket } from "./internal/socket/socket_object.ts";
export type { FromFdOptions } from "./internal/socket/socket_object.ts";
export {
  inheritedSocket,
  inheritedSockets,
} from "./internal/socket/inherited_sockets.ts";
export {
  getdefaulttimeout,
  setdefaulttimeout,
} from "./internal/socket/settings.ts";

export {
  htonl,
  htons,
  inetAton,
  inetNtoa,
  inetNtop,
  inetPton,
  ntohl,
  ntohs,
} from "./internal/base/inet.ts";
export type { OptionValue } from "./internal/runtime/transport/socket_options.ts";
export type { Bytes } from "./internal/base/memory.ts";
export {
  getaddrinfo,
  gethostbyname,
} from "./internal/runtime/resolver/getaddrinfo.ts";
export type { AddrInfo } from "./internal/runtime/resolver/getaddrinfo.ts";
export {
  getfqdn,
  gethostname,
  getnameinfo,
} from "./internal/runtime/resolver/getnameinfo.ts";
export { createConnection } from "./internal/socket/create_connection.ts";
export type { CreateConnectionOptions } from "./internal/socket/create_connection.ts";
export { relay } from "./internal/socket/relay.ts";
export type { RelayOptions, RelayReport } from "./internal/socket/relay.ts";
export { select } from "./internal/socket/select.ts";
export type { Selectable } from "./internal/socket/select.ts";
export type { MessageOptions } from "./internal/socket/message_options.ts";
export type { AbortOptions } from "./internal/waiting/abort.ts";
export type { FileLike, OpenFile } from "./internal/socket/sendfile.ts";
export type { PathOptions } from "./internal/runtime/unix/unix_path.ts";
export type {
  DatagramOption,
  DatagramTransport,
  ListenerTransport,
  StreamTransport,
  Transport,
  TransportAddr,
} from "./internal/runtime/transport/transport.ts";

/**
 * Options of {@linkcode createServer}.
 *
 * @category Options
 */
export interface CreateServerOptions extends PathOptions {
  /**
   * `AF_INET`, `AF_INET6` or `AF_UNIX`.
   *
   * @default {AF_INET}
   */
  family?: number;
  /**
   * The number of connections that may wait in the backlog.
   *
   * @default {511}
   */
  backlog?: number;
  /**
   * Whether several sockets may bind to the port; needs `--unstable-net`.
   *
   * @default {false}
   */
  reusePort?: boolean;
  /**
   * Whether an AF_INET6 socket on every address takes IPv4 clients too, with addresses such as `::ffff:127.0.0.1`. If
   * false, the system decides; Linux takes them.
   *
   * @default {false}
   */
  dualstackIpv6?: boolean;
}

/**
 * Creates a stream socket that is bound and listens.
 *
 * @param address `[host, port]`, or a path.
 * @param options Family, backlog and so on.
 * @returns The listening socket.
 * @throws {OSError} as {@linkcode Socket.bind}.
 * @throws {TypeError} for an option of a path if the address is no path.
 * @throws {RangeError} for a dual stack of another family, or a wrong mode.
 * @category Sockets
 * @example
 * ```ts
 * import { strictEqual } from "node:assert/strict";
 * import { createConnection, createServer } from "@socketserver/socketserver";
 *
 * using listener = createServer(["127.0.0.1", 0]);
 * using client = await createConnection(listener.getsockname());
 * const [connection] = await listener.accept();
 * await connection.sendall(new TextEncoder().encode("hello"));
 * connection.close();
 * strictEqual(new TextDecoder().decode(await client.recv(1024)), "hello");
 * ```
 */
export function createServer(
  address: AddressLike,
  options: CreateServerOptions = {},
): Socket {
  const { family = C.AF_INET, backlog, reusePort, dualstackIpv6 } = options;
  const { pathMode, replaceStalePath } = options;
  if (dualstackIpv6 && (family !== C.AF_INET6 || !hasDualstackIPv6())) {
    throw new RangeError(
      `Cannot create a server on ${
        formatAddress(address)
      }: a dual stack needs AF_INET6, and a system that has it`,
    );
  }
  const socket = new Socket(family);
  try {
    if (reusePort) socket.setsockopt(C.SOL_SOCKET, C.SO_REUSEPORT, 1);
    socket.bind(address, { pathMode, replaceStalePath });
    socket.listen(backlog);
    return socket;
  } catch (error) {
    socket.close();
    throw atCaller(error, createServer);
  }
}

/**
 * Reports whether one IPv6 socket can take IPv4 connections too.
 *
 * @returns True on Linux and macOS if IPv6 is on.
 * @category Sockets
 */
export function hasDualstackIPv6(): boolean {
  if (!isDualStack()) return false;
  try {
    using probe = new Socket(C.AF_INET6);
    probe.bind(["::1", 0]);
    return true;
  } catch {
    return false;
  }
}

/**
 * Creates two sockets that are connected to each other.
 *
 * @param family `AF_INET` (the default; Python's is AF_UNIX, which needs permissions for files here),
 *   `AF_INET6` or `AF_UNIX`.
 * @param type `SOCK_STREAM` or `SOCK_DGRAM`.
 * @param proto The protocol number.
 * @returns The two sockets. Close both.
 * @category Sockets
 * @example
 * ```ts
 * import { strictEqual } from "node:assert/strict";
 * import { socketpair } from "@socketserver/socketserver";
 *
 * const [a, b] = await socketpair();
 * await a.sendall(new TextEncoder().encode("hello"));
 * a.close();
 * strictEqual(new TextDecoder().decode(await b.recv(1024)), "hello");
 * strictEqual((await b.recv(1024)).length, 0); // the end
 * b.close();
 * ```
 */
export async function socketpair(
  family: number = C.AF_INET,
  type: number = C.SOCK_STREAM,
  proto = 0,
): Promise<[Socket, Socket]> {
  const loopback = loopbackAddress(family);
  const first = new Socket(family, type, proto);
  if (type === C.SOCK_DGRAM) {
    return await datagramPair(first, new Socket(family, type, proto), loopback);
  }
  return await streamPair(first, loopback);
}

async function streamPair(
  first: Socket,
  loopback: Address,
): Promise<[Socket, Socket]> {
  const timeout = first.gettimeout();
  using listener = createServer(loopback, { family: first.family, backlog: 1 });
  for (const socket of [first, listener]) socket.settimeout(null); // not for this
  try {
    await first.connect(listener.getsockname());
    for (;;) {
      const [second, peer] = await listener.accept();
      if (formatAddress(peer) === formatAddress(first.getsockname())) {
        first.settimeout(timeout);
        return [first, second];
      }
      second.close(); // another client found the port
    }
  } catch (error) {
    first.close();
    throw error;
  }
}

async function datagramPair(
  first: Socket,
  second: Socket,
  loopback: Address,
): Promise<[Socket, Socket]> {
  try {
    first.bind(loopback);
    second.bind(typeof loopback === "string" ? `${loopback}2` : loopback);
    await first.connect(second.getsockname());
    await second.connect(first.getsockname());
    return [first, second];
  } catch (error) {
    first.close();
    second.close();
    throw error;
  }
}

// The types that the signatures here name, so that this module can be used by itself.
export type { BufferedReader } from "./internal/files/buffered_reader.ts";
export type { TextErrors } from "./internal/files/codecs.ts";
export type { WriteData, Writer } from "./internal/files/file_writer.ts";
export type {
  FileForMode,
  MakefileModes,
  MakefileOptions,
  SocketFile,
} from "./internal/files/makefile.ts";
export type { Newline } from "./internal/files/newlines.ts";
export type { Tied } from "./internal/files/raw_streams.ts";
export type { ReadUntilOptions } from "./internal/files/reader_core.ts";
export type { BufferedRWPair, TextRWPair } from "./internal/files/rw_pair.ts";
export type { TextReader } from "./internal/files/text_reader.ts";
export type { TextWriter } from "./internal/files/text_writer.ts";
