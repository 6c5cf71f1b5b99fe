/** Sockets with sockets of CPython in another process. */

import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  createConnection,
  createServer,
  SHUT_WR,
  SOCK_DGRAM,
  Socket,
} from "../../socket.ts";
import { assert, assertEquals } from "../deps.ts";
import { havePython, haveUnix, unstableNet } from "../helpers/allowed.ts";
import { bytes, digest, randomBytes, seeded, text } from "../helpers/bytes.ts";
import { PythonProgram } from "../helpers/python.ts";
import { listen, portOf, recvToEnd, udp } from "../helpers/sockets.ts";
import { codeOf } from "../helpers/thrown.ts";
import { within } from "../helpers/within.ts";

const ignore = !havePython();
const ignoreUnix = ignore || !haveUnix;

const data = randomBytes(1_000_000, seeded(1));

Deno.test({
  name: "Socket serves a CPython client over TCP",
  ignore,
  async fn() {
    for (const family of [AF_INET, AF_INET6]) {
      using listener = listen(family);
      await using client = new PythonProgram(
        `
with socket.create_connection(argv) as sock:
    say([sock.getsockname()[:2], sock.getpeername()[:2]])
    data = receive_all(sock)
    say(hashlib.sha256(data).hexdigest())
    sock.sendall(data[::-1])
`,
        ...listener.getsockname(),
      );
      const [server, peer] = await within(listener.accept());
      assertEquals(await client.next(), [peer, listener.getsockname()]);
      server.sendall(data);
      server.shutdown(SHUT_WR);
      assertEquals(digest(await recvToEnd(server)), digest(data.toReversed()));
      assertEquals(await client.next(), digest(data));
      server.close();
    }
  },
});

Deno.test({
  name: "Socket connects to a CPython server over TCP",
  ignore,
  async fn() {
    await using server = new PythonProgram(`
with socket.create_server(("127.0.0.1", 0)) as listener:
    say(listener.getsockname())
    sock, peer = listener.accept()
    with sock:
        say(peer)
        data = receive_all(sock)
        say(hashlib.sha256(data).hexdigest())
        sock.sendall(data[::-1])
`);
    using client = await within(
      createConnection(await server.next() as [string, number]),
    );
    assertEquals(await server.next(), client.getsockname());
    client.sendall(data);
    client.shutdown(SHUT_WR);
    assertEquals(digest(await recvToEnd(client)), digest(data.toReversed()));
    assertEquals(await server.next(), digest(data));
  },
});

Deno.test({
  name: "Socket reports a reset by a CPython client",
  ignore,
  async fn() {
    using listener = listen();
    await using _ = new PythonProgram(
      `
sock = socket.create_connection(argv)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
sock.recv(1)
sock.close()
`,
      ...listener.getsockname(),
    );
    const [server] = await within(listener.accept());
    const waiting = codeOf(() => server.recv(1));
    await server.sendall(bytes("x"));
    assertEquals(await waiting, "ECONNRESET");
    assertEquals(await codeOf(() => server.sendall(bytes("x"))), "EPIPE");
    server.close();
  },
});

Deno.test({
  name: "Socket answers a CPython client over UDP",
  ignore,
  async fn() {
    for (
      const [host, family] of [["127.0.0.1", AF_INET], [
        "::1",
        AF_INET6,
      ]] as const
    ) {
      using server = udp(host, family);
      await using client = new PythonProgram(
        `
sock = socket.socket(socket.AF_INET6 if ":" in argv[0] else socket.AF_INET, socket.SOCK_DGRAM)
sock.settimeout(20)
for data in [b"hello", b"", b"x" * 65507]:
    sock.sendto(data, tuple(argv))
    answer, sender = sock.recvfrom(65536)
    say([answer == data, sender[:2]])
`,
        ...server.getsockname(),
      );
      for (const length of [5, 0, 65507]) {
        const [data, sender] = await within(server.recvfrom(65536));
        assertEquals(data.length, length);
        await server.sendto(data, sender!);
        assertEquals(await client.next(), [true, server.getsockname()]);
      }
    }
  },
});

Deno.test({
  name: "Socket asks a CPython server over UDP",
  ignore,
  async fn() {
    await using server = new PythonProgram(`
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.settimeout(20)
sock.bind(("127.0.0.1", 0))
say(sock.getsockname())
for i in range(2):
    data, sender = sock.recvfrom(100)
    sock.sendto(data.upper(), sender)
`);
    using client = new Socket(AF_INET, SOCK_DGRAM);
    const address = await server.next() as [string, number];
    await client.sendto(bytes("first"), address);
    assertEquals(await within(client.recvfrom(99)), [bytes("FIRST"), address]);
    await client.connect(address);
    await client.send(bytes("second"));
    assertEquals(text(await within(client.recv(99))), "SECOND");
    assert(portOf(client.getsockname()) > 0);
  },
});

/** Returns a path in a new directory. */
async function withPath(use: (path: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await use(`${directory}/socket`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test({
  name: "Socket serves a CPython client over a Unix path",
  ignore: ignoreUnix,
  fn: () =>
    withPath(async (path) => {
      using listener = createServer(path, { family: AF_UNIX });
      await using client = new PythonProgram(
        `
with socket.socket(socket.AF_UNIX) as sock:
    sock.connect(argv[0])
    sock.sendall(b"question")
    sock.shutdown(socket.SHUT_WR)
    say([receive_all(sock).decode(), sock.getpeername().rpartition("/")[0]])
`,
        path,
      );
      const [server, peer] = await within(listener.accept());
      assertEquals(peer, "");
      assertEquals(text(await recvToEnd(server)), "question");
      await server.sendall(bytes("answer"));
      server.close();
      // the kernel knows the listener by the name that its path was linked from, in the same directory
      const directory = path.slice(0, path.lastIndexOf("/"));
      assertEquals(await client.next(), ["answer", directory]);
    }),
});

Deno.test({
  name: "Socket connects to a CPython server over a Unix path",
  ignore: ignoreUnix,
  fn: () =>
    withPath(async (path) => {
      await using server = new PythonProgram(
        `
with socket.socket(socket.AF_UNIX) as listener:
    listener.bind(argv[0])
    listener.listen()
    say("listening")
    sock, _ = listener.accept()
    with sock:
        sock.sendall(receive_all(sock).upper())
`,
        path,
      );
      assertEquals(await server.next(), "listening");
      using client = new Socket(AF_UNIX);
      await client.connect(path);
      await client.sendall(bytes("question"));
      await client.shutdown(SHUT_WR);
      assertEquals(text(await recvToEnd(client)), "QUESTION");
    }),
});

Deno.test({
  name: "Socket receives Unix datagrams of named and unnamed CPython sockets",
  ignore: ignoreUnix || !unstableNet,
  fn: () =>
    withPath(async (path) => {
      using server = new Socket(AF_UNIX, SOCK_DGRAM);
      server.bind(path);
      await using client = new PythonProgram(
        `
unnamed, named = [socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2)]
unnamed.sendto(b"from nobody", argv[0])
named.bind(argv[0] + ".client")
named.settimeout(20)
named.sendto(b"from somebody", argv[0])
answer, sender = named.recvfrom(100)
say([answer.decode(), sender])
`,
        path,
      );
      assertEquals(await within(server.recvfrom(99)), [
        bytes("from nobody"),
        null,
      ]);
      const [data, sender] = await within(server.recvfrom(99));
      assertEquals(text(data), "from somebody");
      assertEquals(sender, `${path}.client`);
      await server.sendto(bytes("answer"), sender!);
      assertEquals(await client.next(), ["answer", path]);
    }),
});
