import {
  FrameChannel,
  frameChannelMemory,
} from "../../internal/channel/frame_channel.ts";
import { Stream } from "../../internal/socket/stream.ts";
import { InboundRelay } from "../../internal/workers/inbound_relay.ts";
import { assertEquals } from "../deps.ts";
import { FakeStream } from "../helpers/fakes.ts";
import { turn } from "../helpers/turns.ts";

/** The number of transports for which the reader has large buffers at a time. */
const LARGE_MAX = 64;

Deno.test("InboundRelay lends a bounded number of large buffers to waiting reads, and takes them back", async () => {
  const bulk = new Uint8Array(1000); // fills the small buffer, so that more is likely
  const round = async () => {
    const transports = Array.from(
      { length: LARGE_MAX + 6 },
      () => new FakeStream(bulk),
    );
    for (const transport of transports) {
      const channel = new FrameChannel(frameChannelMemory(), "main", () => {});
      new InboundRelay(channel, 1, new Stream(transport)).start();
    }
    await turn();
    const large = transports.filter(({ sizes }) => sizes[1] === 65_536);
    assertEquals(
      transports.map(({ sizes }) => sizes.length).join(),
      Array(transports.length).fill(2).join(),
    );
    for (const transport of transports) transport.close();
    await turn();
    return large.length;
  };
  assertEquals(await round(), LARGE_MAX);
  assertEquals(await round(), LARGE_MAX, "those of the first round are free");
});
