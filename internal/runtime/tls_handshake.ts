/**
 * The handshake of `node:tls`, on either side, and its verdict about the peer.
 *
 * @module
 */

import type { Duplex } from "node:stream";
import type { SecureContext, TLSSocket } from "node:tls";
import { CERT_NONE, CERT_REQUIRED } from "../base/ssl_constants.ts";
import { nodeNet, nodeTls } from "./builtins.ts";
import { checkClient, checkServer } from "./peer_checks.ts";
import { eofError, tlsError, verifyError } from "./tls_errors.ts";
import type { TlsProfile } from "./tls_profile.ts";

const SYSCALL = "doHandshake";

/** How long `node:tls` keeps the timer of a handshake that was given up, in ms. Arbitrary; the limit is the socket's. */
const TIMER_MS = 15_000;

const NOTHING = new Uint8Array(0);

/** The side of a handshake, and what it needs. */
export interface HandshakeOptions {
  readonly profile: TlsProfile;
  /** Of a client: the name of the server, for SNI. */
  readonly serverHostname: string | undefined;
  /** Of a client: whether the certificate must have that name. */
  readonly checkHostname: boolean;
  /** Of a server: returns the settings for the name that the client asks for; "" if it names none. */
  readonly choose?: (name: string) => TlsProfile | Promise<TlsProfile>;
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
 * Accepts through a `tls.Server` of its own, which never listens: a `TLSSocket` by itself would let any client
 * certificate in (Deno 2.9.6).
 */
function accept(
  raw: Duplex,
  { profile, choose = () => profile }: HandshakeOptions,
): Promise<TLSSocket> {
  let chosen = profile;
  const { verifyMode, alpnProtocols } = profile;
  const find = async (name: string): Promise<SecureContext> => {
    chosen = await choose(name);
    return chosen.secureContext;
  };
  /** Has Deno (2.9.6) send the answer to a client whose name took a while, over a stream that is no socket of Node. */
  const goOn = () => raw.emit("data", NOTHING);
  return new Promise((resolve, reject) => {
    const server = nodeTls().createServer({
      SNICallback: (name, done) => {
        find(name).then((context) => done(null, context), done).then(goOn);
      },
      requestCert: verifyMode !== CERT_NONE,
      rejectUnauthorized: verifyMode === CERT_REQUIRED,
      ALPNProtocols: alpnProtocols.length === 0
        ? undefined
        : [...alpnProtocols],
      handshakeTimeout: TIMER_MS,
    });
    server.once("tlsClientError", (error, tls) => {
      const verdict = (tls as Partial<TLSSocket>).authorizationError;
      reject(
        verdict
          ? verifyError(String(verdict), { syscall: SYSCALL, cause: error })
          : tlsError(error, SYSCALL),
      );
    });
    server.once("secureConnection", (tls) => {
      settle(() => checkClient(tls, chosen), tls, resolve, reject);
    });
    server.emit("connection", raw);
  });
}

function connect(raw: Duplex, options: HandshakeOptions): Promise<TLSSocket> {
  const { profile, serverHostname = "", checkHostname } = options;
  const { verifyMode, alpnProtocols, secureContext } = profile;
  return new Promise((resolve, reject) => {
    const tls = nodeTls().connect({
      socket: raw,
      secureContext,
      servername: nodeNet().isIP(serverHostname) ? "" : serverHostname,
      ALPNProtocols: alpnProtocols.length === 0
        ? undefined
        : [...alpnProtocols],
      rejectUnauthorized: verifyMode !== CERT_NONE,
      checkServerIdentity: () => undefined, // checked below, in Python's words
    });
    const fail = (error: unknown) => reject(tlsError(error, SYSCALL));
    tls.once("error", fail);
    tls.once("close", () => {
      reject(eofError("the connection was closed", { syscall: SYSCALL }));
    });
    tls.once("secureConnect", () => {
      tls.off("error", fail);
      const name = checkHostname ? serverHostname : undefined;
      settle(() => checkServer(tls, profile, name), tls, resolve, reject);
    });
  });
}

function settle(
  check: () => void,
  tls: TLSSocket,
  resolve: (tls: TLSSocket) => void,
  reject: (error: unknown) => void,
): void {
  try {
    check();
    resolve(tls);
  } catch (error) {
    tls.on("error", () => {}); // told already
    tls.destroy();
    reject(error);
  }
}
