/**
 * The option `ssl` of a server, and its TLS handshakes: the stage between `verifyRequest` and `processRequest`.
 *
 * A handshake runs in a task of its own, also on a server without a mix-in, so that a client that stalls delays nobody.
 * After the handshake the loop takes the request to `processRequest`.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { SOCK_STREAM } from "../base/constants.ts";
import type { OSError } from "../base/errors.ts";
import { PROTOCOL_TLS_SERVER } from "../base/ssl_constants.ts";
import { contextCheck } from "../base/ssl_contexts.ts";
import { cutOff } from "../socket/server_calls.ts";
import type { Socket } from "../socket/socket_object.ts";
import type { SSLContext, SSLSocket } from "../ssl/ssl_context.ts";
import { handshakeEnd } from "../stages/events.ts";
import { sayHookFailed } from "../stages/report.ts";
import type {
  ActiveRequest,
  KnownRequest,
} from "../requests/active_requests.ts";
import { PendingRequests } from "./pending_requests.ts";
import { turnAway } from "./rejection.ts";
import { reportAndShutdown } from "./request_stages.ts";
import type { ServerStages } from "../stages/stages.ts";

/**
 * Throws unless a server can serve with a context: it must be complete, and for servers.
 *
 * @param ssl The option `ssl`.
 * @param socketType The type of the server's socket.
 * @throws {TypeError} if it is not a context for servers, or the server is for datagrams.
 * @throws {SSLError} if the context lacks a certificate, or authorities to verify clients with.
 */
export function checkSslOption(
  ssl: SSLContext | null,
  socketType: number,
): void {
  if (ssl === null) return;
  if (socketType !== SOCK_STREAM) {
    throw new TypeError(
      "Cannot make a server: ssl is for servers of streams, and this one is for datagrams",
    );
  }
  const check = contextCheck(ssl);
  if (check === undefined || ssl.protocol !== PROTOCOL_TLS_SERVER) {
    const got = check === undefined
      ? String(ssl)
      : "one with PROTOCOL_TLS_CLIENT";
    throw new TypeError(
      `Cannot make a server: ssl must be an SSLContext with PROTOCOL_TLS_SERVER, got ${got}`,
    );
  }
  check();
}

/** The stages of a server with TLS, besides those of every server. */
export interface SecureStages {
  /** The settings of TLS; null for a server without. */
  ssl: SSLContext | null;
  /** Reports whether to accept a client, after the handshake. */
  verifyPeer(
    request: SSLSocket,
    clientAddress: Address,
  ): boolean | Promise<boolean>;
  /** Runs when a handshake has failed. */
  handleHandshakeError(
    error: OSError,
    clientAddress: Address,
  ): void | Promise<void>;
}

type SecureServer = ServerStages<unknown> & Partial<SecureStages>;

/**
 * Makes the handshakes of a server.
 *
 * @typeParam R The type of a request.
 */
export class Handshakes<R> extends PendingRequests<R, SecureServer> {
  protected override readonly timeLimit = "handshakeTimeout";

  /** Begins the handshake of a request, and ends the request if the handshake fails. */
  begin(active: KnownRequest<R>): void {
    const limit = this.requests.limits.exceeds(active.request);
    if (limit !== undefined) return void turnAway(this.server, active, limit);
    this.beginWait(active);
    void this.#run(active);
  }

  async #run(active: KnownRequest<R>): Promise<void> {
    try {
      active.secured = await this.#secure(active);
    } catch (thrown) {
      sayHookFailed(active.clientAddress, thrown);
      cutOff(active.request);
    }
    if (!active.secured) this.requests.end(active);
    this.endWait(active, active.secured ? active : undefined);
  }

  /** Makes a handshake. Returns false if it failed or `verifyPeer` rejected the client: the request is closed then. */
  async #secure(active: KnownRequest<R>): Promise<boolean> {
    const server = this.server;
    const { clientAddress } = active;
    const since = handshakeEnd.hasSubscribers ? performance.now() : undefined;
    try {
      await this.#handshake(active);
      publishHandshake(server, clientAddress, since, undefined);
    } catch (error) {
      publishHandshake(server, clientAddress, since, error);
      await this.fail(active, clientAddress, error);
      return false;
    }
    const request = active.request as SSLSocket;
    try {
      const verdict = !this.requests.draining &&
        server.verifyPeer!(request, clientAddress);
      if (verdict === true || await verdict) return true;
    } catch (error) {
      await reportAndShutdown(server, request, clientAddress, error);
      return false;
    }
    const reason = this.requests.draining ? "draining" : "verifyPeer";
    void turnAway(server, active, reason);
    return false;
  }

  async #handshake(active: KnownRequest<R>): Promise<void> {
    const request = active.request as Socket;
    const secured = await this.server.ssl!.wrapSocket(request, {
      serverSide: true,
      doHandshakeOnConnect: false,
    });
    this.requests.replace(request, secured);
    if (this.requests.draining) cutOff(secured);
    await secured.doHandshake();
  }

  protected override noteFailure(
    { request }: ActiveRequest,
    failure: OSError,
  ): void {
    this.requests.results.failHandshake(request, failure);
  }

  protected override tellFailure(
    failure: OSError,
    clientAddress: Address,
  ): void | Promise<void> {
    return this.server.handleHandshakeError!(failure, clientAddress);
  }
}

/** Publishes the end of a handshake, if somebody listened when it began. */
function publishHandshake(
  server: ServerStages,
  clientAddress: Address,
  since: number | undefined,
  error: unknown,
): void {
  if (since === undefined) return;
  const duration = (performance.now() - since) / 1000;
  handshakeEnd.publish({ server, clientAddress, duration, error });
}
