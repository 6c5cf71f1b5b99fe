/** Servers behind a real HAProxy: both versions, TCP over IPv4 and IPv6, Unix sockets, TLS, and its health checks. */

import {
  type Address,
  AF_INET6,
  AsyncTCPServer,
  AsyncUnixStreamServer,
  createConnection,
  ForkingTCPServer,
  proxyHeaderOf,
  SHUT_WR,
  SOCK_STREAM,
  type Socket,
  ThreadingTCPServer,
} from "../../mod.ts";
import { assert, assertEquals, assertMatch, delay } from "../deps.ts";
import {
  have,
  haveIPv6,
  haveUnix,
  mayFork,
  mayRead,
} from "../helpers/allowed.ts";
import { bytes } from "../helpers/bytes.ts";
import type { AnyServerClass } from "../helpers/servers.ts";
import { newPath } from "../helpers/sockets.ts";
import { clientContext, localhost, serverContext } from "../helpers/ssl.ts";
import { boundedCommand, until, within } from "../helpers/within.ts";
import {
  hear,
  makeProxied,
  type NotingProxied,
  type Told,
} from "./proxy_helpers.ts";
import { connectTls } from "../ssl/ssl_server_helpers.ts";
import { Facts } from "../testdata/proxy_handlers.ts";

/** Returns a port that was free just now. */
function freePort(hostname: string): number {
  using listener = Deno.listen({ hostname, port: 0 });
  return listener.addr.port;
}

const anyClass = (Server: unknown) => Server as AnyServerClass;

/** A server that notes the commands of the headers that come. */
class Checked extends AsyncTCPServer {
  readonly commands: string[] = [];
  override verifyRequest(request: Socket): boolean {
    const { version, command, type, checksum } = proxyHeaderOf(request)!;
    this.commands.push(`${version} ${command} ${type} ${checksum}`);
    return true;
  }
}

/** The servers, by the names of HAProxy's backends. */
function makeServers() {
  const facts = (Server: unknown, options = {}, address?: Address) =>
    makeProxied(anyClass(Server), Facts, options, address);
  const six = { addressFamily: AF_INET6, proxyTrusted: ["::1"] };
  return {
    async: facts(AsyncTCPServer),
    six: facts(AsyncTCPServer, six, ["::1", 0]),
    unix: facts(AsyncUnixStreamServer, {}, newPath()),
    forking: facts(ForkingTCPServer),
    threading: facts(ThreadingTCPServer),
    secure: facts(AsyncTCPServer, { ssl: serverContext() }),
    untrusting: facts(AsyncTCPServer, { proxyTrusted: ["10.0.0.0/8"] }),
    checked: facts(Checked) as NotingProxied & Checked,
  };
}

type Servers = ReturnType<typeof makeServers>;

const SECURE =
  "ssl,cert-cn,ssl-cipher,cert-sig,cert-key,authority,crc32c,unique-id";

/** The address of each frontend, the server that it leads to, and the options of that server. */
const ROUTES: [
  name: string,
  bind: string,
  to: keyof Servers,
  options: string,
][] = [
  ["v1", "four", "async", "send-proxy"],
  ["v2", "four", "async", "send-proxy-v2 proxy-v2-options crc32c,unique-id"],
  ["v1six", "six", "six", "send-proxy"],
  ["v2six", "six", "six", "send-proxy-v2 proxy-v2-options crc32c"],
  ["sixToFour", "six", "async", "send-proxy-v2"],
  ["v1unix", "four", "unix", "send-proxy"],
  ["v2unix", "six", "unix", "send-proxy-v2 proxy-v2-options crc32c,unique-id"],
  ["fromUnix1", "path", "async", "send-proxy"],
  ["fromUnix2", "path", "async", "send-proxy-v2 proxy-v2-options crc32c"],
  ["tls", "tls", "async", `send-proxy-v2 proxy-v2-options ${SECURE}`],
  ["forking", "four", "forking", "send-proxy-v2 proxy-v2-options crc32c"],
  ["threading", "four", "threading", "send-proxy"],
  ["through", "four", "secure", "send-proxy-v2"],
  ["untrusted", "four", "untrusting", "send-proxy"],
];

/** The checks of HAProxy: without a header, and with each kind of header. */
const CHECKS = [
  ["plain", ""],
  ["plainToProxied", "send-proxy"], // a check sends no header unless asked to
  ["check1", "send-proxy check-send-proxy"],
  ["check2", "send-proxy-v2 check-send-proxy"],
  ["check2sum", "send-proxy-v2 proxy-v2-options crc32c check-send-proxy"],
];

const target = ({ serverAddress }: NotingProxied) => {
  const address: Address = serverAddress;
  if (typeof address === "string") return `unix@${address}`;
  const [host, port] = address;
  return `${host.includes(":") ? `ipv6@${host}` : host}:${port}`;
};

interface Fronts {
  config: string;
  addresses: Map<string, Address>;
}

/** Writes the configuration of HAProxy. */
function configure(servers: Servers, pem: string): Fronts {
  const addresses = new Map<string, Address>();
  const lines = [
    "global",
    "  nbthread 1",
    "defaults",
    "  mode tcp",
    "  timeout connect 20s",
    "  timeout client 20s",
    "  timeout server 20s",
    "  unique-id-format id-%ci",
  ];
  for (const [name, bind, to, options] of ROUTES) {
    const host = bind === "six" ? "::1" : "127.0.0.1";
    const address: Address = bind === "path"
      ? newPath()
      : [host, freePort(host)];
    addresses.set(name, address);
    const text = typeof address === "string"
      ? `unix@${address}`
      : address.join(":");
    lines.push(
      `listen ${name}`,
      `  bind ${text}${bind === "tls" ? ` ssl crt ${pem} alpn h2` : ""}`,
      `  server s ${target(servers[to])} ${options}`,
    );
  }
  for (const [name, options] of CHECKS) {
    lines.push(
      `backend ${name}`,
      `  server s ${target(servers.checked)} check inter 50ms ${options}`,
    );
  }
  return { config: lines.join("\n") + "\n", addresses };
}

/** Connects as soon as HAProxy listens. */
async function connectTo(address: Address): Promise<Socket> {
  for (let tries = 0;; tries++) {
    try {
      return await createConnection(address, { timeout: 20 });
    } catch (error) {
      if (tries === 200) throw error;
      await delay(50);
    }
  }
}

/** Sends a line through HAProxy, and returns what the handler tells, and the client's own address. */
async function tellThrough(
  address: Address,
): Promise<{ told: Told; own: Address }> {
  using socket = await connectTo(address);
  await socket.sendall(bytes("one\ntwo\n"));
  await socket.shutdown(SHUT_WR);
  const own = socket.getsockname();
  const { told, rest } = await within(hear(socket));
  assertEquals(rest, "one\ntwo\n");
  return { told, own };
}

Deno.test(
  "servers behind HAProxy know its clients, over each transport, in each version",
  {
    ignore: !haveUnix || !haveIPv6 || !mayRead || !mayFork || !have("haproxy"),
  },
  async (test) => {
    const servers = makeServers();
    const all: NotingProxied[] = Object.values(servers);
    const served = all.map((server) => server.serveForever());
    const directory = await Deno.makeTempDir();
    const pem = `${directory}/pem`;
    await Deno.writeTextFile(pem, localhost.cert + localhost.key);
    const { config, addresses } = configure(servers, pem);
    await Deno.writeTextFile(`${directory}/cfg`, config);
    await using haproxy = boundedCommand("haproxy", {
      args: ["-q", "-db", "-f", `${directory}/cfg`],
      stdout: "null",
      stderr: "null",
    }).spawn();
    const through = (name: string) => tellThrough(addresses.get(name)!);
    try {
      for (const [name, bind, to, options] of ROUTES) {
        if (!/four|six/.test(bind) || /secure|untrusting/.test(to)) continue;
        await test.step(`${name}: ${bind} to ${to}, ${options}`, async () => {
          const { told, own } = await through(name);
          assertEquals(told.client, own);
          assertEquals(told.header?.destination, addresses.get(name)!);
          assertEquals(told.header?.version, options.includes("v2") ? 2 : 1);
          assertEquals(told.header?.checksum, options.includes("crc32c"));
          const id = options.includes("unique-id") ? `id-${own[0]}` : undefined;
          assertEquals(told.header?.uniqueId, id);
          assertEquals(
            told.peer,
            to === "unix" ? "" : to === "six" ? "::1" : "127.0.0.1",
          );
        });
      }
      await test.step("a client on a Unix socket has the address of HAProxy", async () => {
        for (const name of ["fromUnix1", "fromUnix2"]) {
          const { told } = await through(name);
          assertEquals(told.client[0], "127.0.0.1", "host");
          assertEquals(told.header?.source, null, "source");
        }
      });
      await test.step("the fields about TLS, the host and ALPN", async () => {
        const context = clientContext();
        context.setAlpnProtocols(["h2"]);
        const serverAddress = addresses.get("tls")!;
        const at = { serverAddress, addressFamily: 2, socketType: SOCK_STREAM };
        using socket = await within(connectTls(at, context));
        using file = socket.makefile("r"); // HAProxy takes an early end of TLS for the end of the client
        const { header }: Told = JSON.parse(await within(file.readline()));
        const { ssl, authority, alpn, checksum } = header!;
        assertEquals(authority, "localhost", "authority");
        assertEquals(alpn, "h2", "alpn");
        assertEquals(checksum, true, "checksum");
        const { version, cipher, secure, certificate, verify } = ssl!;
        assertEquals(version, socket.version()!, "version");
        assertEquals(secure, true, "secure");
        assertEquals(certificate, false, "certificate");
        assertEquals(verify !== 0, false, "unverified");
        assertMatch(cipher!, /^TLS_/);
        assert(
          ssl!.keyAlgorithm !== undefined &&
            ssl!.signatureAlgorithm !== undefined,
        );
      });
      await test.step("TLS through HAProxy, which sends its header first", async () => {
        const serverAddress = addresses.get("through")!;
        const at = { serverAddress, addressFamily: 2, socketType: SOCK_STREAM };
        using socket = await within(connectTls(at));
        await socket.sendall(bytes("one\n"));
        await socket.shutdown(SHUT_WR);
        const { told, rest } = await within(hear(socket));
        assertEquals(told.client, socket.getsockname(), "client");
        assertEquals(rest, "one\n", "rest");
      });
      await test.step("HAProxy itself is not trusted", async () => {
        using socket = await connectTo(addresses.get("untrusted")!);
        const end = await within(socket.recv(9)).catch((error) => error);
        assert(end.length === 0 || end.code === "ECONNRESET");
        assertEquals(servers.untrusting.failures, ["EACCES"]);
      });
      await test.step("health checks are LOCAL, or say nothing", async () => {
        const { checked } = servers;
        const wanted = ["2 LOCAL 0 false", "2 LOCAL 0 true"];
        await until(() =>
          wanted.every((each) => checked.commands.includes(each)) &&
          checked.commands.some((each) => each.startsWith("1 PROXY")) &&
          checked.status.transientErrors + checked.failures.length > 2
        );
        for (const code of checked.failures) assertEquals(code, "ECONNRESET"); // the checks without a header
      });
    } finally {
      haproxy.kill("SIGKILL");
      await haproxy.status;
      for (const server of all) await within(server.serverClose());
      await Deno.remove(directory, { recursive: true });
    }
    await within(Promise.all(served));
    for (const server of all) {
      if (server !== servers.checked) assertEquals(server.errors, []);
    }
  },
);
