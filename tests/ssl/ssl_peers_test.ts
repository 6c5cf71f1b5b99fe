/** TLS with other programs on the other side: openssl, curl and Python's ssl. */

import { SHUT_WR, type Socket } from "../../socket.ts";
import {
  CERT_REQUIRED,
  SSLCertVerificationError,
  SSLError,
  type SSLSocket,
} from "../../ssl.ts";
import { createConnection } from "../../socket.ts";
import { granted, have, havePython } from "../helpers/allowed.ts";
import { Authority } from "../helpers/certificates.ts";
import { portOf } from "../helpers/sockets.ts";
import {
  authority,
  clientContext,
  listenKind,
  localhost,
  serverContext,
} from "../helpers/ssl.ts";
import { errorOf } from "../helpers/thrown.ts";
import { boundedCommand, until, within } from "../helpers/within.ts";
import { assert, assertEquals, assertStringIncludes } from "../deps.ts";

const mayRun = Deno.build.os === "linux" && granted("read", "write", "run");
const ignoreSsl = !mayRun || !have("openssl");
const ignoreCurl = !mayRun || !have("curl");
const ignorePython = !mayRun || !havePython();
const KINDS = ["Deno", "Node"] as const;
const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** A directory with the certificates as files. */
async function files() {
  const folder = await Deno.makeTempDir();
  const alice = authority.issue({ name: "alice" });
  const mallory = new Authority().issue({ name: "alice" });
  const texts = {
    "ca.crt": authority.cert,
    "localhost.crt": localhost.cert,
    "localhost.key": localhost.key,
    "alice.crt": alice.cert,
    "alice.key": alice.key,
    "mallory.crt": mallory.cert,
    "mallory.key": mallory.key,
  };
  for (const [name, text] of Object.entries(texts)) {
    await Deno.writeTextFile(`${folder}/${name}`, text);
  }
  return {
    folder,
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

/** Runs a program. */
async function run(
  program: string,
  args: string[],
  cwd: string,
  stdin?: string,
) {
  const child = boundedCommand(program, {
    args,
    cwd,
    stdin: stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (stdin !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(encode(stdin)).then(() => writer.close()).catch(
      () => {},
    );
  }
  const { code, stdout, stderr } = await child.output();
  return { code, out: decode(stdout), err: decode(stderr) };
}

/** Serves each connection of a listener with TLS until it is closed. Keeps the failures. */
function serveAll(
  listener: Socket,
  context = serverContext(),
  serve: (socket: SSLSocket) => Promise<void> = echo,
) {
  const failures: unknown[] = [];
  const one = async (plain: Socket) => {
    try {
      const socket = await context.wrapSocket(plain, { serverSide: true });
      await serve(socket);
      socket.close();
    } catch (error) {
      failures.push(error);
    }
  };
  (async () => {
    for (;;) one((await listener.accept())[0]);
  })().catch(() => {}); // closed
  return failures;
}

async function echo(socket: SSLSocket): Promise<void> {
  for (;;) {
    const data = await socket.recv(65536);
    if (data.length === 0) break;
    await socket.sendall(data);
  }
  await socket.shutdown(SHUT_WR);
}

/** Answers once, and closes. */
async function once(socket: SSLSocket): Promise<void> {
  await socket.sendall(await socket.recv(65536));
}

async function http(socket: SSLSocket): Promise<void> {
  await socket.recv(65536);
  const body = `${socket.version()} ${socket.cipher()?.[0]}\n`;
  await socket.sendall(
    encode(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`),
  );
}

for (const kind of KINDS) {
  Deno.test({
    name:
      `SSLContext over ${kind} serves openssl s_client in each version, and refuses older ones and weak ciphers`,
    ignore: ignoreSsl,
    async fn() {
      await using given = await files();
      using listener = listenKind(kind);
      const failures = serveAll(listener, undefined, once);
      const target = `127.0.0.1:${portOf(listener.getsockname())}`;
      const ask = (...args: string[]) =>
        run(
          "openssl",
          [
            ...["s_client", "-connect", target, "-servername", "localhost"],
            ...["-CAfile", "ca.crt", "-verify_return_error", "-quiet", ...args],
          ],
          given.folder,
          "hello\n",
        );
      for (const version of ["-tls1_2", "-tls1_3"]) {
        const { code, out, err } = await ask(version);
        assertEquals({ code, out }, { code: 0, out: "hello\n" }, err);
      }
      const weak = ["-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0"];
      const old = ["-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"];
      assert((await ask(...weak)).code !== 0);
      assert((await ask(...old)).code !== 0);
      const reasons = failures.map((error) => (error as SSLError).reason);
      assertEquals(reasons, ["NO_SHARED_CIPHER", "UNSUPPORTED_PROTOCOL"]);
    },
  });

  Deno.test({
    name:
      `SSLContext over ${kind} serves curl, and a curl that does not trust it costs one error`,
    ignore: ignoreCurl,
    async fn() {
      await using given = await files();
      using listener = listenKind(kind);
      const failures = serveAll(listener, undefined, http);
      const url = `https://localhost:${portOf(listener.getsockname())}/`;
      const resolve = ["-sS", "--noproxy", "*", "--ipv4"];
      const trusting = await run(
        "curl",
        [...resolve, "--cacert", "ca.crt", url],
        given.folder,
      );
      assertStringIncludes(trusting.out, "TLSv1.3", trusting.err);
      const doubting = await run("curl", [...resolve, url], given.folder);
      assertEquals(doubting.code, 60); // CURLE_PEER_FAILED_VERIFICATION
      await until(() => failures.length > 0);
      assertEquals(failures.length, 1);
      const { reason } = failures[0] as SSLError;
      assertEquals(reason, "TLSV1_ALERT_UNKNOWN_CA");
    },
  });

  Deno.test({
    name: `SSLContext over ${kind} and Python's ssl agree, in both directions`,
    ignore: ignorePython,
    async fn() {
      await using given = await files();
      using listener = listenKind(kind);
      serveAll(listener);
      const program = `
import socket, ssl, sys
from ssl_client import bulk
def client(port):
    context = ssl.create_default_context(cafile="ca.crt")
    with socket.create_connection(("127.0.0.1", port), 30) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as tls:
            version = tls.version()
            echoed = bulk(tls, 1 << 20) == [0, True]
            tls.settimeout(30)
            tls.unwrap()
            return version, echoed
print(*client(int(sys.argv[1])))
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("localhost.crt", "localhost.key")
context.load_verify_locations("ca.crt")
context.verify_mode = ssl.CERT_REQUIRED
with socket.create_server(("127.0.0.1", 0)) as listener:
    print(listener.getsockname()[1], flush=True)
    for turn in range(2):
        plain, _ = listener.accept()
        try:
            with context.wrap_socket(plain, server_side=True, suppress_ragged_eofs=False) as tls:
                print(tls.getpeercert()["subject"][0][0][1], flush=True)
                got = tls.recv(65536)
                tls.sendall(got)
                print(got.decode(), tls.recv(1), flush=True)
        except ssl.SSLError as error:
            print(error.reason, flush=True)
`;
      const port = String(portOf(listener.getsockname()));
      const child = boundedCommand("python3", {
        args: ["-Bc", program, port], // writes no bytecode of ssl_client.py
        cwd: given.folder,
        env: { PYTHONPATH: new URL("../testdata", import.meta.url).pathname },
        stdout: "piped",
      }).spawn();
      const lines = child.stdout.pipeThrough(new TextDecoderStream())
        .getReader();
      let said = "";
      const line = async () => {
        while (!said.includes("\n")) said += (await within(lines.read())).value;
        const [first, ...rest] = said.split("\n");
        said = rest.join("\n");
        return first;
      };
      assertEquals(await line(), "TLSv1.3 True");
      const address = ["127.0.0.1", Number(await line())] as const;
      const connect = async (name: string) => {
        const context = clientContext();
        const path = (ending: string) => `${given.folder}/${name}.${ending}`;
        context.loadCertChain(path("crt"), path("key"));
        const plain = await createConnection(address, { timeout: 20 });
        return await context.wrapSocket(plain, { serverHostname: "localhost" });
      };
      using alice = await connect("alice");
      assertEquals(await line(), "alice");
      await alice.sendall(encode("question"));
      assertEquals(decode(await alice.recv(100)), "question");
      await alice.shutdown(SHUT_WR); // Python raises for an end without a close_notify
      assertEquals(await line(), "question b''");
      using mallory = await connect("mallory");
      const error = await errorOf(SSLError, mallory.recv(1));
      assertEquals(error.reason, "TLSV1_ALERT_UNKNOWN_CA");
      assertEquals(await line(), "CERTIFICATE_VERIFY_FAILED");
      assertEquals((await child.status).code, 0);
      await lines.cancel();
    },
  });
}

Deno.test({
  name:
    "SSLContext lets no session of another context stand for a client's certificate",
  ignore: ignorePython,
  async fn() {
    await using given = await files();
    const asking = serverContext(localhost, (context) => {
      context.verifyMode = CERT_REQUIRED;
      context.loadVerifyLocations(authority.cert);
    });
    const elsewhere = serverContext(localhost, (context) => {
      context.verifyMode = CERT_REQUIRED;
      context.loadVerifyLocations(new Authority("Another CA").cert);
    });
    using open = listenKind("Node");
    using closed = listenKind("Node");
    using other = listenKind("Node");
    serveAll(open);
    const failures = serveAll(closed, asking);
    const strangers = serveAll(other, elsewhere);
    const program = `
import socket, ssl, sys
def ask(context, port, session=None):
    with socket.create_connection(("127.0.0.1", port), 30) as plain:
        with context.wrap_socket(plain, server_hostname="localhost", session=session) as tls:
            try:
                tls.sendall(b"x")
                got = tls.recv(1)
            except OSError:
                got = b"refused"
            return got.decode() or "refused", tls.session_reused, tls.session
first, second, third = map(int, sys.argv[1:])
for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
    plain = ssl.create_default_context(cafile="ca.crt")
    plain.maximum_version = version
    got, reused, session = ask(plain, first)
    print(got, reused)
    print(ask(plain, second, session)[0])
    own = ssl.create_default_context(cafile="ca.crt")
    own.maximum_version = version
    own.load_cert_chain("alice.crt", "alice.key")
    got, reused, session = ask(own, second)
    print(got, reused)
    print(*ask(own, second, session)[:2])
    print(ask(own, third, session)[0])
`;
    const ports = [open, closed, other].map((each) =>
      String(portOf(each.getsockname()))
    );
    const { out, err } = await run(
      "python3",
      ["-c", program, ...ports],
      given.folder,
    );
    const each = "x False\nrefused\nx False\nx True\nrefused\n";
    assertEquals(out, each + each, err);
    assertEquals(
      failures.map((error) => (error as SSLError).reason),
      Array(2).fill("PEER_DID_NOT_RETURN_A_CERTIFICATE"),
    );
    assertEquals(
      strangers.map((error) => (error as SSLError).reason),
      Array(2).fill("CERTIFICATE_VERIFY_FAILED"),
    );
  },
});

Deno.test({
  name:
    "SSLContext of a client refuses forged certificates of openssl s_server that cannot be decoded",
  ignore: ignoreSsl,
  async fn() {
    await using given = await files();
    const owner = authority.issue({ name: "owner", hosts: ["owner"] });
    const forgers = [
      new Authority(), // has the name of the authority of the tests
      new Authority("owner", 3, owner.key), // has a certificate of it, and is no authority
    ];
    const EXTENDED_KEY_USAGE = 0x25;
    for (const forger of forgers) {
      const forged = forger.issue({
        name: "localhost",
        hosts: ["localhost"],
        malformed: EXTENDED_KEY_USAGE,
      });
      const chain = forged.cert + owner.cert;
      await Deno.writeTextFile(`${given.folder}/forged.crt`, chain);
      await Deno.writeTextFile(`${given.folder}/forged.key`, forged.key);
      assertEquals(await verifyCodeOf(given.folder), 21);
    }
  },
});

/** The code with which a client refuses openssl s_server with `forged.crt`. */
async function verifyCodeOf(cwd: string): Promise<number> {
  const child = boundedCommand("openssl", {
    args: [
      ...["s_server", "-accept", "127.0.0.1:0", "-naccept", "1"],
      ...["-cert", "forged.crt", "-cert_chain", "forged.crt"],
      ...["-key", "forged.key"],
    ],
    cwd,
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const LISTENS = /ACCEPT [\d.]+:(\d+)\n/;
  let said = "";
  while (!LISTENS.test(said)) said += (await within(reader.read())).value;
  const port = Number(LISTENS.exec(said)![1]);
  const plain = await createConnection(["127.0.0.1", port]);
  const options = { serverHostname: "localhost" };
  const wrapped = clientContext().wrapSocket(plain, options);
  const { verifyCode } = await errorOf(SSLCertVerificationError, wrapped);
  await reader.cancel();
  await child.stdin.close();
  child.kill();
  await child.status;
  return verifyCode;
}
