/**
 * Wraps a connected socket in TLS.
 *
 * @module
 */

import { awaitHint } from "../base/message_hints.ts";
import { SSLError } from "../base/ssl_errors.ts";
import {
  type AbortOptions,
  checkAborted,
  checkSignal,
} from "../waiting/abort.ts";
import { failLater } from "../waiting/turns.ts";
import { passHeaderOn } from "../proxy/known_headers.ts";
import type { TlsProfile } from "../runtime/tls/tls_profile.ts";
import { TlsStream } from "../runtime/tls/tls_stream.ts";
import { Socket, stateOf } from "../socket/socket_object.ts";
import type { SocketState } from "../socket/state.ts";
import type { ByteCounts, Stream } from "../socket/stream.ts";
import type { ContextSettings } from "./context_settings.ts";
import { checkWrappable, type PlaintextPolicy, takeOver } from "./take_over.ts";

/**
 * Options of {@linkcode SSLContext.wrapSocket}.
 *
 * @category TLS
 */
export interface WrapSocketOptions extends AbortOptions {
  /**
   * Whether this is the side of the server.
   *
   * @default {false}
   */
  serverSide?: boolean;
  /**
   * The name of the server, for SNI and for `checkHostname`; for clients only.
   *
   * @default {null}
   */
  serverHostname?: string | null;
  /**
   * Whether to make the handshake at once.
   *
   * @default {true}
   */
  doHandshakeOnConnect?: boolean;
  /**
   * Whether an end of the connection without a close_notify counts as the end of the stream. If false, the read throws
   * an {@linkcode SSLEOFError}, because an attacker between the peers may have cut off the rest.
   *
   * @default {true}
   */
  suppressRaggedEofs?: boolean;
  /**
   * What to do with plain bytes that came before the handshake, in the socket or in a file over it. With STARTTLS, an
   * attacker between the peers can add such bytes, and a program that answers them after the handshake takes them for
   * bytes of the peer (CVE-2011-0411). `"refuse"` throws an {@linkcode SSLError} with the reason UNEXPECTED_PLAINTEXT,
   * `"discard"` drops them.
   *
   * @default {"refuse"}
   */
  plaintext?: PlaintextPolicy;
}

/** The context of a socket, and its functions to make one. */
export interface Wrapping<S> {
  readonly settings: ContextSettings;
  /** Returns the profile of the context. */
  profile(): TlsProfile;
  /** Makes a socket like the one that is wrapped, without its transport. */
  make(from: SocketState): S;
  /**
   * Gives the socket its transport, the stream under that if a plain socket can have it again, and the counts of the
   * plain bytes so far.
   */
  attach(
    socket: S,
    transport: TlsStream,
    plain: Stream | undefined,
    counts: ByteCounts,
  ): void;
  /** Returns the profile for the name that a client asks for, if it depends on that. */
  choose?: (socket: S, name: string) => Promise<TlsProfile>;
}

/** The functions of the socket that is made. */
interface Wrapped {
  doHandshake(options: AbortOptions): Promise<void>;
  close(): void;
}

/** Wraps a socket, which counts as closed afterwards, also after a failure, unless an argument is wrong. */
export async function wrapSocket<S extends Wrapped>(
  wrapping: Wrapping<S>,
  socket: Socket,
  options: WrapSocketOptions,
): Promise<S> {
  try {
    checkSocket(socket, options, wrapping.settings);
    checkSignal(options.signal, "wrapSocket");
    checkAborted(options.signal);
    return await wrap(wrapping, socket, options);
  } catch (error) {
    return await failLater(error);
  }
}

async function wrap<S extends Wrapped>(
  wrapping: Wrapping<S>,
  socket: Socket,
  options: WrapSocketOptions,
): Promise<S> {
  const from = stateOf(socket);
  const stream = checkWrappable(from);
  const profile = wrapping.profile();
  const made = wrapping.make(from);
  passHeaderOn(socket, made);
  try {
    const { plaintext = "refuse" } = options;
    const { plain, counts, ...taken } = await takeOver(from, stream, plaintext);
    const choose = wrapping.choose?.bind(undefined, made);
    const settings = sessionSettings(wrapping.settings, options);
    const transport = new TlsStream({ ...taken, ...settings, profile, choose });
    wrapping.attach(made, transport, plain, counts);
    if (options.doHandshakeOnConnect !== false) await made.doHandshake(options);
    return made;
  } catch (error) {
    made.close(); // no abort, which might destroy the alert on its way
    from.close(false);
    throw error;
  }
}

/** Returns the settings of the context and of the call that a session keeps. */
function sessionSettings(
  { checkHostname, handshakeTimeout }: ContextSettings,
  { serverHostname, suppressRaggedEofs = true }: WrapSocketOptions,
) {
  return {
    checkHostname,
    handshakeTimeout,
    serverHostname: serverHostname ?? undefined,
    suppressRaggedEofs,
  };
}

/** Throws unless a socket can be wrapped with these options. */
function checkSocket(
  socket: Socket,
  options: WrapSocketOptions,
  settings: ContextSettings,
): void {
  if (!(socket instanceof Socket)) {
    throw new TypeError(
      `Cannot wrapSocket: expected a Socket, got ${socket}${awaitHint(socket)}`,
    );
  }
  const { serverSide = false, doHandshakeOnConnect = true } = options;
  if (serverSide !== settings.serverSide) throw wrongContext(serverSide);
  checkServerHostname(options, settings.checkHostname);
  if (doHandshakeOnConnect && socket.gettimeout() === 0) {
    throw new TypeError(
      "Cannot wrapSocket: doHandshakeOnConnect must be false for a socket with timeout 0",
    );
  }
}

function wrongContext(serverSide: boolean): SSLError {
  const [side, name] = serverSide
    ? ["server", "PROTOCOL_TLS_CLIENT"]
    : ["client", "PROTOCOL_TLS_SERVER"];
  const reason = "WRONG_CONTEXT";
  return new SSLError(
    `Cannot wrapSocket: ${reason}: a ${side} socket needs another context than one with ${name} (EPROTO)`,
    { reason, syscall: "wrapSocket" },
  );
}

function checkServerHostname(
  { serverSide = false, serverHostname }: WrapSocketOptions,
  checkHostname: boolean,
): void {
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
  if (!serverSide && checkHostname && !named) {
    throw new TypeError(
      "Cannot wrapSocket: checkHostname needs serverHostname",
    );
  }
}
