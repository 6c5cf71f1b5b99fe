/** Sends each frame back; a worker of `deno_rings.ts`. */
import { parentPort, workerData } from "node:worker_threads";
import { FrameChannel } from "../../internal/channel/frame_channel.ts";

parentPort!.on("message", () => {}); // keeps the worker alive
const channel: FrameChannel = new FrameChannel(
  workerData,
  "worker",
  (type, id, payload) => {
    channel.send(type, id, payload);
  },
);
channel.receiveAll();
