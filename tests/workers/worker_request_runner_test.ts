import {
  FrameChannel,
  frameChannelMemory,
} from "../../internal/channel/frame_channel.ts";
import * as frames from "../../internal/channel/frames.ts";
import { handlerReference } from "../../internal/handoff/handler_reference.ts";
import { WorkerRequestRunner } from "../../internal/workers/worker_request_runner.ts";
import { assertEquals, deadline } from "../deps.ts";
import { mayRead } from "../helpers/allowed.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { until } from "../helpers/within.ts";
import * as B from "../testdata/blocking_handlers.ts";
import { FACTS, OPENING } from "./workers_fakes.ts";

Deno.test({
  name:
    "WorkerRequestRunner gives back what comes for a request that has ended",
  ignore: !mayRead,
  async fn() {
    const memory = frameChannelMemory();
    const got: [type: number, id: number, payload: string][] = [];
    const main = new FrameChannel(memory, "main", (type, id, payload) => {
      got.push([type, id, type === frames.UNREAD ? text(payload.slice()) : ""]);
    });
    const runner = new WorkerRequestRunner({
      memory,
      idle: new SharedArrayBuffer(4),
      handler: handlerReference(B.BlockingClosed, "in a worker"),
      blocking: true,
      server: FACTS,
      draining: false,
    });
    const run = runner.run();
    const served = main.receiveAll();
    await until(() => got.length === 1);
    main.send(frames.OPEN, 7, frames.pack(OPENING));
    await until(() => got.some(([type]) => type === frames.FINISHED));
    main.send(frames.DATA, 7, bytes("late"));
    await until(() => got.at(-1)![0] === frames.UNREAD);
    assertEquals(got.at(-1), [frames.UNREAD, 7, "late"]);
    main.send(frames.EOF, 7);
    main.send(frames.HEARTBEAT, 0);
    await until(() => got.at(-1)![0] === frames.HEARTBEAT);
    runner.channel.close();
    main.close();
    await deadline(Promise.all([run, served]), 60_000);
  },
});
