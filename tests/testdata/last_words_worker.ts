/** Fills its ring, says so, and ends with last words for which there is no room. */
import {
  FrameChannel,
  type FrameChannelMemory,
} from "../../internal/channel/frame_channel.ts";

// deno-lint-ignore no-explicit-any
const scope = globalThis as any;
scope.onmessage = ({ data }: MessageEvent<FrameChannelMemory>) => {
  const channel = new FrameChannel(data, "worker", () => {});
  const piece = new Uint8Array(60_000);
  while (channel.reserve(piece.length, () => {})) channel.put(1, 1, piece);
  scope.postMessage("full");
  channel.sendLast(2, 7, new Uint8Array(60_000), 10_000);
  scope.close();
};
