/** Servers over TLS, in all four ways to run, against CPython's ssl and openssl. */

import {
  AsyncTCPServer,
  ForkingTCPServer,
  ThreadingTCPServer,
  ThreadingUnixStreamServer,
} from "../../mod.ts";
import { TCPServer } from "../../server.ts";
import {
  CERT_OPTIONAL,
  CERT_REQUIRED,
  type SSLContext,
  TLSVersion,
} from "../../ssl.ts";
import { assert, assertEquals, assertMatch } from "../deps.ts";
import { granted, have, mayFork, mayRead } from "../helpers/allowed.ts";
import { Authority, type Identity } from "../helpers/certificates.ts";
import { type AnyServerClass, serving } from "../helpers/servers.ts";
import { newPath } from "../helpers/sockets.ts";
import { authority, localhost, serverContext } from "../helpers/ssl.ts";
import { boundedCommand, until, within } from "../helpers/within.ts";
import {
  alice,
  askTls,
  makeServer,
  type NotingServer,
} from "./ssl_server_helpers.ts";
import { BlockingTlsLines, TlsLines } from "../testdata/ssl_handlers.ts";

/** A client that is to connect; see testdata/ssl_client.py. */
interface Case {
  name?: string;
  alpn?: string[];
  version?: string;
  lines?: string[];
  bulk?: number;
}

/** The report of CPython's client. */
interface Seen {
  error?: string;
  version?: string;
  cipher?: unknown[];
  alpn?: string | null;
  server?: unknown;
  answers?: string[];
  bulk?: [left: number, same: boolean];
  decoded?: Record<string, unknown>;
}

/** CPython, in one process for many clients. */
class PythonClient implements AsyncDisposable {
  readonly #child = boundedCommand("python3", {
    args: [new URL("../testdata/ssl_client.py", import.meta.url).pathname],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  readonly #asked = this.#child.stdin.getWriter();
  readonly #answers = this.#child.stdout
    .pipeThrough(new TextDecoderStream()).getReader();

  async #ask(question: object): Promise<Seen> {
    const line = `${JSON.stringify(question)}\n`;
    await this.#asked.write(new TextEncoder().encode(line));
    let text = "";
    while (!text.endsWith("\n")) {
      const { value, done } = await within(this.#answers.read(), 60_000);
      if (done) throw new Error("Python has ended");
      text += value;
    }
    return JSON.parse(text);
  }

  /** Connects to a server, and does as the case says. */
  run(server: NotingServer, options: Case, own?: Identity): Promise<Seen> {
    const address = server.serverAddress;
    return this.#ask({ address, ca: authority.cert, ...options, ...own });
  }

  /** A certificate as CPython decodes it. */
  async decode(cert: string): Promise<unknown> {
    return (await this.#ask({ decode: cert })).decoded;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#asked.close();
    await this.#answers.cancel();
    await this.#child.status;
  }
}

const ignore = !have("python3");
const WAYS: [Server: unknown, Handler: unknown, ignore: boolean][] = [
  [TCPServer, TlsLines, false],
  [AsyncTCPServer, TlsLines, false],
  [ThreadingTCPServer, TlsLines, !mayRead],
  [ThreadingTCPServer, BlockingTlsLines, !mayRead],
  [ForkingTCPServer, TlsLines, !mayFork],
  [ThreadingUnixStreamServer, TlsLines, !mayRead],
];

function makeOf(Server: unknown, Handler: unknown, ssl: SSLContext) {
  const unix = (Server as { name: string }).name.includes("Unix");
  const address = unix ? newPath() : undefined;
  return makeServer(Server as AnyServerClass, Handler, { ssl }, address);
}

Deno.test({
  name:
    "a handler knows of the session what CPython's client knows, and passes much both ways, in each way to run",
  ignore,
  async fn() {
    await using python = new PythonClient();
    const decoded = await python.decode(alice.cert);
    const ssl = serverContext(localhost, (context) => {
      context.verifyMode = CERT_OPTIONAL;
      context.loadVerifyLocations(authority.cert);
      context.setAlpnProtocols(["one", "two"]);
    });
    for (const [Server, Handler, ignored] of WAYS) {
      if (ignored) continue;
      const server = makeOf(Server, Handler, ssl);
      await serving(server, async () => {
        for (const version of ["TLSv1_2", "TLSv1_3"]) {
          const lines = ["hello", "facts"];
          const options = { lines, version, alpn: ["three", "two"] };
          const seen = await python.run(server, options, alice);
          const [hello, facts] = seen.answers!;
          assertEquals(hello, "hello");
          const here = JSON.parse(facts);
          assertEquals(here.version, seen.version, "version");
          assertEquals(here.alpn, "two", "alpn");
          assertEquals(here.cipher, seen.cipher, "cipher");
          assertEquals(here.peer, decoded);
          assertEquals(
            `-----BEGIN CERTIFICATE-----\n${
              Uint8Array.fromHex(here.der).toBase64().replace(/.{64}/g, "$&\n")
            }\n-----END CERTIFICATE-----\n`,
            alice.cert,
          );
        }
        const { answers } = await python.run(server, { lines: ["facts"] });
        const here = JSON.parse(answers![0]);
        assertEquals(here.peer, null, "peer");
        assertEquals(here.der, null, "der");
        assertEquals(here.alpn, null, "alpn");
        const bulk = Server === AsyncTCPServer ? 16 << 20 : 4 << 20;
        const passed = await python.run(server, { lines: ["raw"], bulk });
        assertEquals(passed.bulk, [0, true]);
      });
      assertEquals(server.errors, [], "errors");
      assertEquals(server.handshakes, [], "handshakes");
    }
  },
});

Deno.test({
  name:
    "a server with CERT_REQUIRED accepts the certificates of its authority only",
  ignore,
  async fn() {
    await using python = new PythonClient();
    const ssl = serverContext(localhost, (context) => {
      context.verifyMode = CERT_REQUIRED;
      context.loadVerifyLocations(authority.cert);
    });
    const valid: [string, string] = ["2019-01-01", "2020-01-01"];
    const clients: [string, Identity | undefined, RegExp | undefined][] = [
      ["accepted", alice, undefined],
      ["missing", undefined, /^EPROTO PEER_DID_NOT_RETURN_A_CERTIFICATE$/],
      [
        "expired",
        authority.issue({ name: "old", valid }),
        /^EPROTO CERTIFICATE_VERIFY_FAILED$/,
      ],
      [
        "not yet valid",
        authority.issue({ name: "new", valid: ["2048-01-01", "2049-01-01"] }),
        /^EPROTO CERTIFICATE_VERIFY_FAILED$/,
      ],
      [
        "of another authority",
        new Authority("Another").issue({ name: "alice" }),
        /^EPROTO CERTIFICATE_VERIFY_FAILED$/,
      ],
      [
        "of another authority with the same name",
        new Authority().issue({ name: "alice" }),
        /^EPROTO CERTIFICATE_VERIFY_FAILED$/,
      ],
      ["of its own", localhost, undefined],
    ];
    const server = makeServer(
      AsyncTCPServer as unknown as AnyServerClass,
      TlsLines,
      { ssl },
    );
    await serving(server, async () => {
      for (const [name, identity, reason] of clients) {
        for (const version of ["TLSv1_2", "TLSv1_3"]) {
          const options = { version, lines: ["hello"] };
          const seen = await python.run(server, options, identity);
          if (reason === undefined) {
            assertEquals(seen.answers, ["hello"], name);
          } else {
            assertEquals(seen.answers, undefined, name);
            await until(() => server.handshakes.length > 0);
            assertMatch(server.handshakes.shift()!, reason);
          }
        }
      }
      await until(() => server.status.active === 0);
    });
    assertEquals(server.handshakes, [], "handshakes");
    assertEquals(server.errors, [], "errors");
  },
});

Deno.test({
  name:
    "a server serves each name with its certificate, and refuses protocols and versions that it has not",
  ignore,
  async fn() {
    await using python = new PythonClient();
    const other = authority.issue({ name: "other", hosts: ["other.test"] });
    const wild = authority.issue({ name: "wild", hosts: ["*.wild.test"] });
    const ssl = serverContext(localhost, (context) => {
      context.addContext("other.test", serverContext(other));
      context.addContext("*.wild.test", serverContext(wild));
      context.setAlpnProtocols(["h2", "http/1.1"]);
      context.minimumVersion = TLSVersion.TLSv1_3;
    });
    const server = makeServer(
      AsyncTCPServer as unknown as AnyServerClass,
      TlsLines,
      { ssl },
    );
    const names: [name: string, common: string][] = [
      ["localhost", "localhost"],
      ["other.test", "other"],
      ["OTHER.test", "other"],
      ["a.wild.test", "wild"],
    ];
    await serving(server, async () => {
      for (const [name, common] of names) {
        const seen = await python.run(server, { name, alpn: ["http/1.1"] });
        assertEquals(seen.server, [[["commonName", common]]]);
        assertEquals(seen.alpn, "http/1.1");
      }
      const bad: [Case, code: string][] = [
        [{ alpn: ["spdy/1"] }, "EPROTO NO_APPLICATION_PROTOCOL"],
        [{ version: "TLSv1_2" }, "EPROTO UNSUPPORTED_PROTOCOL"],
        [{ version: "TLSv1_1" }, "EPROTO UNSUPPORTED_PROTOCOL"],
        [{ version: "TLSv1" }, "EPROTO UNSUPPORTED_PROTOCOL"],
      ];
      for (const [options, code] of bad) {
        const seen = await python.run(server, options);
        assert(seen.error !== undefined, JSON.stringify(options));
        await until(() => server.handshakes.length > 0);
        assertEquals(server.handshakes.shift(), code);
      }
      const distrust = await python.run(server, { name: "not.its.name" });
      assertEquals(distrust.error, "CERTIFICATE_VERIFY_FAILED");
      await until(() => server.handshakes.length === 1);
      assertMatch(server.handshakes[0], /^EPROTO /);
    });
    assertEquals(server.errors, []);
  },
});

Deno.test(
  "SSLContext.reload() under load costs no request, and open connections go on",
  {
    ignore: !granted("read", "write"),
  },
  async () => {
    const directory = await Deno.makeTempDir();
    try {
      const write = ({ cert, key }: Identity) => {
        Deno.writeTextFileSync(`${directory}/cert`, cert);
        Deno.writeTextFileSync(`${directory}/key`, key);
      };
      write(localhost);
      const ssl = serverContext({
        cert: `${directory}/cert`,
        key: `${directory}/key`,
      });
      const Server = AsyncTCPServer as unknown as AnyServerClass;
      const server = makeServer(Server, TlsLines, { ssl });
      await serving(server, async () => {
        let reloads = 0;
        let asked = 0;
        const clients = Array.from({ length: 8 }, async () => {
          while (reloads < 8) {
            const line = String(++asked);
            assertEquals(await askTls(server, line), line);
          }
        });
        for (; reloads < 8; reloads++) {
          const before = asked;
          await until(() => asked > before + 3);
          write(authority.issue({ name: `${reloads}`, hosts: ["localhost"] }));
          ssl.reload();
        }
        await Promise.all(clients);
        assert(asked >= 24);
      });
      assertEquals(server.handshakes, [], "handshakes");
      assertEquals(server.errors, [], "errors");
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
);
