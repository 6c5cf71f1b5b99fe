/** A context refuses bad certificates, keys, settings and sockets, with one clear error for each. */

import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import {
  createServer,
  FileNotFoundError,
  OSError,
  SOCK_DGRAM,
  Socket,
} from "../../socket.ts";
import {
  CERT_NONE,
  CERT_REQUIRED,
  createDefaultContext,
  PROTOCOL_TLS_CLIENT,
  PROTOCOL_TLS_SERVER,
  Purpose,
  SSLContext,
  SSLError,
  SSLSocket,
  TLSVersion,
} from "../../ssl.ts";
import { assertEquals, assertStringIncludes, assertThrows } from "../deps.ts";
import { granted } from "../helpers/allowed.ts";
import {
  authority,
  clientContext,
  localhost,
  plainPair,
  serverContext,
} from "../helpers/ssl.ts";
import { errorOf } from "../helpers/thrown.ts";

const { cert, key } = localhost;
const encrypted = createPrivateKey(key).export({
  type: "pkcs8",
  format: "pem",
  cipher: "aes-256-cbc",
  passphrase: "secret",
}) as string;
const other = authority.issue({ name: "other" });
const weak = generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey
  .export({ type: "pkcs8", format: "pem" }) as string;
const strange = generateKeyPairSync("ec", { namedCurve: "secp256k1" })
  .privateKey.export({ type: "pkcs8", format: "pem" }) as string;

function load(
  cert: string,
  key?: string,
  password?: string,
): () => void {
  const context = new SSLContext(PROTOCOL_TLS_SERVER);
  return () => context.loadCertChain(cert, key, password);
}

const BEGIN = "-----BEGIN CERTIFICATE-----";
const BROKEN = `${BEGIN}\nAAAA\n-----END CERTIFICATE-----\n`;

const MATERIAL: [
  name: string,
  load: () => void,
  reason: string,
  text: string,
][] = [
  [
    "a key of another certificate",
    load(cert, other.key),
    "KEY_VALUES_MISMATCH",
    "CN=localhost",
  ],
  [
    "an encrypted key without its password",
    load(cert, encrypted),
    "BAD_PASSWORD_READ",
    "encrypted",
  ],
  [
    "a wrong password",
    load(cert, encrypted, "wrong"),
    "BAD_DECRYPT",
    "password",
  ],
  [
    "a certificate in place of the key",
    load(cert, cert),
    "NO_START_LINE",
    "has no key",
  ],
  ["a missing key", load(cert), "NO_START_LINE", "has no key"],
  [
    "a key in place of the certificate",
    load(key, key),
    "NO_START_LINE",
    "has no certificate",
  ],
  ["a broken certificate", load(BROKEN, key), "PEM_LIB", "certificate 1"],
  [
    "a broken key",
    load(cert, key.replace(/M.*\n/, "AAAA\n")),
    "PEM_LIB",
    "cannot be decoded",
  ],
  ["a weak key", load(cert, weak), "EE_KEY_TOO_SMALL", "1024 bits"],
  [
    "a key that Deno cannot use",
    load(cert, strange),
    "UNKNOWN_KEY_TYPE",
    "secp256k1",
  ],
  [
    "authorities without a certificate",
    () => clientContext().loadVerifyLocations(key),
    "NO_START_LINE",
    "has no certificate",
  ],
  [
    "a list of revoked certificates",
    () =>
      clientContext().loadVerifyLocations(
        `${cert}-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n`,
      ),
    "CRL",
    "revoked",
  ],
];

for (const [name, load, reason, text] of MATERIAL) {
  Deno.test(`SSLContext refuses ${name}`, () => {
    const error = assertThrows(load, OSError);
    if (reason !== "CRL") assertEquals((error as SSLError).reason, reason);
    assertStringIncludes(error.message, text);
  });
}

Deno.test("SSLContext.loadCertChain() decrypts a key", () => {
  load(cert, encrypted, "secret")();
  load(cert + key)();
});

Deno.test({
  name: "SSLContext.loadCertChain() names the file that is missing or no PEM",
  ignore: !granted("read"),
  fn() {
    const missing = assertThrows(load("no-such.crt"), FileNotFoundError);
    assertStringIncludes(missing.message, "no-such.crt");
    const path = new URL("../deps.ts", import.meta.url).pathname;
    const junk = assertThrows(load(path, key), SSLError);
    assertStringIncludes(junk.message, path);
    assertStringIncludes(junk.message, BEGIN);
  },
});

Deno.test("SSLContext refuses settings that are none, or that Deno would ignore", () => {
  assertThrows(() => new SSLContext(2), RangeError);
  const context = new SSLContext(PROTOCOL_TLS_CLIENT);
  assertThrows(() => context.verifyMode = 7, RangeError);
  assertThrows(() => context.verifyMode = CERT_NONE, TypeError);
  assertThrows(() => context.minimumVersion = 5 as 770, RangeError);
  assertThrows(() => context.handshakeTimeout = 0, RangeError);
  assertThrows(() => context.handshakeTimeout = -1, RangeError);
  assertThrows(() => context.setAlpnProtocols([""]), RangeError);
  assertThrows(() => context.setAlpnProtocols("h2" as never), TypeError);
  const server = serverContext();
  for (
    const call of [
      () => context.minimumVersion = TLSVersion.TLSv1_1,
      () => context.maximumVersion = TLSVersion.TLSv1,
      () => context.setCiphers("HIGH"),
      () => context.setEcdhCurve("prime256v1"),
      () => context.verifyFlags = 4,
      () => server.loadDefaultCerts(),
    ]
  ) assertEquals(assertThrows(call, OSError).code, "EOPNOTSUPP");
  assertThrows(() => context.addContext("a.example", server), TypeError);
  assertThrows(() => server.addContext("a.example", context), TypeError);
  for (const name of ["", "*", "*.", "a.*.example", "a b", "*x.example"]) {
    assertThrows(() => server.addContext(name, server), TypeError);
  }
});

Deno.test("SSLContext.checkHostname turns the verification on, as in Python", () => {
  const context = new SSLContext(PROTOCOL_TLS_SERVER);
  assertEquals(context.checkHostname, false);
  assertEquals(context.verifyMode, CERT_NONE);
  context.checkHostname = true;
  assertEquals(context.verifyMode, CERT_REQUIRED);
});

Deno.test("createDefaultContext() is for clients, or for servers", () => {
  const client = createDefaultContext();
  assertEquals(client.protocol, PROTOCOL_TLS_CLIENT);
  assertEquals(client.checkHostname, true);
  assertEquals(client.verifyMode, CERT_REQUIRED);
  const server = createDefaultContext({ purpose: Purpose.CLIENT_AUTH });
  assertEquals(server.protocol, PROTOCOL_TLS_SERVER);
  assertEquals(server.verifyMode, CERT_NONE);
});

Deno.test("SSLSocket has no public constructor", () => {
  assertThrows(() => new SSLSocket(), TypeError, "wrapSocket");
});

Deno.test("SSLContext.wrapSocket() refuses sockets that are not connected streams", async () => {
  const context = clientContext();
  const options = { serverHostname: "localhost" };
  const codeOf = async (socket: Socket) =>
    (await errorOf(OSError, context.wrapSocket(socket, options))).code;
  using listener = createServer(["127.0.0.1", 0]);
  using datagram = new Socket(undefined, SOCK_DGRAM);
  using fresh = new Socket();
  const closed = new Socket();
  closed.close();
  assertEquals(await codeOf(listener), "EINVAL");
  assertEquals(await codeOf(datagram), "EOPNOTSUPP");
  assertEquals(await codeOf(fresh), "ENOTCONN");
  assertEquals(await codeOf(closed), "EBADF");
  await errorOf(TypeError, context.wrapSocket({} as Socket, options));
});

Deno.test("SSLContext.wrapSocket() refuses wrong options and leaves the socket open", async () => {
  const [client, server] = await plainPair();
  using _client = client;
  using _server = server;
  const trust = clientContext();
  const wrongSide = await errorOf(
    SSLError,
    trust.wrapSocket(server, { serverSide: true }),
  );
  assertEquals(wrongSide.reason, "WRONG_CONTEXT");
  assertEquals(
    (await errorOf(SSLError, serverContext().wrapSocket(client))).reason,
    "WRONG_CONTEXT",
  );
  await errorOf(TypeError, trust.wrapSocket(client));
  await errorOf(TypeError, trust.wrapSocket(client, { serverHostname: "" }));
  await errorOf(
    TypeError,
    serverContext().wrapSocket(server, {
      serverSide: true,
      serverHostname: "x",
    }),
  );
  const signal = AbortSignal.abort(new Error("no longer"));
  const options = { serverHostname: "localhost", signal };
  await errorOf(Error, trust.wrapSocket(client, options));
  client.settimeout(0);
  await errorOf(
    TypeError,
    trust.wrapSocket(client, { serverHostname: "localhost" }),
  );
  client.settimeout(20);
  await client.sendall(new Uint8Array(3));
  assertEquals((await server.recv(10)).length, 3);
});

Deno.test("SSLContext.wrapSocket() refuses a context that is not complete", async () => {
  const reasonOf = async (context: SSLContext, serverSide: boolean) => {
    const [client, server] = await plainPair();
    using _client = client;
    using _server = server;
    const serverHostname = serverSide ? undefined : "localhost";
    const wrapped = context.wrapSocket(client, { serverSide, serverHostname });
    return (await errorOf(SSLError, wrapped)).reason;
  };
  const empty = new SSLContext(PROTOCOL_TLS_SERVER);
  assertEquals(await reasonOf(empty, true), "NO_CERTIFICATE_ASSIGNED");
  const blind = serverContext(localhost, (it) => it.verifyMode = CERT_REQUIRED);
  assertEquals(await reasonOf(blind, true), "NO_CERTIFICATE_AUTHORITY");
  const trusting = new SSLContext(PROTOCOL_TLS_CLIENT);
  assertEquals(await reasonOf(trusting, false), "NO_CERTIFICATE_AUTHORITY");
  const reversed = clientContext((it) => {
    it.minimumVersion = TLSVersion.TLSv1_3;
    it.maximumVersion = TLSVersion.TLSv1_2;
  });
  assertEquals(await reasonOf(reversed, false), "NO_PROTOCOLS_AVAILABLE");
});
