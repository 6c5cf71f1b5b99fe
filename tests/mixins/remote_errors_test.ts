/** `handleError` gets the errors of handlers in a worker, blocking or not, and in a child process. */

import {
  ConnectionResetError,
  ForkingTCPServer,
  GaiError,
  IncompleteReadError,
  LimitOverrunError,
  type OSError,
  type RequestHandlerConstructor,
  ThreadingTCPServer,
} from "../../mod.ts";
import { assertEquals, assertInstanceOf } from "../deps.ts";
import { mayFork, mayRead } from "../helpers/allowed.ts";
import { bytes } from "../helpers/bytes.ts";
import { Running } from "../helpers/threading.ts";
import { within } from "../helpers/within.ts";
import * as F from "../testdata/failing_handlers.ts";

const CASES: [how: string, check: (error: unknown) => void][] = [
  ["exactly\nab", (error) => {
    assertInstanceOf(error, IncompleteReadError);
    assertEquals(error.partial, bytes("ab"));
    assertEquals(error.expected, 9);
  }],
  ["until\nabc", (error) => {
    assertInstanceOf(error, IncompleteReadError);
    assertEquals(error.partial, bytes("abc"));
    assertEquals(error.expected, undefined);
  }],
  [`until\n${"x".repeat(200)}`, (error) => {
    assertInstanceOf(error, LimitOverrunError);
    assertEquals(error.consumed > 90, true);
  }],
  [`line\n${"x".repeat(150)}\n`, (error) => {
    assertInstanceOf(error, LimitOverrunError);
    assertEquals(error.name, "LimitOverrunError");
    assertEquals(error.consumed, 151);
  }],
  ["late\n", (error) => {
    assertInstanceOf(error, DOMException);
    assertEquals(error.name, "TimeoutError");
  }],
  ["gai\n", (error) => {
    assertInstanceOf(error, GaiError);
    assertEquals(error.errno, -2);
    assertEquals(error.code, "EAI_NONAME");
  }],
  ["lost\n", (error) => {
    assertInstanceOf(error, Deno.errors.NotFound);
  }],
  ["both\n", (error) => {
    assertInstanceOf(error, SuppressedError);
    assertInstanceOf(error.error, URIError);
    assertInstanceOf(error.suppressed, GaiError);
  }],
  ["none\n", (error) => {
    assertInstanceOf(error, AggregateError);
    assertEquals(error.errors, []);
    assertInstanceOf(error.cause, GaiError);
  }],
  ["gone\n", (error) => {
    assertInstanceOf(error, ConnectionResetError);
    const { name, code, syscall } = error as OSError;
    assertEquals({ name, code, syscall }, {
      name: "Gone",
      code: "ECONNRESET",
      syscall: "recv",
    });
  }],
];

function errorsTest(
  name: string,
  ignore: boolean,
  make: () => ThreadingTCPServer | ForkingTCPServer,
): void {
  Deno.test({
    name: `${name} gives handleError what the handler threw`,
    ignore,
    async fn() {
      await using running = new Running(make());
      for (const [how, check] of CASES) {
        using client = await running.connect();
        await client.sendall(bytes(how));
        await client.shutdown(1);
        check((await within(running.reports.next())).error);
      }
    },
  });
}

errorsTest(
  "ThreadingTCPServer",
  !mayRead,
  () => new ThreadingTCPServer(["127.0.0.1", 0], F.Fails, { maxWorkers: 1 }),
);
errorsTest(
  "ThreadingTCPServer with a blocking handler",
  !mayRead,
  () =>
    new ThreadingTCPServer(
      ["127.0.0.1", 0],
      F.BlockingFails as unknown as RequestHandlerConstructor,
      { maxWorkers: 1 },
    ),
);
errorsTest(
  "ForkingTCPServer",
  !mayFork,
  () => new ForkingTCPServer(["127.0.0.1", 0], F.Fails, { maxChildren: 1 }),
);
