import {
  AF_UNIX,
  createConnection,
  createServer,
  MSG_PEEK,
  select,
  SHUT_WR,
  SOCK_DGRAM,
  SOCK_STREAM,
  Socket,
  socketpair,
  TimeoutError,
} from "../../socket.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertNotStrictEquals,
  assertRejects,
} from "../deps.ts";
import { haveUnix, unstableNet } from "../helpers/allowed.ts";
import { bytes, digest, randomBytes, seeded, text } from "../helpers/bytes.ts";
import { recvToEnd } from "../helpers/sockets.ts";
import { codeOf, ERRNO } from "../helpers/thrown.ts";
import { turn } from "../helpers/turns.ts";
import { within } from "../helpers/within.ts";

const linux = Deno.build.os === "linux";

/** Runs a test with a directory of its own. */
function inDirectory(
  name: string,
  fn: (directory: string) => Promise<void>,
  ignore = false,
): void {
  Deno.test({
    name,
    ignore: ignore || !haveUnix,
    async fn() {
      const directory = await Deno.makeTempDir();
      try {
        await fn(directory);
      } finally {
        await Deno.remove(directory, { recursive: true });
      }
    },
  });
}

function exists(path: string): boolean {
  try {
    return Deno.lstatSync(path) !== undefined;
  } catch {
    return false;
  }
}

inDirectory(
  "Socket over a Unix path moves data both ways",
  async (directory) => {
    using listener = createServer(`${directory}/s`, { family: AF_UNIX });
    using client = new Socket(AF_UNIX);
    await client.connect(`${directory}/s`);
    const [server, peer] = await within(listener.accept());
    using _ = server;
    assertEquals(peer, "", "peer");
    assertEquals(client.getsockname(), "", "sockname");
    assertEquals(client.getpeername(), `${directory}/s`, "peername");
    const data = randomBytes(500_000, seeded(1));
    client.sendall(data);
    client.shutdown(SHUT_WR);
    assertEquals(digest(await recvToEnd(server)), digest(data));
    await server.sendall(bytes("and back"));
    assertEquals(await within(client.recvfrom(99)), [bytes("and back"), null]);
  },
);

inDirectory(
  "Socket over a Unix path refuses what is there, or is not",
  async (directory) => {
    const path = `${directory}/s`;
    using listener = createServer(path, { family: AF_UNIX, backlog: 3 });
    assertEquals(listener.getsockname(), path);
    using second = new Socket(AF_UNIX);
    assertEquals(await codeOf(() => second.bind(path)), "EADDRINUSE");
    assertEquals(
      await codeOf(() => second.bind(`${directory}/no/s`)),
      "ENOENT",
    );
    assertEquals(
      await codeOf(() => second.connect(`${directory}/no`)),
      "ENOENT",
    );
    assertEquals(
      await codeOf(() => second.connect("x".repeat(108))),
      "ENAMETOOLONG",
    );
    await Deno.writeTextFile(`${directory}/file`, "");
    assertEquals(
      await codeOf(() => second.connect(`${directory}/file`)),
      "ECONNREFUSED",
    );
    assertEquals(await codeOf(() => second.accept()), "EINVAL");
  },
);

inDirectory(
  "Socket.close() of a Unix listener removes its path",
  (directory) => {
    const listener = createServer(`${directory}/s`, { family: AF_UNIX });
    const names = Array.from(Deno.readDirSync(directory), ({ name }) => name);
    assertEquals(names, ["s"]); // and no other name of the same socket
    listener.close();
    assertEquals(exists(`${directory}/s`), false);
    return Promise.resolve();
  },
);

inDirectory("Socket takes abstract Unix addresses", async () => {
  const address = `\0${crypto.randomUUID()}`;
  using listener = createServer(address, { family: AF_UNIX });
  assertEquals(listener.getsockname(), address);
  using client = new Socket(AF_UNIX);
  await client.connect(address);
  const [server] = await within(listener.accept());
  assertEquals(client.getpeername(), address);
  server.close();
}, !linux);

inDirectory(
  "Socket takes abstract Unix addresses with any bytes of UTF-8, and up to 108",
  async () => {
    const name = crypto.randomUUID();
    for (const address of [`\0${name}\0é\0`, `\0${name}`.padEnd(108, "h")]) {
      using listener = createServer(address, { family: AF_UNIX });
      assertEquals(listener.getsockname(), address);
      using client = new Socket(AF_UNIX);
      await client.connect(address);
      const [server] = await within(listener.accept());
      assertEquals(client.getpeername(), address);
      server.close();
    }
    using socket = new Socket(AF_UNIX);
    const long = `\0${"h".repeat(108)}`;
    assertEquals(await codeOf(() => socket.bind(long)), "ENAMETOOLONG");
  },
  !linux,
);

inDirectory(
  "Socket.bind() to an empty Unix address takes a free abstract one",
  () => {
    using one = new Socket(AF_UNIX);
    using other = new Socket(AF_UNIX);
    for (const socket of [one, other]) {
      socket.bind("");
      assertMatch(String(socket.getsockname()), /^\0[0-9a-f]{5}$/);
    }
    assertNotStrictEquals(one.getsockname(), other.getsockname());
    return Promise.resolve();
  },
  !linux,
);

inDirectory("Socket.bind() takes a Unix path in any script", (directory) => {
  using socket = new Socket(AF_UNIX);
  const path = `${directory}/gniezdo-Гнездо-巣-😀`;
  socket.bind(path);
  assertEquals(socket.getsockname(), path);
  assert(Deno.statSync(path).isSocket);
  return Promise.resolve();
});

inDirectory("createConnection() takes a Unix path", async (directory) => {
  using listener = createServer(`${directory}/s`, { family: AF_UNIX });
  using client = await createConnection(`${directory}/s`, { timeout: 9 });
  assertEquals(client.getpeername(), `${directory}/s`, "peername");
  assertEquals(client.gettimeout(), 9, "timeout");
  const [server] = await within(listener.accept());
  server.close();
  assertEquals(
    await codeOf(() => createConnection(`${directory}/no`)),
    "ENOENT",
  );
});

inDirectory(
  "Socket.close() ends a connect to a Unix path with EBADF",
  async (directory) => {
    using listener = createServer(`${directory}/s`, { family: AF_UNIX });
    const client = new Socket(AF_UNIX);
    const waiting = client.connect(`${directory}/s`); // Deno cannot give it up
    client.close();
    assertEquals(await codeOf(() => waiting), "EBADF");
    const [server] = await within(listener.accept());
    assertEquals(await within(server.recv(1)), bytes("")); // what came too late was closed
    server.close();
  },
);

inDirectory("socketpair() of Unix streams", async () => {
  const [one, other] = await socketpair(AF_UNIX);
  await one.sendall(bytes("hello"));
  assertEquals(text(await within(other.recv(9))), "hello");
  one.close();
  assertEquals(await within(other.recv(9)), bytes(""));
  other.close();
});

inDirectory("socketpair() of Unix datagrams keeps their bounds", async () => {
  const [one, other] = await socketpair(AF_UNIX, SOCK_DGRAM);
  using _one = one;
  using _other = other;
  for (const datagram of ["first", "", "second"]) {
    await one.send(bytes(datagram));
  }
  assertEquals(text(await within(other.recv(99, MSG_PEEK))), "first");
  for (const datagram of ["first", "", "second"]) {
    assertEquals(text(await within(other.recv(99))), datagram);
  }
}, !unstableNet);

inDirectory(
  "Socket of Unix datagrams tells the sender's path, and null if it has none",
  async (directory) => {
    using receiver = new Socket(AF_UNIX, SOCK_DGRAM);
    receiver.bind(`${directory}/r`);
    using sender = new Socket(AF_UNIX, SOCK_DGRAM);
    sender.bind(`${directory}/s`);
    await sender.sendto(bytes("hello"), `${directory}/r`);
    assertEquals(await within(receiver.recvfrom(9)), [
      bytes("hello"),
      `${directory}/s`,
    ]);
    await receiver.sendto(bytes("answer"), `${directory}/s`);
    assertEquals(await within(sender.recvfrom(9)), [
      bytes("answer"),
      `${directory}/r`,
    ]);
  },
  !unstableNet,
);

inDirectory(
  "Socket of Unix datagrams gets an abstract name when it first sends",
  async (directory) => {
    using receiver = new Socket(AF_UNIX, SOCK_DGRAM);
    receiver.bind(`${directory}/r`);
    using sender = new Socket(AF_UNIX, SOCK_DGRAM);
    await sender.connect(`${directory}/r`);
    await sender.send(bytes("hello"));
    const [data, from] = await within(receiver.recvfrom(9));
    assertEquals(text(data), "hello");
    assertMatch(String(from), /^\0[\w-]+$/);
    assertEquals(from, sender.getsockname());
    await receiver.sendto(bytes("answer"), from!);
    assertEquals(text(await within(sender.recv(9))), "answer");
  },
  !unstableNet || !linux,
);

inDirectory(
  "Socket of Unix datagrams refuses targets that are not there",
  async (directory) => {
    using sender = new Socket(AF_UNIX, SOCK_DGRAM);
    sender.bind(`${directory}/s`);
    assertEquals(
      await codeOf(() => sender.sendto(bytes("x"), `${directory}/no`)),
      "ENOENT",
    );
    assertEquals(await codeOf(() => sender.send(bytes("x"))), "ENOTCONN");
    assertEquals(await codeOf(() => sender.bind(`${directory}/t`)), "EINVAL");
    using other = new Socket(AF_UNIX, SOCK_DGRAM);
    assertEquals(
      await codeOf(() => other.bind(`${directory}/s`)),
      "EADDRINUSE",
    );
  },
  !unstableNet,
);

inDirectory(
  "Socket of Unix datagrams says that it needs --unstable-net",
  async (directory) => {
    using socket = new Socket(AF_UNIX, SOCK_DGRAM);
    assertEquals(
      await codeOf(() => socket.bind(`${directory}/s`)),
      "EPROTONOSUPPORT",
    );
    assertEquals(
      await codeOf(() => socketpair(AF_UNIX, SOCK_DGRAM)),
      "EPROTONOSUPPORT",
    );
  },
  unstableNet,
);

Deno.test({
  name: "Socket over a Unix path says which permission is missing",
  ignore: Deno.build.os === "windows",
  permissions: { net: true },
  async fn() {
    using socket = new Socket(AF_UNIX, SOCK_STREAM);
    assertEquals(
      await codeOf(() => socket.bind("/tmp/no-permission")),
      "EACCES",
    );
    assertEquals(
      await codeOf(() => socket.connect("/tmp/no-permission")),
      "EACCES",
    );
  },
});

inDirectory(
  "Socket.connect() waits for a place in the queue of a Unix listener, within its limit",
  async (directory) => {
    const path = `${directory}/s`;
    using listener = createServer(path, { family: AF_UNIX });
    const clients: Socket[] = [];
    const connect = (timeout: number | null) => {
      const client = new Socket(AF_UNIX);
      client.settimeout(timeout);
      clients.push(client);
      return client.connect(path);
    };
    const waiting = Array.from({ length: 1500 }, () => connect(null));
    await within(Promise.race(waiting));
    await within(assertRejects(() => connect(0.2), TimeoutError)); // the queue is full
    await within(assertRejects(
      () => createConnection(path, { timeout: 0.05 }),
      TimeoutError,
    ));
    const late = new Socket(AF_UNIX);
    clients.push(late);
    late.settimeout(0.05);
    assertEquals(await within(late.connectEx(path)), ERRNO.EAGAIN);
    late.setblocking(false);
    assertEquals(await codeOf(() => late.connect(path)), "EINPROGRESS");
    const closed = new Socket(AF_UNIX);
    const closing = codeOf(() => closed.connect(path));
    closed.close();
    assertEquals(await closing, "EBADF");
    let accepted = 0;
    const accepting = (async () => {
      for (; accepted < waiting.length + 1; accepted++) {
        (await listener.accept())[0].close();
      }
    })();
    await within(Promise.all(waiting));
    await within(select([], [late], []));
    assertEquals(late.getpeername(), path);
    for (const client of clients) client.close();
    await within(accepting);
  },
  !linux,
);

inDirectory(
  "Socket.close() of a Unix listener leaves what another has put at its path",
  async (directory) => {
    const path = `${directory}/s`;
    for (const accepts of [false, true]) {
      const old = createServer(path, { family: AF_UNIX });
      const accepted = accepts ? codeOf(() => old.accept()) : undefined;
      await turn();
      await Deno.remove(path);
      using next = createServer(path, { family: AF_UNIX });
      old.close();
      await accepted;
      await within(old.waitClosed());
      using client = await createConnection(path);
      assertEquals(client.getpeername(), path);
      const [server] = await within(next.accept());
      assertEquals(server.getsockname(), path);
      server.close();
      next.close();
      assertEquals(exists(path), false);
    }
    const last = createServer(path, { family: AF_UNIX });
    await Deno.remove(path);
    await Deno.writeTextFile(path, "a file of the user's");
    last.close();
    await within(last.waitClosed());
    assertEquals(await Deno.readTextFile(path), "a file of the user's");
    assertEquals([...Deno.readDirSync(directory)].length, 1);
  },
);

inDirectory(
  "Socket.close() of a Unix listener removes its relative path, wherever the program is by then",
  async (directory) => {
    const before = Deno.cwd();
    await Deno.mkdir(`${directory}/other`);
    await Deno.writeTextFile(`${directory}/other/s`, "a file of the user's");
    try {
      Deno.chdir(directory);
      const listener = createServer("s", { family: AF_UNIX });
      assertEquals(listener.getsockname(), "s");
      Deno.chdir(`${directory}/other`);
      listener.close();
      await within(listener.waitClosed());
    } finally {
      Deno.chdir(before);
    }
    assertEquals(exists(`${directory}/s`), false);
    assertEquals(exists(`${directory}/other/s`), true);
  },
);

inDirectory(
  "Socket.close() frees a Unix path at once",
  async (directory) => {
    const path = `${directory}/s`;
    const old = createServer(path, { family: AF_UNIX });
    const accepted = codeOf(() => old.accept());
    await turn();
    old.close();
    using next = createServer(path, { family: AF_UNIX });
    assertEquals(await accepted, "EBADF");
    await within(old.waitClosed());
    assertEquals(exists(path), true);
    next.close();
    assertEquals(exists(path), false);
  },
);

for (const abstract of [false, true]) {
  inDirectory(
    `Socket that is bound to ${
      abstract ? "an abstract name" : "a Unix path"
    } connects from there, and its peer sees that`,
    async (directory) => {
      const name = abstract ? `\0${crypto.randomUUID()}` : `${directory}/c`;
      const denos = Deno.listen({ transport: "unix", path: `${directory}/s` });
      using client = new Socket(AF_UNIX);
      client.bind(name, abstract ? {} : { pathMode: 0o640 });
      await client.connect(`${directory}/s`);
      assertEquals(client.getsockname(), name);
      assertEquals(client.getpeername(), `${directory}/s`);
      using conn = await denos.accept();
      denos.close();
      assertEquals((conn.remoteAddr as Deno.UnixAddr).path, name);
      if (!abstract) assertEquals(Deno.lstatSync(name).mode! & 0o777, 0o640);
      client.sendall(randomBytes(300_000, seeded(3)));
      const { readable } = conn;
      client.shutdown(SHUT_WR);
      const got = await within(new Response(readable).bytes());
      assertEquals(digest(got), digest(randomBytes(300_000, seeded(3))));
      client.close();
      await within(client.waitClosed());
      if (!abstract) assertEquals(exists(name), false);
    },
    abstract && !linux,
  );
}

inDirectory(
  "Socket that connects from a Unix path waits for a place in the queue, and is bound after a failure",
  async (directory) => {
    const [path, name] = [`${directory}/s`, `${directory}/c`];
    using client = new Socket(AF_UNIX);
    client.bind(name);
    assertEquals(await codeOf(() => client.connect(path)), "ENOENT");
    assertEquals(client.getsockname(), name, "sockname");
    assertEquals(exists(name), true, "exists");
    using listener = createServer(path, { family: AF_UNIX });
    const others = Array.from({ length: 1500 }, () => createConnection(path));
    await within(Promise.race(others));
    client.settimeout(0.2);
    await within(assertRejects(() => client.connect(path), TimeoutError));
    using second = new Socket(AF_UNIX);
    second.bind(`${directory}/d`);
    const connecting = second.connect(path);
    const accepting = (async () => {
      for (let i = 0; i < others.length + 1; i++) {
        (await listener.accept())[0].close();
      }
    })();
    await within(connecting);
    assertEquals(second.getsockname(), `${directory}/d`);
    for (const other of others) (await within(other)).close();
    await within(accepting);
  },
  !linux,
);

inDirectory(
  "Socket.close() of one that connected from a Unix path leaves what is there by then",
  async (directory) => {
    using listener = createServer(`${directory}/s`, { family: AF_UNIX });
    const client = new Socket(AF_UNIX);
    client.bind(`${directory}/c`);
    await client.connect(`${directory}/s`);
    (await within(listener.accept()))[0].close();
    Deno.removeSync(`${directory}/c`);
    Deno.writeTextFileSync(`${directory}/c`, "a file of the user's");
    client.close();
    await within(client.waitClosed());
    assertEquals(
      Deno.readTextFileSync(`${directory}/c`),
      "a file of the user's",
    );
  },
);
