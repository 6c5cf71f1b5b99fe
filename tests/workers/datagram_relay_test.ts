import {
  FrameChannel,
  frameChannelMemory,
} from "../../internal/channel/frame_channel.ts";
import * as frames from "../../internal/channel/frames.ts";
import { DatagramRelay } from "../../internal/workers/datagram_relay.ts";
import { AF_INET, SOCK_DGRAM, Socket } from "../../mod.ts";
import { assertEquals } from "../deps.ts";
import { bytes } from "../helpers/bytes.ts";
import { turn } from "../helpers/turns.ts";

Deno.test("DatagramRelay.end() waits for all sends, also if the last one ends first", async () => {
  const sends: PromiseWithResolvers<number>[] = [];
  using socket = new Socket(AF_INET, SOCK_DGRAM);
  socket.sendto = () => {
    const send = Promise.withResolvers<number>();
    sends.push(send);
    return send.promise;
  };
  const channel = new FrameChannel(frameChannelMemory(), "main", () => {});
  const relay = new DatagramRelay(channel, 1, [bytes("packet"), socket]);
  for (const call of [1, 2]) {
    const address = ["127.0.0.1", 9];
    relay.onFrame(frames.SEND_TO, frames.pack({ call, address }));
    relay.onFrame(frames.DATA, bytes("answer"));
  }
  let ended = false;
  const end = relay.end().then(() => ended = true);
  sends[1].resolve(6);
  await turn();
  assertEquals(ended, false);
  sends[0].reject(new Error("unreachable"));
  await end;
});
