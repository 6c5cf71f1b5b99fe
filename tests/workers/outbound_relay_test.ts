import {
  FrameChannel,
  frameChannelMemory,
} from "../../internal/channel/frame_channel.ts";
import * as frames from "../../internal/channel/frames.ts";
import type { Failure } from "../../internal/handoff/failure.ts";
import { Stream } from "../../internal/socket/stream.ts";
import { InboundRelay } from "../../internal/workers/inbound_relay.ts";
import { OutboundRelay } from "../../internal/workers/outbound_relay.ts";
import { assertEquals, deadline, delay } from "../deps.ts";
import { bytes, concat, text } from "../helpers/bytes.ts";
import { FakeStream } from "../helpers/fakes.ts";
import { turn } from "../helpers/turns.ts";

/** A connection that takes nothing until it is closed. */
class StuckStream extends FakeStream {
  readonly #closed = Promise.withResolvers<never>();

  override write(): Promise<number> {
    return this.#closed.promise;
  }

  override close(): void {
    super.close();
    this.#closed.reject(new Deno.errors.Interrupted("closed"));
  }
}

/** A connection that takes a byte at a time. */
class SlowStream extends FakeStream {
  readonly #ms: number;

  constructor(ms: number) {
    super();
    this.#ms = ms;
  }

  override async write(p: Uint8Array): Promise<number> {
    await delay(this.#ms);
    return await super.write(p.subarray(0, 1));
  }
}

function relayOver(transport: FakeStream, lingerMs: number): OutboundRelay {
  const channel = new FrameChannel(frameChannelMemory(), "main", () => {});
  return new OutboundRelay(channel, 1, new Stream(transport), lingerMs);
}

/** Waits until a relay has nothing left to send. */
function flushed(relay: OutboundRelay): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  relay.whenFlushed(resolve);
  return deadline(promise, 60_000);
}

Deno.test("OutboundRelay.linger() gives up a client that takes nothing", async () => {
  const transport = new StuckStream();
  const relay = relayOver(transport, 20);
  relay.write(bytes("one"));
  relay.write(bytes("two"));
  const ended = flushed(relay);
  relay.linger();
  await ended;
  relay.write(bytes("three")); // dropped
  transport.close();
  await turn();
  relay.whenFlushed(() => transport.calls.push("flushed"));
  assertEquals(transport.calls, ["close", "flushed"]);
});

Deno.test("OutboundRelay.linger() waits for a client that takes a little now and then", async () => {
  const transport = new SlowStream(10);
  const relay = relayOver(transport, 1000); // less than all bytes take
  relay.linger();
  relay.write(bytes("slowly".repeat(20)));
  await flushed(relay);
  assertEquals(text(concat(transport.written)), "slowly".repeat(20));
});

Deno.test("OutboundRelay and InboundRelay take what a transport throws for a failure", async () => {
  class Throws extends FakeStream {
    override write(): Promise<number> {
      throw new Error("write");
    }
    override read(): Promise<number | null> {
      throw new Error("read");
    }
  }
  const memory = frameChannelMemory();
  const channel = new FrameChannel(memory, "main", () => {});
  const got: [number, string][] = [];
  const worker = new FrameChannel(memory, "worker", (type, _id, payload) => {
    got.push([type, frames.unpack<Failure>(payload)!.message]);
  });
  const stream = new Stream(new Throws());
  new OutboundRelay(channel, 1, stream).write(bytes("x"));
  new InboundRelay(channel, 1, stream).start();
  await turn();
  worker.receive();
  assertEquals(got, [
    [frames.WRITE_FAILED, "Cannot send: write"],
    [frames.READ_FAILED, "Cannot recv: read"],
  ]);
});

Deno.test("OutboundRelay.linger() counts from the last progress", async () => {
  const transport = new SlowStream(40);
  const relay = relayOver(transport, 800);
  const words = "a byte at a time takes longer than it may all in all";
  relay.write(bytes(words));
  relay.linger(); // after the write, as at the end of a handler
  await flushed(relay);
  assertEquals(text(concat(transport.written)), words);
});
