/** ChildStreamTransport: the connection of a child whose bytes go through the server. */

import { ChildStreamTransport } from "../../internal/children/child_transports.ts";
import type { RequestMessage } from "../../internal/children/messages.ts";
import { fakeLink } from "./children_fakes.ts";
import { assertEquals, assertStrictEquals } from "../deps.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { turn } from "../helpers/turns.ts";
import { within } from "../helpers/within.ts";

/** A relayed stream in a child, and the calls that it makes. */
function fakeStream() {
  const { link, said } = fakeLink();
  link.begin(1);
  const stream = new ChildStreamTransport(link, { id: 1 } as RequestMessage);
  const calls = () => said.filter((each) => each.type === "call");
  const settle = (value?: unknown, error?: { thrown: string }) => {
    const { call } = calls().at(-1)!;
    const failure = error && { ...error, name: "", message: "" };
    link.settle({ type: "result", call, value, error: failure });
  };
  return { stream, calls, settle };
}

Deno.test("ChildStreamTransport.write() settles as the write of the server does", async () => {
  const { stream, calls, settle } = fakeStream();
  let count: number | undefined;
  const large = new Uint8Array(100_000);
  const written = stream.write(large).then((n) => count = n);
  await turn();
  assertStrictEquals(count, undefined);
  assertEquals((calls()[0].argument as Uint8Array).length, 65536);
  settle();
  assertStrictEquals(await within(written), 65536);
  const failed = stream.write(large);
  await turn();
  settle(undefined, { thrown: "gone" });
  assertStrictEquals(await within(failed.catch((error) => error)), "gone");
});

Deno.test("ChildStreamTransport.read() asks for no more than the buffer holds", async () => {
  const { stream, calls, settle } = fakeStream();
  const buffer = new Uint8Array(10);
  const some = stream.read(buffer);
  assertStrictEquals(calls()[0].argument, 10);
  settle(bytes("abc"));
  assertStrictEquals(await within(some), 3);
  assertEquals(text(buffer.subarray(0, 3)), "abc");
  const end = stream.read(new Uint8Array(1e6));
  await turn();
  assertStrictEquals(calls()[1].argument, 65536);
  settle(new Uint8Array());
  assertStrictEquals(await within(end), null);
});

Deno.test("ChildStreamTransport makes one call of a kind at a time", async () => {
  const { stream, calls, settle } = fakeStream();
  stream.setNoDelay(true);
  stream.setNoDelay(false);
  stream.setKeepAlive();
  stream.setNoDelay();
  const made = () =>
    calls().map(({ operation, argument }) => [operation, argument]);
  assertEquals(made(), [["setNoDelay", true], ["setKeepAlive", true]]);
  settle();
  await turn();
  assertStrictEquals(calls().length, 2); // was of the other kind
  const { call } = calls()[0];
  assertStrictEquals(call, 1);
  const closed = stream.closeWrite();
  assertEquals(made().at(-1), ["closeWrite", undefined]);
  settle();
  await within(closed);
  stream.close();
  assertEquals(made().at(-1), ["close", undefined]);
});

Deno.test("ChildStreamTransport goes on after a call of the same kind that failed", async () => {
  const { stream, calls, settle } = fakeStream();
  stream.setNoDelay(true);
  stream.setNoDelay(false);
  settle(undefined, { thrown: "no TCP" });
  await turn();
  assertEquals(calls().map(({ argument }) => argument), [true, false]);
});
