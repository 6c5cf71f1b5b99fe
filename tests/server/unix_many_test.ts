/** Unix servers: many clients at once, and one server after the other at the same path. */

import {
  AF_UNIX,
  createConnection,
  ForkingUnixStreamServer,
  OSError,
  SHUT_WR,
  Socket,
  UnixStreamServer,
} from "../../mod.ts";
import { assert, assertEquals, assertThrows } from "../deps.ts";
import { havePython, haveUnix, mayFork } from "../helpers/allowed.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { ask } from "../helpers/clients.ts";
import { serving } from "../helpers/servers.ts";
import { newPath } from "../helpers/sockets.ts";
import { boundedCommand, within } from "../helpers/within.ts";
import * as H from "../testdata/handlers.ts";

type Server = UnixStreamServer;

/** The servers of streams that bind and accept in their own way; with tasks and workers they do as the first. */
const SERVERS: [
  name: string,
  make: (path: string) => Server,
  ignore: boolean,
][] = [
  [
    "UnixStreamServer",
    (path) => new UnixStreamServer(path, H.Echo),
    !haveUnix,
  ],
  [
    "ForkingUnixStreamServer",
    (path) => {
      const options = { maxChildren: 1, requestQueueSize: 100 };
      return new ForkingUnixStreamServer(path, H.Echo, options);
    },
    !haveUnix || !mayFork,
  ],
];

const CLIENTS = 250; // more than twice what the queue of the second holds

/** Connects, asks one thing and reads the answer to its end. */
async function talk(path: string, question: string): Promise<string> {
  using client = await createConnection(path);
  await client.sendall(bytes(question));
  await client.shutdown(SHUT_WR);
  let answer = "";
  for (;;) {
    const data = await client.recv(99);
    if (data.length === 0) return answer;
    answer += text(data);
  }
}

/** Asks as `talk` does, 50 threads at a time of CPython, and prints how many got their answer. */
const PYTHON = `
import socket, sys
from concurrent.futures import ThreadPoolExecutor
def talk(i):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(sys.argv[1])
        s.sendall(b"%d" % i)
        s.shutdown(socket.SHUT_WR)
        answer = b""
        while data := s.recv(99):
            answer += data
        return answer == b"%d" % i
with ThreadPoolExecutor(50) as pool:
    print(sum(pool.map(talk, range(int(sys.argv[2])))))
`;

for (const [name, make, ignore] of SERVERS) {
  Deno.test({
    name:
      `${name} answers ${CLIENTS} clients that connect at once, and 50 of CPython`,
    ignore,
    async fn() {
      await using server = make(newPath());
      const path = server.serverAddress as string;
      await serving(server, async () => {
        const questions = Array.from({ length: CLIENTS }, (_, i) => `${i}`);
        const answers = questions.map((question) => talk(path, question));
        assertEquals(await within(Promise.all(answers)), questions);
        if (!havePython()) return;
        const { stdout } = await boundedCommand("python3", {
          args: ["-c", PYTHON, path, "100"],
        }).output();
        assertEquals(text(stdout), "100\n");
      });
    },
  });

  Deno.test({
    name:
      `${name}.serverClose() leaves the path of the next server, which may begin before`,
    ignore,
    async fn() {
      const path = newPath();
      const old = make(path);
      const served = old.serveForever();
      assertEquals(await ask(old, "hello"), "hello");
      using client = new Socket(AF_UNIX);
      await client.connect(path);
      await client.sendall(bytes("a request under way"));
      assertEquals(text(await within(client.recv(99))), "a request under way");
      assertThrows(() => make(path), OSError);
      Deno.removeSync(path);
      await using next = make(path);
      await serving(next, async () => {
        const closing = old.serverClose();
        assertEquals(await ask(next, "new"), "new");
        await client.sendall(bytes("old"));
        assertEquals(text(await within(client.recv(99))), "old");
        client.close();
        await within(closing);
        await served;
        assert(Deno.lstatSync(path).isSocket);
        assertEquals(await ask(next, "still new"), "still new");
      });
      assertThrows(() => Deno.lstatSync(path), Deno.errors.NotFound);
      const third = make(path);
      const thirdServed = third.serveForever();
      const closing = third.serverClose();
      await using fourth = make(path); // in the same turn
      await within(closing);
      await thirdServed;
      await serving(fourth, async () => {
        assertEquals(await ask(fourth, "hello"), "hello");
      });
    },
  });

  Deno.test({
    name:
      `${name}.serverClose() leaves a file, and a relative path of another directory`,
    ignore,
    async fn() {
      const path = newPath();
      await using server = make(path);
      Deno.removeSync(path);
      Deno.writeTextFileSync(path, "a file of the user's");
      await server.serverClose();
      assertEquals(Deno.readTextFileSync(path), "a file of the user's");
      const [one, other] = [newPath(), newPath()];
      for (const directory of [one, other]) Deno.mkdirSync(directory);
      const before = Deno.cwd();
      try {
        Deno.chdir(one);
        await using relative = make("s");
        Deno.writeTextFileSync(`${other}/s`, "a file of the user's");
        Deno.chdir(other);
        await relative.serverClose();
      } finally {
        Deno.chdir(before);
      }
      assertEquals([...Deno.readDirSync(one)].length, 0);
      assertEquals([...Deno.readDirSync(other)].length, 1);
    },
  });
}
