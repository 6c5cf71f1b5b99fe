/** Sends every frame back, by a lane. */
import { Lane, type LaneMemory } from "../../internal/channel/lane.ts";

// deno-lint-ignore no-explicit-any
(globalThis as any).onmessage = ({ data }: MessageEvent<LaneMemory>) => {
  const lane: Lane = new Lane(data, "worker", (type, id, payload) => {
    lane.send(type, id, payload);
  });
  lane.serve();
};
