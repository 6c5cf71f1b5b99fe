/**
 * Wrapping a connected socket in TLS.
 *
 * @module
 */

import { SSLError } from "../base/ssl_errors.ts";
import { PROTOCOL_TLS_SERVER } from "../base/ssl_constants.ts";
import type { TlsProfile } from "../runtime/tls_profile.ts";
import { TlsStream, type TlsStreamOptions } from "../runtime/tls_stream.ts";
import { Socket, stateOf } from "../socket/socket_object.ts";
import { type AbortOptions, checkAborted, checkSignal } from "../waiting/abort.ts";
import { failLater } from "../waiting/timeouts.ts";
import { chooseContext, profileOf, type SSLContext } from "./ssl_context.ts";
import { giveTransport, makeSSLSocket, type SSLSocket } from "./ssl_socket.ts";
import { checkWrappable, type PlaintextPolicy, takeOver } from "./take_over.ts";

/**
 * Options of {@linkcode SSLContext.wrapSocket}.
 *
 * @category SSL
 */
export interface WrapSocketOptions extends AbortOptions {
  /** Whether this is the side of the server. @default {false} */
  serverSide?: boolean;
  /** The name of the server, for SNI and for `checkHostname`; for clients only. @default {null} */
  serverHostname?: string | null;
  /** Whether to make the handshake at once. @default {true} */
  doHandshakeOnConnect?: boolean;
  /**
   * Whether an end of the connection without a close_notify counts as the end of the stream. If false, the read throws an
   * {@linkcode SSLEOFError}: somebody between the peers may have cut the rest off.
   *
   * @default {true}
   */
  suppressRaggedEofs?: boolean;
  /**
   * What to do with plain bytes that came before the handshake, in the socket or in a file over it. With STARTTLS, whoever is
   * between the peers can put such bytes there, and a program that answers them later takes them for bytes of the peer
   * (CVE-2011-0411). `"refuse"` throws an {@linkcode SSLError} with the reason UNEXPECTED_PLAINTEXT, `"discard"` drops them.
   *
   * @default {"refuse"}
   */
  plaintext?: PlaintextPolicy;
}

/** Wraps a socket. The old one counts as closed, also if this fails, unless an argument is wrong. */
export async function wrapSocket(
  context: SSLContext,
  socket: Socket,
  options: WrapSocketOptions,
): Promise<SSLSocket> {
  try {
    return await wrap(context, socket, options);
  } catch (error) {
    return await failLater(error);
  }
}

async function wrap(
  context: SSLContext,
  socket: Socket,
  options: WrapSocketOptions,
): Promise<SSLSocket> {
  const { serverSide = false, serverHostname = null, signal } = options;
  if (!(socket instanceof Socket)) {
    throw new TypeError(`Cannot wrapSocket: expected a Socket, got ${socket}`);
  }
  checkOptions(context, socket, options);
  const from = stateOf(socket);
  const stream = checkWrappable(from);
  const profile = profileOf(context);
  checkSignal(signal, "wrapSocket");
  checkAborted(signal);
  const parts = { context, serverSide, serverHostname, from, proto: socket.proto };
  const wrapped = makeSSLSocket(parts);
  try {
    const taken = await takeOver(from, stream, options.plaintext ?? "refuse");
    const transport = new TlsStream(settings(wrapped, profile, taken, options));
    giveTransport(wrapped, transport);
    if (options.doHandshakeOnConnect !== false) {
      await wrapped.doHandshake({ signal });
    }
    return wrapped;
  } catch (error) {
    wrapped.abort();
    socket.abort();
    throw error;
  }
}

function settings(
  socket: SSLSocket,
  profile: TlsProfile,
  taken: Pick<TlsStreamOptions, "raw" | "localAddr" | "remoteAddr">,
  { suppressRaggedEofs = true }: WrapSocketOptions,
): TlsStreamOptions {
  const { context } = socket;
  return {
    ...taken,
    profile,
    suppressRaggedEofs,
    serverHostname: socket.serverHostname ?? undefined,
    checkHostname: context.checkHostname,
    handshakeTimeout: context.handshakeTimeout,
    choose: async (name) => profileOf(await chooseContext(context, socket, name)),
  };
}

function checkOptions(
  context: SSLContext,
  socket: Socket,
  options: WrapSocketOptions,
): void {
  const { serverSide = false, serverHostname, doHandshakeOnConnect = true } =
    options;
  const forServers = context.protocol === PROTOCOL_TLS_SERVER;
  if (serverSide !== forServers) {
    const [side, name] = serverSide
      ? ["server", "PROTOCOL_TLS_CLIENT"]
      : ["client", "PROTOCOL_TLS_SERVER"];
    const reason = "WRONG_CONTEXT";
    throw new SSLError(
      `Cannot wrapSocket: ${reason}: a ${side} socket needs another context than one with ${name} (EPROTO)`,
      { reason, syscall: "wrapSocket" },
    );
  }
  if (serverSide && serverHostname != null) {
    throw new TypeError(
      "Cannot wrapSocket: serverHostname is for clients only",
    );
  }
  const named = typeof serverHostname === "string" && serverHostname !== "";
  if (serverHostname != null && !named) {
    throw new TypeError(
      `Cannot wrapSocket: expected a name as serverHostname, got ${
        JSON.stringify(serverHostname)
      }`,
    );
  }
  if (!serverSide && context.checkHostname && !named) {
    throw new TypeError(
      "Cannot wrapSocket: checkHostname needs serverHostname",
    );
  }
  if (doHandshakeOnConnect && socket.gettimeout() === 0) {
    throw new TypeError(
      "Cannot wrapSocket: doHandshakeOnConnect must be false for a socket with timeout 0",
    );
  }
}
