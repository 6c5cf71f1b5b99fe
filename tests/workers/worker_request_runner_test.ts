import {
  FrameChannel,
  frameChannelMemory,
} from "../../internal/channel/frame_channel.ts";
import * as P from "../../internal/channel/frames.ts";
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
      got.push([type, id, type === P.UNREAD ? text(payload.slice()) : ""]);
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
    main.send(P.OPEN, 7, P.pack(OPENING));
    await until(() => got.some(([type]) => type === P.FINISHED));
    main.send(P.DATA, 7, bytes("late"));
    await until(() => got.at(-1)![0] === P.UNREAD);
    assertEquals(got.at(-1), [P.UNREAD, 7, "late"]);
    main.send(P.EOF, 7);
    main.send(P.HEARTBEAT, 0);
    await until(() => got.at(-1)![0] === P.HEARTBEAT);
    runner.channel.close();
    main.close();
    await deadline(Promise.all([run, served]), 60_000);
  },
});
