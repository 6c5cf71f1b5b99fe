import {
  FrameChannel,
  frameChannelMemory,
} from "../../internal/channel/frame_channel.ts";
import * as frames from "../../internal/channel/frames.ts";
import { Watchdog } from "../../internal/workers/watchdog.ts";
import { assertEquals, delay } from "../deps.ts";

Deno.test("Watchdog.start() asks for one heartbeat if its timeout exceeds the longest timer", async () => {
  const memory = frameChannelMemory();
  const main = new FrameChannel(memory, "main", () => {});
  const heartbeats: number[] = [];
  const watchdog = new Watchdog(1e7, main, (error) => {
    throw error;
  });
  const worker = new FrameChannel(memory, "worker", (type) => {
    heartbeats.push(type);
    watchdog.alive();
  });
  watchdog.start();
  for (let i = 0; i < 5; i++) {
    worker.receive();
    await delay(5); // that nothing happens
  }
  watchdog.stop();
  assertEquals(heartbeats, [frames.HEARTBEAT]);
});
