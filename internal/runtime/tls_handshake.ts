/**
 * The handshake of `node:tls`, on either side, and its verdict about the peer.
 *
 * @module
 */

import type { Socket as NetSocket } from "node:net";
import type { Duplex } from "node:stream";
import type { SecureContext, TLSSocket } from "node:tls";
import { CERT_NONE, CERT_REQUIRED } from "../base/ssl_constants.ts";
import { nodeNet, nodeTls } from "./builtins.ts";
import { checkClient, checkServer } from "./peer_checks.ts";
import { eofError, handshakeError } from "./tls_errors.ts";
import { onEof } from "./tls_native.ts";
import type { TlsProfile } from "./tls_profile.ts";

const SYSCALL = "doHandshake";

const NOTHING = new Uint8Array(0);

/** The side of a handshake, and what it needs. */
export interface HandshakeOptions {
  readonly profile: TlsProfile;
  /** Of a client: the name of the server, for SNI. */
  readonly serverHostname: string | undefined;
  /** Of a client: whether the certificate must have that name. */
  readonly checkHostname: boolean;
  /** Of a server: returns the settings for the name that the client asks for; "" if it names none. */
  readonly choose?: (name: string) => Promise<TlsProfile>;
}

/** Makes a handshake. If it fails, `raw` is left to the caller to destroy. */
export function shakeHands(
  raw: Duplex,
  options: HandshakeOptions,
): Promise<TLSSocket> {
  return options.profile.serverSide
    ? accept(raw, options)
    : connect(raw, options);
}

/**
 * Makes the handshake of a server. A `TLSSocket` by itself lets any client certificate in (Deno 2.9.6): the verdict is
 * taken from the session, in `checkClient`.
 */
function accept(raw: Duplex, options: HandshakeOptions): Promise<TLSSocket> {
  const { profile, choose } = options;
  const { verifyMode } = profile;
  let chosen = profile;
  /** Has Deno (2.9.6) send the answer to a client whose name took a while, over a stream that is no socket of Node. */
  const goOn = () => raw.emit("data", NOTHING);
  const find = async (name: string): Promise<SecureContext> => {
    chosen = await choose!(name);
    return chosen.secureContext;
  };
  const tls = new (nodeTls().TLSSocket)(raw as NetSocket, {
    isServer: true,
    secureContext: profile.secureContext,
    SNICallback: choose && ((name, done) => {
      find(name).then((context) => done(null, context), done).then(goOn);
    }),
    requestCert: verifyMode !== CERT_NONE,
    rejectUnauthorized: verifyMode === CERT_REQUIRED,
    ...alpnOf(profile),
  });
  return ended(tls, "secure", () => checkClient(tls, chosen));
}

function connect(raw: Duplex, options: HandshakeOptions): Promise<TLSSocket> {
  const { profile, serverHostname = "", checkHostname } = options;
  const tls = nodeTls().connect({
    socket: raw,
    secureContext: profile.secureContext,
    servername: nodeNet().isIP(serverHostname) ? "" : serverHostname,
    rejectUnauthorized: isStrict(profile),
    checkServerIdentity: () => undefined, // checked below, in Python's words
    ...alpnOf(profile),
  });
  const name = checkHostname ? serverHostname : undefined;
  return ended(tls, "secureConnect", () => checkServer(tls, profile, name));
}

/**
 * Reports whether `node:tls` is to refuse a server, and not the check that follows. Deno (2.9.6) then does not tell why, but
 * keeps no session with it. With other authorities than its own it keeps none anyway.
 */
function isStrict({ verifyMode, defaultRoots }: TlsProfile): boolean {
  return verifyMode !== CERT_NONE && defaultRoots;
}

function alpnOf({ alpnProtocols }: TlsProfile): { ALPNProtocols?: string[] } {
  return alpnProtocols.length === 0
    ? {}
    : { ALPNProtocols: [...alpnProtocols] };
}

/** Waits for the end of a handshake and checks the peer. A session that is refused is destroyed. */
async function ended(
  tls: TLSSocket,
  event: string,
  check: () => void,
): Promise<TLSSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const fail = (error: unknown) => reject(handshakeError(error));
  const gone = () => {
    const text = "the peer closed the connection in the handshake";
    reject(eofError(text, { syscall: SYSCALL }));
  };
  tls.on("error", fail);
  tls.on("_tlsError", fail); // what Node tells the server of a socket
  tls.once("close", gone);
  const forget = onEof(tls, gone);
  tls.once(event, resolve);
  try {
    await promise;
    check();
    return tls;
  } catch (error) {
    tls.destroy();
    throw error;
  } finally {
    forget();
    tls.off("close", gone);
  }
}
