/**
 * What rings in shared memory cost by themselves: the plain loop, whose echo comes from workers that send each
 * frame back. There is no socket, handler or limit. Prints its port.
 *
 *     deno run --allow-net --allow-read bench/peers/deno_rings.ts [workers]
 */
import { Worker } from "node:worker_threads";
import {
  FrameChannel,
  frameChannelMemory,
} from "../../internal/channel/frame_channel.ts";

const SIZE = 1000;
const conns = new Map<number, Deno.Conn>();

function startWorker(): FrameChannel {
  const memory = frameChannelMemory();
  const channel = new FrameChannel(memory, "main", (_type, id, payload) => {
    conns.get(id)?.write(payload.slice()).catch(() => {});
  });
  const url = new URL("./deno_rings_worker.ts", import.meta.url);
  new Worker(url, { workerData: memory });
  channel.receiveAll();
  return channel;
}

async function relay(conn: Deno.Conn, id: number, channel: FrameChannel) {
  conns.set(id, conn);
  const buffer = new Uint8Array(SIZE);
  for (;;) {
    const n = await conn.read(buffer).catch(() => null);
    if (n === null) break;
    channel.send(1, id, buffer.subarray(0, n));
  }
  conns.delete(id);
  conn.close();
}

const lanes = Array.from({ length: Number(Deno.args[0] ?? 2) }, startWorker);
const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
console.log(listener.addr.port);
let count = 0;
for await (const conn of listener) {
  const id = count++;
  relay(conn, id, lanes[id % lanes.length]);
}
