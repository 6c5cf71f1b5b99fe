/** How a blocking handler learns that its client is gone, that the server drains, or that its call was aborted. */

import { Buffer } from "node:buffer";
import { connect } from "node:net";
import type { RequestHandlerConstructor, ThreadingOptions } from "../../mod.ts";
import { ThreadingUnixStreamServer } from "../../mod.ts";
import { assertEquals, deadline } from "../deps.ts";
import { haveUnix, mayRead } from "../helpers/allowed.ts";
import { bytes } from "../helpers/bytes.ts";
import { readAll, readText } from "../helpers/clients.ts";
import { newPath } from "../helpers/sockets.ts";
import {
  Running,
  start as startAny,
  workerTest,
} from "../helpers/threading.ts";
import { within } from "../helpers/within.ts";
import * as E from "../testdata/blocking_ends.ts";

function start(Handler: unknown, options: ThreadingOptions = {}) {
  return startAny(Handler as RequestHandlerConstructor, {
    maxWorkers: 1,
    ...options,
  });
}

const WAYS = ["sendall", "send", "sendmsg", "dontwait"]
  .concat("timeout", "sendfile", "file", "text");

workerTest(
  "BlockingSocket.send() and its variants fail soon after the client has closed or reset the connection",
  async () => {
    await using running = start(E.Ticks);
    const [, port] = running.server.serverAddress as [string, number];
    for (const leaves of ["destroy", "resetAndDestroy"] as const) {
      for (const way of WAYS) {
        const client = connect(port, "127.0.0.1");
        client.on("error", () => {});
        client.write(`${way}\n`);
        await within(new Promise((resolve) => client.once("data", resolve)));
        client[leaves]();
        const { error } = await running.reports.next();
        const [code, when] = error.message.split(" ");
        const gone = code === "EPIPE" || code === "ECONNRESET";
        assertEquals(
          { gone, when },
          { gone: true, when: "soon" },
          `${way} ${leaves}: ${error.message}`,
        );
      }
    }
  },
);

Deno.test({
  name: "BlockingSocket.sendall() fails soon after a Unix client has left",
  ignore: !mayRead || !haveUnix,
  async fn() {
    await using running = new Running(
      new ThreadingUnixStreamServer(
        newPath(),
        E.Ticks as unknown as RequestHandlerConstructor,
        { maxWorkers: 1 },
      ),
    );
    const client = await running.connect();
    await client.sendall(bytes("sendall\n"));
    assertEquals(await readText(client, 4), "tick");
    client.close();
    const { error } = await running.reports.next();
    assertEquals(error.message, "EPIPE soon");
  },
});

/**
 * How a call ends when an abort listener ends it, and what the client receives then. Some calls that receive stand for
 * all.
 */
const ENDS: [line: string, outcome: string, gets?: string][] = [
  ["recv both", 'returned ""'],
  ["recv abort", "EBADF", "reset"],
  ["peek abort", "EBADF", "reset"],
  ["readline abort", "EBADF", "reset"],
  ["recv close", "EBADF"],
  ["recv answer", 'returned ""', "bye"],
  ["signal nothing", "AbortError"],
  ["sendsignal nothing", "AbortError", "all"],
  ["sendall abort", "EBADF", "all"],
  ["sendall both", "EPIPE", "all"],
];

workerTest("An abort listener ends a call that blocks", async () => {
  for (const [line, outcome, gets = ""] of ENDS) {
    const running = start(E.Ends);
    using client = await running.connect();
    await client.sendall(bytes(`${line}\n`));
    assertEquals(await readText(client, 2), "go");
    const closing = running.server.serverClose({ timeout: 20 });
    const got = gets === "all" ? "" : await readAll(client).catch((error) => {
      if (error.code !== "ECONNRESET") throw error;
      return "reset";
    });
    const { error } = await running.reports.next();
    assertEquals(error.message, `${line}: ${outcome}`);
    if (gets === "all") await client.abort();
    else assertEquals(got, gets, line);
    assertEquals((await within(closing)).forced, 0);
  }
});

workerTest(
  "An abort listener may receive while another call blocks in a receive",
  async () => {
    const running = start(E.Ends);
    using client = await running.connect();
    await client.sendall(bytes("recv receive\n"));
    assertEquals(await readText(client, 2), "go");
    const closing = running.server.serverClose({ timeout: 20 });
    assertEquals(await readText(client, 5), "more?");
    await client.sendall(bytes("more"));
    assertEquals(await readText(client, 4), "more");
    await client.sendall(bytes("rest"));
    const { error } = await running.reports.next();
    assertEquals(error.message, 'recv receive: returned "rest"');
    assertEquals((await within(closing)).forced, 0);
  },
);

workerTest(
  "An abort listener may receive more than a ring holds, and loses nothing",
  async () => {
    const running = start(E.ReadsInListener);
    using client = await running.connect();
    assertEquals(await readText(client, 2), "go");
    const data = new Uint8Array(3_000_000).map((_, i) => i * 7);
    await client.sendall(data.subarray(0, 1000));
    const closing = running.server.serverClose({ timeout: 20 });
    assertEquals(await readText(client, 7), "reading");
    await client.sendall(data.subarray(1000));
    await client.shutdown(1);
    const sum = data.reduce((sum, byte) => (sum * 31 + byte) >>> 0, 0);
    const { error } = await running.reports.next();
    assertEquals(error.message, `3000000 ${sum}`);
    assertEquals((await within(closing)).forced, 0);
  },
);

workerTest(
  "The data that an abort listener sends follows the send that it interrupts",
  async () => {
    const running = start(E.SendsInListener);
    using client = await running.connect();
    assertEquals(await readText(client, 3), "go\x01"); // it sends, and blocks
    const closing = running.server.serverClose({ timeout: 20 });
    const file = client.makefile("rb");
    const got = await within(file.read());
    file.close();
    const long = new Uint8Array((1 << 24) - 1).fill(1);
    assertEquals(got.length, long.length + 5);
    assertEquals(Buffer.compare(got.subarray(0, long.length), long), 0);
    assertEquals(got.subarray(long.length), bytes("bye!."));
    assertEquals((await within(closing)).forced, 0);
  },
);

for (const how of ["kept", "throw"]) {
  workerTest(
    `A blocking handler that polls its signal sees the drain (${how})`,
    async () => {
      const running = start(E.Polls);
      using client = await running.connect();
      await client.sendall(bytes(`${how}\n`));
      assertEquals(await readText(client, 2), "go");
      const report = await deadline(
        running.server.serverClose({ timeout: 20 }),
        60_000,
      );
      assertEquals(report, { idle: 0, finished: 1, forced: 0 });
      const rest = how === "throw" ? "" : " drained";
      assertEquals(await readAll(client), rest);
      assertEquals(running.reports.left, 0); // the reason of its own signal is no error
    },
  );
}

workerTest(
  "BlockingSocket.recv() after the end of its handler fails, and blocks no other handler",
  async () => {
    const shared = new Int32Array(new SharedArrayBuffer(4));
    await using running = start(E.ReadsLater, { shared });
    assertEquals(await running.ask(""), "");
    const { async, value } = Atomics.waitAsync(shared, 0, 0, 60_000);
    const timer = setInterval(() => {}, 100); // waitAsync does not keep the event loop alive
    if (async) await value;
    clearInterval(timer);
    assertEquals(shared[0], 1);
  },
);

workerTest(
  "BlockingSocket.send() sends all without a timeout, and may send a part with one",
  async () => {
    await using running = start(E.SendsOnce);
    for (const how of ["send", "sendmsg", "timeout", "deadline", "dontwait"]) {
      using client = await running.connect();
      await client.sendall(bytes(`${how}\n`));
      const file = client.makefile("rb");
      const got = await within(file.read());
      file.close();
      const { error } = await running.reports.next();
      assertEquals(got.length, Number(error.message), how);
      const whole = how.startsWith("send");
      assertEquals(got.length === 4_000_000, whole, how);
      assertEquals(got.length > 0, true);
    }
  },
);
