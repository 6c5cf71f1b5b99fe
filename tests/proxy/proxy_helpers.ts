/**
 * Shared by the tests of the PROXY protocol: servers that note their calls, and the answers that a client gets.
 *
 * @module
 */

import {
  type Address,
  AsyncTCPServer,
  encodeProxyHeader,
  ForkingTCPServer,
  type LimitName,
  type OSError,
  type ProxyHeader,
  ProxyProtocolMixIn,
  type RequestHandlerConstructor,
  SHUT_WR,
  type Socket,
  TCPServer,
  ThreadingTCPServer,
} from "../../mod.ts";
import { mayFork, mayRead } from "../helpers/allowed.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { connectTo } from "../helpers/clients.ts";
import { type AnyServerClass, LOOPBACK } from "../helpers/servers.ts";

/** The four ways to run, as far as this run may. */
export const WAYS: AnyServerClass[] = [
  TCPServer,
  AsyncTCPServer,
  ...mayRead ? [ThreadingTCPServer] : [],
  ...mayFork ? [ForkingTCPServer] : [],
] as unknown as AnyServerClass[];

/** A server that notes what happens. */
export interface NotingProxied extends TCPServer {
  proxyTrusted: readonly string[];
  proxyTimeout: number | null;
  maxConnections: number;
  /** The codes of the errors of headers. */
  readonly failures: string[];
  /** The peers of these. */
  readonly peers: Address[];
  /** The errors of handlers. */
  readonly errors: Error[];
  /** The limits that were reached, and who reached them. */
  readonly limited: [LimitName, Address | null][];
}

/** Makes a server behind a proxy that notes what happens. */
export function makeProxied(
  Server: AnyServerClass,
  Handler: unknown,
  options: object = {},
  address: Address = LOOPBACK,
): NotingProxied {
  const Base = ProxyProtocolMixIn(Server as unknown as typeof TCPServer);
  class Noting extends Base {
    readonly failures: string[] = [];
    readonly peers: Address[] = [];
    readonly errors: Error[] = [];
    readonly limited: [LimitName, Address | null][] = [];
    override handleProxyError(error: OSError, peerAddress: Address) {
      this.failures.push(`${error.code}`);
      this.peers.push(peerAddress);
    }
    override handleLimit(limit: LimitName, client: Address | null) {
      this.limited.push([limit, client]);
    }
    override handleError(_request: Socket, _from: Address, error: unknown) {
      this.errors.push(error as Error);
    }
  }
  const workers = { maxWorkers: 1, maxChildren: 1 };
  return new Noting(
    address as [string, number],
    Handler as RequestHandlerConstructor,
    { proxyTrusted: ["127.0.0.0/8", "unix"], ...workers, ...options },
  ) as unknown as NotingProxied;
}

/** The line in which a handler tells what it knows of its client. */
export interface Told {
  client: Address;
  peer: string;
  header: Omit<ProxyHeader, "uniqueId"> & { uniqueId?: string } | null;
}

/** The header of a client, with as many fields as fit. */
export function headerOf(host: string, version: 1 | 2 = 2): Uint8Array {
  return encodeProxyHeader({
    version,
    source: [host, 56324],
    destination: [host.includes(":") ? "::1" : "198.51.100.1", 443],
    ...version === 2 && {
      authority: "www.example",
      uniqueId: bytes("id-1"),
      checksum: true,
    },
  });
}

/** Reads the line of a handler that tells what it knows, and what follows it. */
export async function hear(
  socket: Socket,
): Promise<{ told: Told; rest: string }> {
  using file = socket.makefile("rb");
  const [line, ...rest] = text(await file.read()).split(/(?<=\n)/);
  return { told: JSON.parse(line), rest: rest.join("") };
}

/** Sends some bytes, and returns what the handler tells. */
export async function tellFacts(
  server: Parameters<typeof connectTo>[0],
  ...pieces: Uint8Array[]
): Promise<{ told: Told; rest: string }> {
  using socket = await connectTo(server);
  for (const piece of pieces) await socket.sendall(piece);
  await socket.shutdown(SHUT_WR);
  return await hear(socket);
}
