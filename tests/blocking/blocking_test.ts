import process from "node:process";
import {
  AF_INET,
  AsyncTCPServer,
  OSError,
  type RequestHandlerConstructor,
  SOCK_DGRAM,
  Socket,
  ThreadingUDPServer,
} from "../../mod.ts";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertStringIncludes,
  deadline,
  delay,
} from "../deps.ts";
import * as B from "../testdata/blocking_handlers.ts";
import { bytes } from "../helpers/bytes.ts";
import { readAll, readText } from "../helpers/clients.ts";
import { Running, start, workerTest } from "../helpers/threading.ts";
import { until } from "../helpers/within.ts";

workerTest(
  "BlockingRequestHandler serves one client per worker while the others wait",
  async () => {
    await using running = start(B.BlockingEcho);
    const answers = await Promise.all(
      Array.from(
        { length: 12 },
        (_, i) => running.ask(`client ${i} `.repeat(i * 500)),
      ),
    );
    answers.forEach((answer, i) =>
      assertEquals(answer, `client ${i} `.repeat(i * 500))
    );
    assertEquals(running.reports.left, 0);
  },
);

workerTest(
  "BlockingSocket and its files return values and no promises",
  async () => {
    await using running = start(B.BlockingCalls);
    using client = await running.connect();
    const file = client.makefile("r");
    const answer = async () => (await file.readline()).trimEnd();
    const call = async (text: string) => {
      await client.sendall(bytes(text));
      return await answer();
    };
    assertEquals(await call("timeout\n"), "TimeoutError ETIMEDOUT");
    assertEquals(await call("dontwait\n"), "BlockingIOError EAGAIN");
    assertEquals(await call("options\n"), "1");
    assertEquals(await call("draining\n"), "false");
    const mine = client.getsockname();
    assertEquals(JSON.parse(await call("addr\n")), [
      mine,
      mine,
      running.server.serverAddress,
    ]);
    assertEquals(await call("rfile\nabcdef\n"), "ab|cde|f");
    assertEquals(
      await call(`long\n${"x".repeat(70_000)}\n`),
      "LimitOverrunError undefined",
    );
    assertEquals(await call("what\n"), "what?");
    // After "go" the handler reads from the socket, and not from its rfile, which reads ahead.
    assertEquals(await call("peek\n"), "go");
    assertEquals(await call("abcde"), "aabcde");
    assertEquals(await call("direction\n"), "OSError EINVAL");
    assertEquals(await call("waitall\n"), "go");
    assertEquals(await call("abcd"), "ETIMEDOUT ab abcd"); // nothing is lost
    assertEquals(await call("spin\n"), "go");
    await client.sendall(new Uint8Array(1 << 20));
    assertEquals(await answer(), String(1 << 20));
    assertEquals(await call("into\n"), "go");
    assertEquals(await call("xyz"), "xyz");
    file.close();
  },
);

workerTest(
  "BlockingSocket methods throw EBADF on a closed socket",
  async () => {
    await using running = start(B.BlockingClosed);
    using client = await running.connect();
    const { error } = await running.reports.next();
    assertEquals(error.message, "EBADF,EBADF,EBADF,EBADF");
    assertEquals(await readAll(client), "");
  },
);

workerTest("BlockingSocket.shutdown() half-closes", async () => {
  await using running = start(B.BlockingHalfClose);
  using client = await running.connect();
  assertEquals(await readAll(client), "bye");
  await client.sendall(bytes("12345"));
  client.close();
  assertEquals((await running.reports.next()).error.message, "5 bytes");
});

workerTest(
  "BlockingSocket.sendall() blocks while the client does not read",
  async () => {
    await using running = start(B.BlockingDownload, { maxWorkers: 1 });
    using client = await running.connect();
    const file = client.makefile("rb");
    const data = await file.read();
    assertEquals(data.length, 64 * 65536);
    for (let i = 0; i < 64; i++) assertEquals(data[i * 65536], i);
    file.close();
  },
);

workerTest("BlockingSocket.sendto() answers a datagram", async () => {
  await using running = new Running(
    new ThreadingUDPServer(["127.0.0.1", 0], B.BlockingDatagram, {
      maxWorkers: 2,
    }),
  );
  using client = new Socket(AF_INET, SOCK_DGRAM);
  client.settimeout(30);
  client.bind(["127.0.0.1", 0]);
  for (const text of ["one", "two", "three"]) {
    await client.sendto(bytes(text), running.server.serverAddress);
    const [data] = await client.recvfrom(100);
    assertEquals(new TextDecoder().decode(data), text.toUpperCase());
  }
  assertEquals(running.reports.left, 0);
});

workerTest("StreamRequestHandler runs with `blocking`, too", async () => {
  await using running = start(B.PlainBlocking);
  assertEquals(await running.ask("hello\n"), "HELLO\n");
});

workerTest(
  "BlockingRequestHandler refuses a server without workers",
  async () => {
    const Blocking = B.BlockingEcho as unknown as RequestHandlerConstructor;
    const server = new AsyncTCPServer(["127.0.0.1", 0], B.PlainBlocking);
    server.RequestHandlerClass = Blocking; // past the check of the constructor
    await using running = new Running(server);
    assertEquals(await running.ask(""), "");
    const { error } = await running.reports.next();
    assertInstanceOf(error, TypeError);
    assertStringIncludes(
      error.message,
      "a blocking handler needs a server with ThreadingMixIn",
    );
  },
);

workerTest(
  "a blocked request uses no processor, and serverClose() ends it and the requests that wait for its worker",
  async () => {
    const running = start(B.BlockingEcho, { maxWorkers: 1 });
    using client = await running.connect();
    await client.sendall(bytes("hello"));
    assertEquals(await readText(client, 5), "hello");
    using second = await running.connect();
    await until(() => running.server.status.active >= 2);
    const before = process.cpuUsage();
    await delay(300); // neither the blocked worker nor the thread of the server may spin meanwhile
    const { user, system } = process.cpuUsage(before);
    assert(user + system < 150_000, `${user + system} us: a thread spins`);
    const closing = running.server.serverClose({ timeout: 0.05 });
    assertEquals(await deadline(closing, 60_000), {
      idle: 0,
      finished: 0,
      forced: 2,
    });
    for (const socket of [client, second]) {
      await readAll(socket).catch((error) => assertInstanceOf(error, OSError));
    }
    assertEquals(running.reports.left, 0);
  },
);
