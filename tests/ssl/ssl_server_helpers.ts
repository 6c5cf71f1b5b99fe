/**
 * Clients and servers over TLS. The servers record their failed handshakes and the errors of their handlers.
 *
 * @module
 */

import type {
  Address,
  OSError,
  RequestHandlerConstructor,
  Socket,
} from "../../mod.ts";
import type { SSLContext, SSLSocket } from "../../ssl.ts";
import type { TCPServer } from "../../server.ts";
import { bytes, text } from "../helpers/bytes.ts";
import type { Identity } from "../helpers/certificates.ts";
import { connectTo } from "../helpers/clients.ts";
import { type AnyServerClass, LOOPBACK } from "../helpers/servers.ts";
import { authority, clientContext, serverContext } from "../helpers/ssl.ts";

/** A client. */
export const alice: Identity = authority.issue({ name: "alice" });

/** The server that a client connects to. */
type Connectable = Parameters<typeof connectTo>[0];

/** Returns a client over TLS, after the handshake. */
export async function connectTls(
  server: Connectable,
  context: SSLContext = clientContext(),
  serverHostname = "localhost",
): Promise<SSLSocket> {
  const socket = await connectTo(server);
  return await context.wrapSocket(socket, { serverHostname });
}

/** Sends a line over TLS, and returns the answer. */
export async function askTls(
  server: Connectable,
  line: string,
  context?: SSLContext,
  serverHostname?: string,
): Promise<string> {
  using socket = await connectTls(server, context, serverHostname);
  await socket.sendall(bytes(`${line}\n`));
  using file = socket.makefile("rb");
  return text(await file.readline()).trimEnd();
}

/** A server that records its failures. */
export interface NotingServer extends TCPServer {
  /** The code and the reason of each handshake that failed. */
  readonly handshakes: string[];
  /** The errors of handlers. */
  readonly errors: Error[];
}

/** Makes a server over TLS that records its failures. */
export function makeServer(
  Server: AnyServerClass,
  Handler: unknown,
  options: object = {},
  address: Address = LOOPBACK,
): NotingServer {
  class Noting extends (Server as unknown as typeof TCPServer) {
    readonly handshakes: string[] = [];
    readonly errors: Error[] = [];
    override handleHandshakeError(error: OSError) {
      const { code, reason } = error as OSError & { reason?: string };
      this.handshakes.push(reason ? `${code} ${reason}` : `${code}`);
    }
    override handleError(_request: Socket, _from: Address, error: unknown) {
      this.errors.push(error as Error);
    }
  }
  const settings = { ssl: serverContext(), ...options };
  return new Noting(
    address as [string, number],
    Handler as RequestHandlerConstructor,
    settings,
  );
}
