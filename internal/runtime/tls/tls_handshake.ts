/**
 * The handshake of `node:tls`, on either side, and its verdict about the peer.
 *
 * @module
 */

import type { Socket as NetSocket } from "node:net";
import type { Duplex } from "node:stream";
import type { SecureContext, TLSSocket } from "node:tls";
import { CERT_NONE, CERT_REQUIRED } from "../../base/ssl_constants.ts";
import { osError } from "../../base/translate_error.ts";
import { setUnrefTimeout } from "../../waiting/timeouts.ts";
import { nodeNet, nodeTls } from "../system/node_builtins.ts";
import { checkClient, checkServer } from "./peer_checks.ts";
import { eofError, handshakeError } from "./tls_errors.ts";
import { onEof } from "./tls_native.ts";
import type { TlsProfile } from "./tls_profile.ts";

const CALL = { syscall: "doHandshake" };
const CLOSED = "the peer closed the connection in the handshake";

const NOTHING = new Uint8Array(0);

/** The settings of a handshake. */
export interface HandshakeOptions {
  readonly profile: TlsProfile;
  /** Of a client: the name of the server, for SNI. */
  readonly serverHostname: string | undefined;
  /** Of a client: whether the certificate must have that name. */
  readonly checkHostname: boolean;
  /** Of a server: returns the settings for the name that the client asks for; "" if it names none. */
  readonly choose?: (name: string) => Promise<TlsProfile>;
}

/** Gets the failures and the close of a session after its handshake. */
export interface SessionOwner {
  /** Called with each error. */
  onFailure(error: unknown): void;
  /** Called when the session is closed. */
  onClose(): void;
}

/**
 * Makes a handshake within a time. If it fails, destroys `raw`.
 *
 * @param seconds The time; null is no limit.
 */
export async function shakeHandsWithin(
  seconds: number | null,
  raw: Duplex,
  options: HandshakeOptions,
  owner: SessionOwner,
): Promise<TLSSocket> {
  let expired = false;
  const timer = setUnrefTimeout(() => {
    expired = true;
    raw.destroy();
  }, (seconds ?? Infinity) * 1000);
  try {
    if (raw.readableEnded || raw.destroyed) {
      throw eofError("the peer has closed the connection", CALL);
    }
    const shakeHands = options.profile.serverSide ? accept : connect;
    return await shakeHands(raw, options, owner);
  } catch (error) {
    raw.destroy();
    throw expired ? timeoutError(seconds!) : error;
  } finally {
    clearTimeout(timer);
  }
}

function timeoutError(seconds: number): Error {
  const reason = `the handshake timed out after ${seconds} s`;
  return osError("ETIMEDOUT", { ...CALL, reason });
}

/**
 * Makes the handshake of a server. A `TLSSocket` alone accepts any client certificate (Deno 2.9.6), so `checkClient`
 * takes the verdict from the session.
 */
function accept(
  raw: Duplex,
  options: HandshakeOptions,
  owner: SessionOwner,
): Promise<TLSSocket> {
  const { profile, choose } = options;
  const { verifyMode } = profile;
  let chosen = profile;
  /** Makes Deno (2.9.6) send its answer after a slow look-up of the name, over a stream that is no socket of Node. */
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
  return ended(tls, owner, "secure", () => checkClient(tls, chosen));
}

function connect(
  raw: Duplex,
  options: HandshakeOptions,
  owner: SessionOwner,
): Promise<TLSSocket> {
  const { profile, serverHostname = "", checkHostname } = options;
  const tls = nodeTls().connect({
    socket: raw,
    secureContext: profile.secureContext,
    servername: nodeNet().isIP(serverHostname) ? "" : serverHostname,
    rejectUnauthorized: isStrict(profile),
    checkServerIdentity: () => undefined, // `checkServer` does that, with Python's messages
    ...alpnOf(profile),
  });
  const name = checkHostname ? serverHostname : undefined;
  return ended(
    tls,
    owner,
    "secureConnect",
    () => checkServer(tls, profile, name),
  );
}

/**
 * Reports whether `node:tls` should refuse a server, instead of the check after the handshake. Deno (2.9.6) gives no
 * reason then, but keeps no session with the server. With authorities other than its own, it never keeps one.
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
  owner: SessionOwner,
  event: string,
  check: () => void,
): Promise<TLSSocket> {
  const { promise, resolve, handOver } = listen(tls, owner);
  tls.on(event, resolve);
  try {
    await promise;
    check();
    return tls;
  } catch (error) {
    tls.destroy();
    throw error;
  } finally {
    handOver();
  }
}

/** A handshake under way: the promise rejects if it fails. */
interface HandshakeUnderWay extends PromiseWithResolvers<void> {
  /** Reports the failures and the close of the session to its owner from now on. */
  handOver(): void;
}

/**
 * Listens to the failures and the close of a session: they end its handshake, and after `handOver` they go to the owner.
 *
 * The listeners stay: removing one makes V8 keep the listeners of the session in a hash table, 830 bytes for each idle
 * connection. And each serves the owner too: a third listener of an event takes 140 bytes.
 */
function listen(tls: TLSSocket, owner: SessionOwner): HandshakeUnderWay {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let over = false;
  const fail = (error: unknown) => {
    if (over) owner.onFailure(error);
    else reject(handshakeError(error));
  };
  const gone = () => {
    if (over) return owner.onClose();
    reject(eofError(CLOSED, CALL));
  };
  tls.on("error", fail);
  tls.on("_tlsError", fail); // the event of Node that names the server of a socket
  tls.on("close", gone);
  const forget = onEof(tls, gone);
  const handOver = () => {
    over = true;
    forget();
  };
  return { promise, resolve, reject, handOver };
}
