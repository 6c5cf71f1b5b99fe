/** Fills its ring, says so, and ends with last words for which there is no room. */
import { Lane, type LaneMemory } from "../../internal/channel/lane.ts";

// deno-lint-ignore no-explicit-any
const scope = globalThis as any;
scope.onmessage = ({ data }: MessageEvent<LaneMemory>) => {
  const lane = new Lane(data, "worker", () => {});
  const piece = new Uint8Array(60_000);
  while (lane.reserve(piece.length, () => {})) lane.put(1, 1, piece);
  scope.postMessage("full");
  lane.sendLast(2, 7, new Uint8Array(60_000), 10_000);
  scope.close();
};
