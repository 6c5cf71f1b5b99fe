/** The path of a Unix socket: its mode, the replacement of a stale one, and whose it is when it is removed. */

import * as module from "../../mod.ts";
import {
  AF_UNIX,
  createConnection,
  createServer,
  OSError,
  type RequestHandlerConstructor,
  type ServerOptions,
  SOCK_DGRAM,
  SOCK_STREAM,
  Socket,
} from "../../mod.ts";
import { assert, assertEquals, assertThrows } from "../deps.ts";
import {
  havePython,
  haveUnix,
  mayFork,
  mayRead,
  unstableNet,
} from "../helpers/allowed.ts";
import { ask } from "../helpers/clients.ts";
import { serving } from "../helpers/servers.ts";
import { newPath } from "../helpers/sockets.ts";
import { codeOf } from "../helpers/thrown.ts";
import { boundedCommand, within } from "../helpers/within.ts";
import * as H from "../testdata/handlers.ts";

const python = haveUnix && havePython();
const encode = (text: string) => new TextEncoder().encode(text);

/** A server, as the tests use any of them. */
// deno-lint-ignore no-explicit-any
type AnyServer = module.SocketServer<any>;

/** The servers on paths, in every way to run. */
const SERVERS: [
  name: string,
  make: (path: string, options: ServerOptions) => AnyServer,
  ignore: boolean,
][] = ["UnixStreamServer", "UnixDatagramServer"].flatMap((name) =>
  ["", "Async", "Threading", "Forking"].map(
    (way): (typeof SERVERS)[number] => {
      const Server = module[(way + name) as "UnixStreamServer"];
      const datagram = name === "UnixDatagramServer";
      const Handler: RequestHandlerConstructor = datagram ? H.Datagram : H.Echo;
      return [
        way + name,
        (path, options) =>
          new Server(path, Handler, { maxWorkers: 1, ...options } as object),
        !haveUnix || datagram && !unstableNet ||
        way === "Threading" && !mayRead || way === "Forking" && !mayFork,
      ];
    },
  )
);

/** Who else can have a path: lines of Python that end with a socket `s` there. */
const OWNERS = {
  "a stream socket": "s=socket.socket(socket.AF_UNIX);s.bind(p);s.listen(8)",
  "a stream socket with a full queue":
    "s=socket.socket(socket.AF_UNIX);s.bind(p);s.listen(0)\nc=[socket.socket(socket.AF_UNIX) for _ in range(9)]\nfor x in c: x.setblocking(False);x.connect_ex(p)",
  "a datagram socket":
    "s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM);s.bind(p)",
  "a socketserver":
    "import socketserver;s=socketserver.UnixStreamServer(p,socketserver.BaseRequestHandler)",
};
/** Those that this process tells from a stale path: the one that does not listen by a datagram only. */
const OWNERS_HERE = unstableNet
  ? {
    ...OWNERS,
    "one that does not listen": "s=socket.socket(socket.AF_UNIX);s.bind(p)",
  }
  : OWNERS;

/** Has Python take a path for each of the codes. Disposing kills it, and the paths stay. */
async function owner(codes: readonly string[]) {
  const paths = codes.map(newPath);
  const takes = codes.map((code, i) =>
    `p=sys.argv[${i + 1}]\n${code}\nkeep.append(s)`
  );
  const program = [
    "import socket,sys\nkeep=[]",
    ...takes,
    'sys.stdout.write("+");sys.stdout.flush();sys.stdin.read()',
  ].join("\n");
  const child = boundedCommand("python3", {
    args: ["-c", program, ...paths],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  assertEquals((await within(reader.read())).value, encode("+"));
  return {
    paths,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await reader.cancel();
      await child.stdin.close();
      await child.status;
    },
  };
}

/** Leaves a path as a program that was killed does: it leads to a socket that nobody has. */
function stale(type = SOCK_STREAM): string {
  const path = newPath();
  if (type === SOCK_STREAM) {
    const listener = Deno.listen({ transport: "unix", path: newPath() });
    Deno.linkSync(listener.addr.path, path);
    listener.close(); // and removes its own name
  } else Deno.listenDatagram({ transport: "unixpacket", path }).close();
  return path;
}

function modeOf(path: string): number {
  return Deno.lstatSync(path).mode! & 0o777;
}

/** Calls with nothing taken away by the umask. */
function withoutUmask<T>(call: () => T): T {
  const before = Deno.umask(0);
  try {
    return call();
  } finally {
    assertEquals(Deno.umask(before), 0); // and it was put back
  }
}

/**
 * The servers that bind in their own way: the others bind as the first or the last does, and a look at a path costs a
 * worker.
 */
const BINDS_ITSELF = new Set([
  "UnixStreamServer",
  "ForkingUnixStreamServer",
  "UnixDatagramServer",
]);

for (const [name, make, ignore] of SERVERS) {
  Deno.test({
    name: `${name}.pathMode is the mode of the path`,
    ignore,
    async fn() {
      for (const pathMode of [0o600, 0o666, 0]) {
        const path = newPath();
        await using server = withoutUmask(() => make(path, { pathMode }));
        assertEquals(server.pathMode, pathMode);
        assertEquals(modeOf(path), pathMode);
      }
      const path = newPath();
      await using server = withoutUmask(() => make(path, {}));
      assertEquals(server.pathMode, null);
      assertEquals(modeOf(path), 0o777);
    },
  });

  if (!BINDS_ITSELF.has(name)) continue;
  Deno.test({
    name:
      `${name}.replaceStalePath replaces the path of a program that was killed, and leaves one that is open`,
    ignore,
    async fn() {
      const datagram = name.endsWith("DatagramServer") || !unstableNet;
      const path = stale(datagram ? SOCK_STREAM : SOCK_DGRAM); // of the other kind
      const refused = assertThrows(() => make(path, {}), OSError);
      assertEquals(refused.code, "EADDRINUSE");
      const options = { replaceStalePath: true };
      await using server = make(path, options);
      const { ino } = Deno.lstatSync(path);
      const open = assertThrows(() => make(path, options), OSError, path);
      assertEquals(open.code, "EADDRINUSE");
      assertEquals(Deno.lstatSync(path).ino, ino);
      await serving(server, async () => {
        assertEquals(await ask(server, "HELLO"), "HELLO");
      });
    },
  });
}

Deno.test({
  name:
    "UnixStreamServer.replaceStalePath leaves what is open, and what is no socket",
  ignore: !python,
  async fn() {
    const make = (path: string) =>
      new module.UnixStreamServer(path, H.Echo, { replaceStalePath: true });
    await using owned = await owner(Object.values(OWNERS_HERE));
    for (const [i, who] of Object.keys(OWNERS_HERE).entries()) {
      const path = owned.paths[i];
      const { ino } = Deno.lstatSync(path);
      const refused = assertThrows(() => make(path), OSError, path);
      assertEquals(refused.code, "EADDRINUSE", who);
      assertEquals(Deno.lstatSync(path).ino, ino, who);
    }
    const gone = stale();
    const [file, directory, link] = [newPath(), newPath(), newPath()];
    Deno.writeTextFileSync(file, "a file of the user's");
    Deno.mkdirSync(directory);
    Deno.symlinkSync(gone, link);
    for (const path of [file, directory, link]) {
      const refused = assertThrows(() => make(path), OSError);
      assertEquals(refused.code, "EADDRINUSE");
    }
    assertEquals(Deno.readTextFileSync(file), "a file of the user's");
    assert(Deno.lstatSync(directory).isDirectory);
    assert(Deno.lstatSync(link).isSymlink);
    assert(Deno.lstatSync(gone).isSocket);
  },
});

Deno.test({
  name: "createServer() and Socket.bind() take the options of a path",
  ignore: !haveUnix,
  async fn() {
    const options = { pathMode: 0o640, replaceStalePath: true };
    const [path, next] = [stale(), stale()];
    using socket = createServer(path, { family: AF_UNIX, ...options });
    assertEquals(modeOf(path), 0o640);
    using client = await createConnection(path);
    (await within(socket.accept()))[0].close();
    client.close();
    socket.close();
    using other = new Socket(AF_UNIX);
    other.bind(next, options);
    assertEquals(modeOf(other.getsockname() as string), 0o640);
    using fresh = new Socket(AF_UNIX);
    fresh.bind(newPath(), options);
    assertEquals(modeOf(fresh.getsockname() as string), 0o640);
  },
});

Deno.test({
  name:
    "Socket.bind() sets the mode before the path leads to the socket, and the umask for no longer",
  ignore: !haveUnix,
  fn() {
    const { linkSync, chmodSync } = Deno;
    const modes: number[] = [];
    const before = Deno.umask(0);
    try {
      Deno.chmodSync = (path, mode) => {
        modes.push(modeOf(String(path)));
        chmodSync(path, mode);
      };
      Deno.linkSync = (path, link) => {
        modes.push(modeOf(path));
        linkSync(path, link);
      };
      using socket = new Socket(AF_UNIX);
      socket.bind(newPath(), { pathMode: 0o600 });
      using failing = new Socket(AF_UNIX);
      const nowhere = `${newPath()}/nowhere`;
      assertThrows(() => failing.bind(nowhere, { pathMode: 0o600 }), OSError);
    } finally {
      Object.assign(Deno, { linkSync, chmodSync });
      assertEquals(Deno.umask(before), 0);
    }
    assertEquals(modes, [0o600, 0o600]);
  },
});

Deno.test({
  name: "Socket.bind() closes the socket if its mode cannot be set",
  ignore: !haveUnix,
  fn() {
    const { chmodSync } = Deno;
    const path = newPath();
    using socket = new Socket(AF_UNIX);
    try {
      Deno.chmodSync = () => {
        throw new Deno.errors.PermissionDenied("not yours");
      };
      const refused = assertThrows(
        () => socket.bind(path, { pathMode: 0o600 }),
        OSError,
      );
      assertEquals(refused.code, "EACCES");
    } finally {
      Deno.chmodSync = chmodSync;
    }
    socket.bind(path);
    assertEquals(socket.getsockname(), path);
  },
});

Deno.test({
  name:
    "Socket.bind() puts back a path that another server took while it looked",
  ignore: !haveUnix,
  async fn() {
    const path = stale();
    const { renameSync } = Deno;
    let taken: Socket | undefined;
    try {
      Deno.renameSync = (from, to) => {
        Deno.removeSync(path);
        taken = createServer(path, { family: AF_UNIX });
        renameSync(from, to);
      };
      using socket = new Socket(AF_UNIX);
      const code = await codeOf(() =>
        socket.bind(path, { replaceStalePath: true })
      );
      assertEquals(code, "EADDRINUSE");
    } finally {
      Deno.renameSync = renameSync;
    }
    using server = taken!;
    using client = await createConnection(path);
    (await within(server.accept()))[0].close();
    client.close();
    const directory = path.slice(0, path.lastIndexOf("/"));
    const hidden = Array.from(Deno.readDirSync(directory), ({ name }) => name)
      .filter((name) => name.startsWith("."));
    assertEquals(hidden, []);
  },
});

Deno.test({
  name:
    "Socket.bind() refuses if the stale path is gone, or cannot be moved, as without the option",
  ignore: !haveUnix,
  async fn() {
    const path = stale();
    const { renameSync } = Deno;
    try {
      Deno.renameSync = () => {
        throw new Deno.errors.PermissionDenied("not yours");
      };
      using socket = new Socket(AF_UNIX);
      assertEquals(
        await codeOf(() => socket.bind(path, { replaceStalePath: true })),
        "EADDRINUSE",
      );
    } finally {
      Deno.renameSync = renameSync;
    }
  },
});

Deno.test({
  name:
    "Socket.bind() refuses an option of a path for another address, and what is no mode",
  fn() {
    using socket = new Socket();
    using unix = new Socket(AF_UNIX);
    const bindings: [Socket, module.AddressLike][] = [
      [socket, ["127.0.0.1", 0]],
      [unix, "\0name"],
      [unix, ""],
    ];
    for (const [bound, address] of bindings) {
      for (const options of [{ pathMode: 0o600 }, { replaceStalePath: true }]) {
        assertThrows(
          () => bound.bind(address, options),
          TypeError,
          `${Object.keys(options)[0]} is for the path of a Unix socket`,
        );
      }
    }
    for (const pathMode of [-1, 0o1000, 0.5, NaN]) {
      assertThrows(() => unix.bind("/tmp/x", { pathMode }), RangeError);
    }
    const pathMode = "0600" as unknown as number;
    assertThrows(
      () => unix.bind("/tmp/x", { pathMode }),
      TypeError,
      "got string",
    );
    assertThrows(
      () => new module.TCPServer(["127.0.0.1", 0], H.Echo, { pathMode: 0 }),
      TypeError,
      "pathMode is for the path",
    );
  },
});

/** A program that takes a stale path, says whether it got it, and keeps it until its input ends. */
const TAKER = `
import { UnixStreamServer, StreamRequestHandler } from ${
  JSON.stringify(new URL("../../mod.ts", import.meta.url).href)
};
class Hello extends StreamRequestHandler {
  async handle() { await this.wfile.write("hello"); }
}
try {
  const server = new UnixStreamServer(Deno.args[0], Hello, {
    replaceStalePath: true,
    reportLostClients: false, // such as those that look whether the path is stale
  });
  server.serveForever();
  console.log("got");
  for await (const _ of Deno.stdin.readable);
  Deno.exit();
} catch (error) {
  console.log(error.code);
}
`;

Deno.test({
  name:
    "UnixStreamServer.replaceStalePath: of servers that start at once, one gets the path",
  ignore: !haveUnix || !mayFork,
  async fn() {
    const path = stale();
    const program = newPath() + ".ts";
    Deno.writeTextFileSync(program, TAKER);
    const started = Array.from(
      { length: 2 },
      () =>
        boundedCommand(Deno.execPath(), {
          args: ["run", "-A", "--no-check", program, path],
          stdin: "piped",
          stdout: "piped",
        }).spawn(),
    );
    const readers = started.map(({ stdout }) => stdout.getReader());
    const said = await Promise.all(
      readers.map(async (reader) =>
        new TextDecoder().decode((await within(reader.read())).value)
      ),
    );
    assertEquals(said.sort(), ["EADDRINUSE\n", "got\n"]);
    using client = await createConnection(path);
    assertEquals(await within(client.recv(9)), encode("hello"));
    client.close();
    for (const { stdin } of started) await stdin.close().catch(() => {});
    for (const reader of readers) await reader.cancel();
    for (const { status } of started) await status;
    assertThrows(() => Deno.lstatSync(path)); // removed by the one that had it, as it ended
  },
});
