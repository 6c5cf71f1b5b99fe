/**
 * The PROXY headers of a server with `ProxyProtocolMixIn`: the stage between `getRequest` and `verifyRequest`.
 *
 * A header is read in a task of its own, also on a server without a mix-in for many requests, so that a peer that stalls
 * delays nobody. After the header the loop takes the request through the other stages, with the address of the client.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import type { OSError } from "../base/errors.ts";
import { osError } from "../base/translate_error.ts";
import { HEADER_MAX, type ProxyHeader, READING } from "../proxy/header.ts";
import { type Socket, stateOf } from "../socket/socket_object.ts";
import type {
  ActiveRequest,
  KnownRequest,
} from "../requests/active_requests.ts";
import { cutOff } from "../socket/server_calls.ts";
import { PendingRequests } from "./pending_requests.ts";
import {
  endBeforeRejection,
  REJECT_MS,
  rejectAndShutdown,
  REJECTING_MAX,
} from "./rejection.ts";
import { sayHookFailed } from "../stages/report.ts";
import type { ServerStages } from "../stages/stages.ts";
import { joinBytes } from "../base/memory.ts";
import { headerLength, readHeader } from "../proxy/codec.ts";
import { noteHeader } from "../proxy/known_headers.ts";
import type { WaitLimit } from "../waiting/timeouts.ts";

/** The members of a server with `ProxyProtocolMixIn`, besides those of every server. */
export interface ProxiedStages {
  /** Runs when a connection has no valid header. */
  handleProxyError(
    error: OSError,
    peerAddress: Address,
  ): void | Promise<void>;
}

type ProxiedServer = ServerStages<unknown> & ProxiedStages;

/**
 * Reads the headers of a server.
 *
 * @typeParam R The type of a request.
 */
export class ProxyHeaders<R> extends PendingRequests<R, ProxiedServer> {
  protected override readonly timeLimit = "proxyTimeout";

  /** Begins a request, and reads its header. */
  begin(request: R, peerAddress: Address): void {
    const active = this.requests.begin(request);
    this.beginWait(active);
    void this.#run(active, peerAddress);
  }

  /**
   * Reads the header of a request that has begun, and that the loop does not take.
   *
   * @returns The address of the client; undefined if there is no valid header; the connection is closed then.
   */
  async awaitClient(
    active: ActiveRequest,
    peerAddress: Address,
  ): Promise<Address | undefined> {
    const client = await this.#clientOf(active, peerAddress, false);
    if (client !== undefined) this.requests.setClient(active, client);
    return client;
  }

  async #run(active: ActiveRequest<R>, peerAddress: Address): Promise<void> {
    let known: KnownRequest<R> | undefined;
    try {
      known = await this.#awaitClientOrEnd(active, peerAddress);
    } catch (thrown) {
      sayHookFailed(peerAddress, thrown);
      cutOff(active.request);
      this.requests.end(active);
    }
    this.endWait(active, known);
    if (this.requests.draining) this.#stopTimer();
  }

  /** Reads a header. Returns the request; undefined if it was closed or turned away. */
  async #awaitClientOrEnd(
    active: ActiveRequest<R>,
    peerAddress: Address,
  ): Promise<KnownRequest<R> | undefined> {
    const requests = this.requests;
    const full = requests.limits.exceeds(active.request) !== undefined;
    if (full) active.observed = endBeforeRejection(requests, active);
    const client = await this.#clientOf(active, peerAddress, full);
    if (client === undefined) return void requests.end(active);
    const known = requests.setClient(active, client);
    if (!full) return known;
    await this.#rejectFull(active, client);
  }

  /** Turns a request away that no longer counts. */
  async #rejectFull(
    { request, observed }: ActiveRequest<R>,
    client: Address,
  ): Promise<void> {
    const rejected = "maxConnections";
    try {
      await rejectAndShutdown(this.server, request, client, rejected);
    } finally {
      observed?.note({ rejected });
      observed?.stop(request, "rejected");
    }
  }

  /** Returns the address of the client; undefined if there is no valid header; the connection is closed then. */
  async #clientOf(
    active: ActiveRequest,
    peerAddress: Address,
    full: boolean,
  ): Promise<Address | undefined> {
    const requests = this.requests;
    if (full && requests.rejecting >= REJECTING_MAX) return peerAddress;
    if (full) requests.rejecting++;
    try {
      const request = active.request as Socket;
      const header = await this.#read(request, peerAddress, full);
      return clientAddressOf(header, peerAddress);
    } catch (error) {
      active.observed?.start(active.request, peerAddress);
      await this.fail(active, peerAddress, error);
    } finally {
      if (full) requests.rejecting--;
    }
  }

  async #read(
    request: Socket,
    peerAddress: Address,
    full: boolean,
  ): Promise<ProxyHeader> {
    if (!this.requests.trustedPeers!.includes(peerAddress)) {
      const reason = "the peer is no trusted proxy";
      throw osError("EACCES", { syscall: READING, reason });
    }
    if (full) {
      const limit = stateOf(request).limit(READING, REJECT_MS / 1000);
      return await readProxyHeader(request, limit);
    }
    const { headerDeadlines } = this.requests;
    const limit = headerDeadlines.begin();
    try {
      return await readProxyHeader(request, limit);
    } finally {
      headerDeadlines.end(limit);
    }
  }

  protected override noteFailure(
    { request, observed }: ActiveRequest,
    error: OSError,
  ): void {
    this.requests.results.failProxyHeader(request);
    observed?.note({ reason: "proxy", error });
  }

  protected override tellFailure(
    failure: OSError,
    peerAddress: Address,
  ): void | Promise<void> {
    return this.server.handleProxyError(failure, peerAddress);
  }

  /** Closes the requests that the loop has not taken: the server shuts down. */
  override drain(): void {
    super.drain();
    this.#stopTimer();
  }

  /** Stops the timer of a server that drains, after the last header. */
  #stopTimer(): void {
    if (this.empty) this.requests.headerDeadlines.stopTimer();
  }
}

/**
 * Returns the address of the client, or that of the peer if the header has none. On a TCP server a header with a path
 * counts as one without an address, as the specification says.
 */
function clientAddressOf({ source }: ProxyHeader, peer: Address): Address {
  const fits = typeof source !== "string" || typeof peer === "string";
  return fits ? source ?? peer : peer;
}

/** The errors of connections that ended before their first byte, mostly checks that the port is open. */
const silent = new WeakSet<Error>();

/** Reports whether an error means that the peer has left without a byte. */
export function leftSilently(error: Error): boolean {
  return silent.has(error);
}

/**
 * Reads the header of a connection, in however many pieces it comes. The bytes behind it stay in the socket.
 *
 * @param socket The connection.
 * @param limit Ends the wait.
 * @throws {OSError} EPROTO for bytes that are no header, ETIMEDOUT, or ECONNRESET if the peer left before its end.
 */
async function readProxyHeader(
  socket: Socket,
  limit: WaitLimit,
): Promise<ProxyHeader> {
  const { receiveBuffer } = stateOf(socket).connected(READING, "ENOTCONN");
  let bytes = new Uint8Array(0);
  for (;;) {
    const piece = await receiveBuffer.recv(HEADER_MAX, limit);
    if (piece.length === 0) throw endError(bytes.length);
    bytes = bytes.length === 0 ? piece : joinBytes([bytes, piece]);
    const length = headerLength(bytes);
    if (length === undefined || bytes.length < length) continue;
    const own = bytes.slice(0, length);
    const header = readHeader(own);
    if (bytes.length > length) {
      receiveBuffer.putBack(bytes.subarray(length));
    }
    noteHeader(socket, own, header);
    return header;
  }
}

function endError(count: number): Error {
  const reason = count === 0
    ? "the peer left without one"
    : `the peer left after ${count} bytes`;
  const error = osError("ECONNRESET", { syscall: READING, reason });
  if (count === 0) silent.add(error);
  return error;
}
