/** Sends every frame back, by a channel. */
import {
  FrameChannel,
  type FrameChannelMemory,
} from "../../internal/channel/frame_channel.ts";

// deno-lint-ignore no-explicit-any
(globalThis as any).onmessage = (
  { data }: MessageEvent<FrameChannelMemory>,
) => {
  const channel: FrameChannel = new FrameChannel(
    data,
    "worker",
    (type, id, payload) => {
      channel.send(type, id, payload);
    },
  );
  channel.receiveAll();
};
