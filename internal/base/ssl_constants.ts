/**
 * The constants of Python's `ssl`, with Python's values.
 *
 * @module
 */

/**
 * The protocol of a context for clients.
 *
 * @category TLS
 */
export const PROTOCOL_TLS_CLIENT = 16;

/**
 * The protocol of a context for servers.
 *
 * @category TLS
 */
export const PROTOCOL_TLS_SERVER = 17;

/**
 * `verifyMode`: the certificate of the peer is not checked, and a server does not ask for one.
 *
 * @category TLS
 */
export const CERT_NONE = 0;

/**
 * `verifyMode` of a server: asks for a certificate, which must be valid if the client sends one.
 *
 * @category TLS
 */
export const CERT_OPTIONAL = 1;

/**
 * `verifyMode`: the peer must send a valid certificate.
 *
 * @category TLS
 */
export const CERT_REQUIRED = 2;

/**
 * The versions of TLS, for `minimumVersion` and `maximumVersion`. Deno speaks 1.2 and 1.3.
 *
 * @category TLS
 */
export const TLSVersion: {
  /** The oldest version that Deno speaks: TLS 1.2. */
  readonly MINIMUM_SUPPORTED: -2;
  /** SSL 3.0, which Deno refuses. */
  readonly SSLv3: 768;
  /** TLS 1.0, which Deno refuses. */
  readonly TLSv1: 769;
  /** TLS 1.1, which Deno refuses. */
  readonly TLSv1_1: 770;
  /** TLS 1.2. */
  readonly TLSv1_2: 771;
  /** TLS 1.3. */
  readonly TLSv1_3: 772;
  /** The newest version that Deno speaks: TLS 1.3. */
  readonly MAXIMUM_SUPPORTED: -1;
} = {
  MINIMUM_SUPPORTED: -2,
  SSLv3: 768,
  TLSv1: 769,
  TLSv1_1: 770,
  TLSv1_2: 771,
  TLSv1_3: 772,
  MAXIMUM_SUPPORTED: -1,
};

/**
 * The number of a version in {@linkcode TLSVersion}.
 *
 * @category TLS
 */
export type TLSVersion = typeof TLSVersion[keyof typeof TLSVersion];

/**
 * The purpose of the peer's certificate, for {@linkcode createDefaultContext}.
 *
 * @category TLS
 */
export const Purpose: {
  /** A client, which authenticates servers. */
  readonly SERVER_AUTH: "SERVER_AUTH";
  /** A server, which may authenticate clients. */
  readonly CLIENT_AUTH: "CLIENT_AUTH";
} = { SERVER_AUTH: "SERVER_AUTH", CLIENT_AUTH: "CLIENT_AUTH" };

/**
 * A purpose in {@linkcode Purpose}.
 *
 * @category TLS
 */
export type Purpose = keyof typeof Purpose;
