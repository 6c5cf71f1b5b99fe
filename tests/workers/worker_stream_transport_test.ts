import {
  FrameChannel,
  frameChannelMemory,
} from "../../internal/channel/frame_channel.ts";
import * as frames from "../../internal/channel/frames.ts";
import { WorkerStreamTransport } from "../../internal/workers/worker_stream_transport.ts";
import { assertEquals } from "../deps.ts";
import { bytes } from "../helpers/bytes.ts";
import { turn } from "../helpers/turns.ts";
import { OPENING } from "./workers_fakes.ts";

Deno.test("WorkerStreamTransport.stopReading() keeps what comes for a read that nobody waits for", async () => {
  const channel = new FrameChannel(frameChannelMemory(), "worker", () => {});
  const conn = new WorkerStreamTransport(1, OPENING, channel);
  const into = new Uint8Array(9);
  let read = false;
  conn.read(into).then(() => read = true);
  conn.stopReading();
  conn.onFrame(frames.DATA, bytes("abc"));
  await turn();
  assertEquals(read, false);
  assertEquals(conn.available, 3);
  assertEquals(into[0], 0);
});
