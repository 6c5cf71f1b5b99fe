/** Sends each frame back; a worker of `deno_rings.ts`. */
import { parentPort, workerData } from "node:worker_threads";
import { Lane } from "../../internal/channel/lane.ts";

parentPort!.on("message", () => {}); // keeps the worker alive
const lane: Lane = new Lane(workerData, "worker", (type, id, payload) => {
  lane.send(type, id, payload);
});
lane.serve();
