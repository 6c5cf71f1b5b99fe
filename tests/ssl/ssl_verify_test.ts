/** Whom a context lets in: certificates of servers and of clients, names, protocols and versions. */

import { createServer as createTlsServer } from "node:tls";
import type { AddressInfo } from "node:net";
import { createConnection } from "../../socket.ts";
import {
  CERT_NONE,
  CERT_OPTIONAL,
  CERT_REQUIRED,
  SSLCertVerificationError,
  type SSLContext,
  SSLError,
  TLSVersion,
} from "../../ssl.ts";
import { Authority, type Identity } from "../helpers/certificates.ts";
import {
  authority,
  beginPair,
  clientContext,
  localhost,
  type PairOptions,
  serverContext,
  tlsPair,
} from "../helpers/ssl.ts";
import { errorOf } from "../helpers/thrown.ts";
import { within } from "../helpers/within.ts";
import { assertEquals, assertStringIncludes } from "../deps.ts";

const LOCAL = { name: "localhost", hosts: ["localhost", "127.0.0.1"] };
const stranger = new Authority("Another CA");
const namesake = new Authority(); // of the same name as the authority of the tests
const past: [string, string] = ["2020-01-01", "2020-02-01"];
const future: [string, string] = ["2049-01-01", "2049-02-01"];

/** The error with which the handshake of one end fails. The other end is closed. */
async function failureOf<E extends Error>(
  // deno-lint-ignore no-explicit-any
  Class: abstract new (...args: any[]) => E,
  end: "client" | "server",
  options: PairOptions,
): Promise<E> {
  const [client, server] = await beginPair(options);
  const error = await errorOf(Class, end === "client" ? client : server);
  const other = end === "client" ? server : client;
  await within(other.then((socket) => socket.close(), () => {}));
  return error;
}

const SERVERS: [
  name: string,
  identity: Identity,
  code: number,
  hostname?: string,
][] = [
  ["of another authority", stranger.issue(LOCAL), 21],
  ["of an authority of the same name", namesake.issue(LOCAL), 21],
  ["that has expired", authority.issue({ ...LOCAL, valid: past }), 10],
  ["that is not yet valid", authority.issue({ ...LOCAL, valid: future }), 9],
  ["of another host", localhost, 62, "elsewhere"],
  ["of another address", localhost, 64, "127.0.0.2"],
];

for (const [name, identity, code, serverHostname = "localhost"] of SERVERS) {
  Deno.test(`SSLContext of a client refuses a certificate ${name}`, async () => {
    const error = await failureOf(SSLCertVerificationError, "client", {
      server: serverContext(identity),
      clientOptions: { serverHostname },
    });
    assertEquals(error.verifyCode, code);
    assertEquals(error.reason, "CERTIFICATE_VERIFY_FAILED");
    assertStringIncludes(error.message, error.verifyMessage);
  });
}

Deno.test("SSLContext of a client accepts a server by its address, with a wildcard, or any", async () => {
  const wild = authority.issue({ name: "x", hosts: ["*.example.com"] });
  const blind = clientContext((context) => {
    context.checkHostname = false;
    context.verifyMode = CERT_NONE;
  });
  const nameless = clientContext((context) => context.checkHostname = false);
  const cases: PairOptions[] = [
    { clientOptions: { serverHostname: "127.0.0.1" } },
    {
      server: serverContext(wild),
      clientOptions: { serverHostname: "www.example.com" },
    },
    { client: nameless, clientOptions: { serverHostname: "elsewhere" } },
    { client: nameless, clientOptions: { serverHostname: null } },
    { client: blind, server: serverContext(stranger.issue(LOCAL)) },
  ];
  for (const options of cases) {
    const [client, server] = await tlsPair(options);
    const unverified = options.client === blind;
    assertEquals(client.getpeercert()?.subject === undefined, unverified);
    assertEquals((client.getpeercert(true)?.length ?? 0) > 100, true);
    client.close();
    server.close();
  }
});

Deno.test("SSLContext of a client refuses a forged certificate of X.509 version 1, which node:tls accepts", async () => {
  const forged = namesake.issue({ name: "localhost", version: 1 });
  const genuine = authority.issue({ name: "localhost", version: 1 });
  for (const identity of [forged, genuine]) {
    const server = createTlsServer(identity, (socket) => socket.end());
    server.on("tlsClientError", () => {});
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const { port } = server.address() as AddressInfo;
    const plain = await createConnection(["127.0.0.1", port]);
    const wrapped = clientContext().wrapSocket(plain, {
      serverHostname: "localhost",
    });
    const error = await errorOf(SSLCertVerificationError, wrapped);
    assertStringIncludes(error.message, "version 1");
    await new Promise((done) => server.close(done));
  }
});

/** A context for servers that asks for certificates. */
function asking(verifyMode: number): SSLContext {
  return serverContext(localhost, (context) => {
    context.verifyMode = verifyMode;
    context.loadVerifyLocations(authority.cert);
  });
}

function clientWith(identity?: Identity): SSLContext {
  return clientContext((context) => {
    if (identity) context.loadCertChain(identity.cert, identity.key);
  });
}

const alice = authority.issue({ name: "alice" });

for (const mode of [CERT_OPTIONAL, CERT_REQUIRED]) {
  const name = mode === CERT_REQUIRED ? "CERT_REQUIRED" : "CERT_OPTIONAL";

  Deno.test(`SSLContext with ${name} lets in a client with a certificate`, async () => {
    const [client, server] = await tlsPair({
      server: asking(mode),
      client: clientWith(alice),
    });
    const subject = [[["commonName", "alice"]]];
    assertEquals<unknown>(server.getpeercert()?.subject, subject);
    client.close();
    server.close();
  });

  const REFUSED: [string, Identity, number][] = [
    ["of another authority", stranger.issue({ name: "mallory" }), 21],
    ["of a namesake", namesake.issue({ name: "alice" }), 21],
    ["that has expired", authority.issue({ name: "old", valid: past }), 10],
    [
      "that is not yet valid",
      authority.issue({ name: "new", valid: future }),
      9,
    ],
  ];
  for (const [which, identity, code] of REFUSED) {
    Deno.test(`SSLContext with ${name} refuses a client's certificate ${which}`, async () => {
      const error = await failureOf(SSLCertVerificationError, "server", {
        server: asking(mode),
        client: clientWith(identity),
      });
      assertEquals(error.verifyCode, code);
    });
  }

  Deno.test(`SSLContext with ${name} and a client without a certificate`, async () => {
    const options = { server: asking(mode), client: clientWith() };
    if (mode === CERT_REQUIRED) {
      const error = await failureOf(SSLError, "server", options);
      assertEquals(error.reason, "PEER_DID_NOT_RETURN_A_CERTIFICATE");
      return;
    }
    const [client, server] = await tlsPair(options);
    assertEquals(server.getpeercert(), null);
    client.close();
    server.close();
  });
}

Deno.test("SSLContext refuses a client's certificate of X.509 version 1, also that of the authority itself", async () => {
  const old = new Authority("Old CA", 1);
  const server = serverContext(localhost, (context) => {
    context.verifyMode = CERT_REQUIRED;
    context.loadVerifyLocations(old.cert);
  });
  const client = clientWith({ cert: old.cert, key: old.key });
  const error = await failureOf(SSLCertVerificationError, "server", {
    server,
    client,
  });
  assertStringIncludes(error.message, "version 1");
});

Deno.test("SSLContext serves the certificate of the name that the client asks for", async () => {
  const hosts = (...names: string[]) =>
    serverContext(authority.issue({ name: names[0], hosts: names }));
  const exact = hosts("a.example.com");
  const wild = hosts("*.example.com");
  const server = hosts("localhost");
  server.addContext("A.example.com", exact);
  server.addContext("*.example.com", wild);
  const cases: [string, SSLContext][] = [
    ["a.example.com", exact],
    ["b.example.com", wild],
    ["localhost", server],
  ];
  for (const kind of ["Deno", "Node"] as const) {
    for (const [serverHostname, context] of cases) {
      const [near, far] = await tlsPair({
        kind,
        server,
        clientOptions: { serverHostname },
      });
      assertEquals(far.context === context, true);
      near.close();
      far.close();
    }
  }
  const nameless = clientContext((context) => context.checkHostname = false);
  const [near, far] = await tlsPair({
    server,
    client: nameless,
    clientOptions: { serverHostname: null },
  });
  assertEquals(far.context === server, true);
  near.close();
  far.close();
  await failureOf(SSLCertVerificationError, "client", {
    server,
    clientOptions: { serverHostname: "a.b.example.com" }, // a wildcard stands for one label
  });
});

Deno.test("SSLContext.sniCallback chooses the context, at once or later, or fails the handshake", async () => {
  const example = { name: "x", hosts: ["x.example"] };
  const other = serverContext(authority.issue(example));
  const server = serverContext();
  const names: (string | null)[] = [];
  for (const kind of ["Deno", "Node"] as const) {
    for (const how of ["returns", "resolves", "sets"]) {
      server.sniCallback = (socket, name, context) => {
        names.push(name);
        assertEquals(context === server, true);
        if (how === "sets") socket.context = other;
        else if (how === "returns") return other;
        else return new Promise((done) => setTimeout(done, 5, other));
      };
      const options = {
        kind,
        server,
        clientOptions: { serverHostname: "x.example" },
      };
      const [near, far] = await tlsPair(options);
      assertEquals(far.context === other, true);
      near.close();
      far.close();
    }
  }
  assertEquals(names, Array(6).fill("x.example"));
  server.sniCallback = () => {
    throw new Error("no such host");
  };
  const error = await failureOf(Error, "server", { server });
  assertEquals(error.message, "no such host");
  server.sniCallback = () => clientContext();
  await failureOf(TypeError, "server", { server });
});

Deno.test("SSLContext.setAlpnProtocols() lets both sides agree, or refuses the client", async () => {
  const speaking = (...names: string[]) => (context: SSLContext) =>
    context.setAlpnProtocols(names);
  const server = serverContext(localhost, speaking("h2", "http/1.1"));
  for (
    const [offered, chosen] of [
      [["http/1.1", "h2"], "h2"],
      [["http/1.1"], "http/1.1"],
      [[], null],
    ] as const
  ) {
    const [near, far] = await tlsPair({
      server,
      client: clientContext(speaking(...offered)),
    });
    assertEquals(near.selectedAlpnProtocol(), chosen);
    assertEquals(far.selectedAlpnProtocol(), chosen);
    near.close();
    far.close();
  }
  const client = clientContext(speaking("spdy/1"));
  for (const kind of ["Deno", "Node"] as const) {
    const options = { kind, server, client };
    const refused = await failureOf(SSLError, "server", options);
    assertEquals(refused.reason, "NO_APPLICATION_PROTOCOL");
    const told = await failureOf(SSLError, "client", options);
    assertEquals(told.reason, "TLSV1_ALERT_NO_APPLICATION_PROTOCOL");
  }
});

Deno.test("SSLContext speaks the versions that both sides allow", async () => {
  const only = (version: TLSVersion) => (context: SSLContext) => {
    context.minimumVersion = context.maximumVersion = version;
  };
  const { TLSv1_2, TLSv1_3 } = TLSVersion;
  for (
    const [version, name] of [
      [TLSv1_2, "TLSv1.2"],
      [TLSv1_3, "TLSv1.3"],
    ] as const
  ) {
    for (const kind of ["Deno", "Node"] as const) {
      const server = serverContext(localhost, only(version));
      const [near, far] = await tlsPair({ kind, server });
      assertEquals(near.version(), name);
      assertEquals(far.version(), name);
      const cipher = near.cipher()!;
      assertEquals(cipher.slice(1), [name, /128/.test(cipher[0]) ? 128 : 256]);
      assertEquals(far.cipher(), cipher);
      near.close();
      far.close();
    }
  }
  const options = {
    server: serverContext(localhost, only(TLSv1_2)),
    client: clientContext(only(TLSv1_3)),
  };
  const error = await failureOf(SSLError, "server", options);
  assertEquals(error.reason, "UNSUPPORTED_PROTOCOL");
  const told = await failureOf(SSLError, "client", options);
  assertEquals(told.reason, "TLSV1_ALERT_PROTOCOL_VERSION");
});

Deno.test("SSLContext of a client trusts the authorities of Deno only if they are loaded", async () => {
  const client = clientContext();
  client.loadDefaultCerts();
  const [near, far] = await tlsPair({ client });
  near.close();
  far.close();
  const error = await failureOf(SSLCertVerificationError, "client", {
    client,
    server: serverContext(namesake.issue(LOCAL)),
  });
  assertEquals(error.verifyCode, 21);
});
