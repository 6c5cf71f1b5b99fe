/** Small answers that follow each other in one turn of the event loop are sent together. */

import { type BufferedReader, Socket, type Writer } from "../../mod.ts";
import { assertEquals } from "../deps.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { FakeStream } from "../helpers/fakes.ts";
import { endOfMicrotasks, endOfTurn, FrozenClock } from "../helpers/turns.ts";

/** A connection over which several questions have come, with the files of a handler. */
class Asked implements Disposable {
  readonly #stream = new FakeStream(bytes("1\n2\n3\n4\n"));
  readonly #socket: Socket = Socket.from(this.#stream);
  readonly wfile: Writer = this.#socket.makefile("wb", { buffering: 0 });
  readonly #rfile: BufferedReader = this.#socket.makefile("rb", {
    tie: this.wfile,
  });

  /** The text of each write to the connection. */
  get sent(): string[] {
    return this.#stream.written.map(text);
  }

  /** Reads a question, and writes an answer. */
  async answer(answer: string): Promise<void> {
    await this.#rfile.readline();
    this.wfile.write(answer);
  }

  [Symbol.dispose](): void {
    this.#socket.abort();
  }
}

Deno.test("wfile sends small writes of one turn together, and nothing twice", async () => {
  using _ = new FrozenClock();
  using asked = new Asked();
  await asked.answer("a");
  await asked.answer("b");
  assertEquals(asked.sent, []);
  await endOfTurn();
  assertEquals(asked.sent, ["ab"]);
  await asked.answer("c");
  await asked.wfile.flush();
  assertEquals(asked.sent, ["ab", "c"]);
  await endOfTurn();
  assertEquals(asked.sent, ["ab", "c"]);
});

Deno.test("wfile sends at the end of a turn for each connection that holds", async () => {
  using _ = new FrozenClock();
  const all = Array.from({ length: 10 }, () => new Asked());
  for (const asked of all) await asked.answer("a");
  for (const asked of all) await asked.answer("b");
  await endOfTurn();
  for (const asked of all) {
    assertEquals(asked.sent, ["ab"]);
    asked[Symbol.dispose]();
  }
});

Deno.test("wfile sends what it holds for long while handlers go on", async () => {
  using clock = new FrozenClock();
  using asked = new Asked();
  await asked.answer("a");
  await endOfMicrotasks(3);
  clock.advance(10);
  await asked.answer("b");
  await endOfMicrotasks(3);
  assertEquals(asked.sent, ["ab"]);
});

Deno.test("wfile holds as long as any other for a connection after one that has sent", async () => {
  using clock = new FrozenClock();
  using first = new Asked();
  using second = new Asked();
  await first.answer("a");
  await first.wfile.flush();
  await endOfMicrotasks(5);
  clock.advance(10);
  await second.answer("b");
  await endOfMicrotasks(5);
  assertEquals(second.sent, []);
  await second.answer("c");
  await endOfTurn();
  assertEquals(first.sent, ["a"]);
  assertEquals(second.sent, ["bc"]);
});
