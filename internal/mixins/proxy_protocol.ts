/**
 * `ProxyProtocolMixIn`: servers behind a proxy that tells them who the client is.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { checkTimeout } from "../base/arguments.ts";
import { SOCK_DGRAM } from "../base/constants.ts";
import type { OSError } from "../base/errors.ts";
import { TrustedPeers } from "../proxy/trusted_peers.ts";
import type { ServerConstructor } from "../server/concurrent.ts";
import { checkNotLoading } from "../server/module_loading.ts";
import { leftSilently } from "../server/proxy_headers.ts";
import { isLostClient, reprAddress, say } from "../stages/report.ts";
import { requestsOf } from "../requests/request_registry.ts";
import type { MixedIn } from "./mixed_in.ts";

/**
 * The options of {@linkcode ProxyProtocolMixIn}.
 *
 * @category Options
 */
export interface ProxyProtocolOptions {
  /**
   * The proxies: networks such as `"10.0.0.0/8"` and `"fd00::/8"`, single addresses, and `"unix"` for every process
   * that can connect to the path of a Unix server. A connection from anywhere else is closed. There is no default,
   * because a client that is trusted can claim to be any other.
   */
  proxyTrusted?: readonly string[];
  /**
   * Seconds that a header may take; null is no limit. The specification asks for at least 3, so that a lost packet can
   * be sent again.
   *
   * @default {10}
   */
  proxyTimeout?: number | null;
}

/**
 * The members that {@linkcode ProxyProtocolMixIn} adds to a server.
 *
 * @category Mix-ins
 */
export interface ProxyProtocolMixIn {
  /** The networks of the proxies. A change holds for later connections. */
  proxyTrusted: readonly string[];
  /** Seconds that a header may take; null is no limit. A change holds for the headers under way, too. */
  proxyTimeout: number | null;
  /**
   * Reports a connection without a valid header, after the server has closed it: prints one line to stderr. Prints
   * nothing about a peer that left before its first byte, as a health check does, and, if `reportLostClients` is false,
   * nothing about a peer that was too slow or sent no header. `status.proxyErrors` counts these connections. May be
   * overridden.
   *
   * @param error The error. Its `code` is EACCES for a peer that is not trusted, ETIMEDOUT for one that was too slow,
   *   ECONNRESET for one that left, and EPROTO for bytes that are no header, or whose checksum is wrong.
   * @param peerAddress The address of the peer itself.
   */
  handleProxyError(
    error: OSError,
    peerAddress: Address,
  ): void | Promise<void>;
}

/**
 * Extends a server class so that each connection begins with a header of the PROXY protocol, version 1 or 2, in which a
 * proxy such as HAProxy names its client. The hooks of the server, its limits and reports, and the handler get the
 * address of that client as `clientAddress`. {@linkcode proxyHeaderOf} returns the other facts. `getpeername()` of the
 * connection is still the proxy.
 *
 * The header comes first: before the limits, `verifyRequest`, and the handshake of a server with `ssl`. It may come in
 * any number of pieces, and is read in a task of its own, so that a peer that stalls delays nobody. Such a peer counts
 * for `maxConnections`, and ends at `proxyTimeout`. The bytes behind the header are those of the client.
 *
 * Each connection must have a header: the specification forbids guessing, because a client could then choose its own
 * address. Serve direct clients on another port. A connection without a valid header is closed, counted in
 * `status.proxyErrors`, and reported to `handleProxyError`; the server goes on.
 *
 * `clientAddress` is the address of the peer itself if the header has none: UNKNOWN, LOCAL (a health check of the
 * proxy), or a kind of address that is not specified. The handler runs for these too, since a health check may speak
 * the protocol; `proxyHeaderOf(this.request)?.command` tells them apart. On a Unix server `clientAddress` is
 * `[host, port]` for a client of TCP, so declare `Address` in its hooks and handlers; a server over TCP takes the
 * address of the peer for a client on a Unix socket.
 *
 * Works with all servers of connections, in either order with another mix-in. The constructor throws a TypeError for
 * servers of datagrams, or without `proxyTrusted`.
 *
 * @category Mix-ins
 * @typeParam B The server class.
 * @param Base The server class.
 * @returns A subclass of `Base`.
 *
 * @example
 * ```ts
 * import { strictEqual } from "node:assert/strict";
 * import {
 *   AsyncTCPServer,
 *   createConnection,
 *   encodeProxyHeader,
 *   ProxyProtocolMixIn,
 *   StreamRequestHandler,
 * } from "@socketserver/socketserver";
 *
 * class Hello extends StreamRequestHandler {
 *   override async handle() {
 *     await this.wfile.write(`hello ${this.clientAddress[0]}\n`);
 *   }
 * }
 *
 * class MyServer extends ProxyProtocolMixIn(AsyncTCPServer) {
 *   static override proxyTrusted = ["127.0.0.0/8"];
 * }
 *
 * await using server = new MyServer(["127.0.0.1", 0], Hello);
 * server.serveForever();
 *
 * using proxy = await createConnection(server.serverAddress);
 * await proxy.sendall(encodeProxyHeader({
 *   source: ["192.0.2.1", 56324],
 *   destination: ["198.51.100.1", 443],
 * }));
 * strictEqual(new TextDecoder().decode(await proxy.recv(1024)), "hello 192.0.2.1\n");
 * ```
 */
export function ProxyProtocolMixIn<B extends ServerConstructor>(
  Base: B,
): MixedIn<B, ProxyProtocolMixIn, ProxyProtocolOptions> {
  return proxied(Base) as unknown as MixedIn<
    B,
    ProxyProtocolMixIn,
    ProxyProtocolOptions
  >;
}

/** Returns a subclass of a server that reads a PROXY header first. */
function proxied<B extends ServerConstructor>(Base: B) {
  abstract class Proxied extends Base {
    static proxyTrusted: readonly string[] = [];
    static proxyTimeout: number | null = 10;
    static {
      Object.defineProperty(this, "name", { value: `Proxied${Base.name}` });
    }

    #trusted: readonly string[] = [];

    // deno-lint-ignore no-explicit-any
    constructor(...args: any[]) {
      checkNotLoading(); // first, as a worker or a child lacks what the rest needs
      const options: ProxyProtocolOptions = Object(args[2]);
      checkStreams(new.target);
      const { proxyTrusted = new.target.proxyTrusted } = options;
      new TrustedPeers(proxyTrusted); // throws before anything is open
      const { proxyTimeout = new.target.proxyTimeout } = options;
      checkTimeout(proxyTimeout);
      super(...args);
      this.proxyTrusted = proxyTrusted;
      this.proxyTimeout = proxyTimeout;
    }

    get proxyTrusted(): readonly string[] {
      return this.#trusted;
    }

    set proxyTrusted(list: readonly string[]) {
      requestsOf(this).trustedPeers = new TrustedPeers(list);
      this.#trusted = Object.freeze([...list]);
    }

    get proxyTimeout(): number | null {
      return requestsOf(this).headerDeadlines.seconds;
    }

    set proxyTimeout(seconds: number | null) {
      checkTimeout(seconds);
      requestsOf(this).headerDeadlines.seconds = seconds;
    }

    handleProxyError(
      error: OSError,
      peerAddress: Address,
    ): void | Promise<void> {
      if (leftSilently(error)) return;
      if (!this.reportLostClients && isLostClient(error, peerAddress)) return;
      say(`${error.message}; the peer is ${reprAddress(peerAddress)}`);
    }
  }
  return Proxied;
}

/** Throws for a server of datagrams, which have no connection that a header could begin. */
function checkStreams(Server: { readonly name: string }): void {
  const { socketType } = Server as unknown as { readonly socketType: unknown };
  if (socketType !== SOCK_DGRAM) return;
  throw new TypeError(
    `Cannot make a ${Server.name}: the PROXY protocol is for servers of streams, and this one is for datagrams`,
  );
}
