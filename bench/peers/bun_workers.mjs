/**
 * The echo in workers of Bun, each of which listens on the same port with SO_REUSEPORT. Prints the port.
 *
 *     bun bench/peers/bun_workers.mjs WORKERS [STEPS]
 *
 * With steps, each request computes them, as the handler `Work` of this module does. With 0 workers the main thread
 * serves.
 */
import {
  isMainThread,
  parentPort,
  Worker,
  workerData,
} from "node:worker_threads";
import { sendRest, write } from "./bun_rest.mjs";

globalThis.kept = 0; // the result of the work, so that it cannot be left out

function work(steps) {
  let x = 1;
  for (let i = 0; i < steps; i++) x = Math.imul(x, 1664525) + 1013904223 | 0;
  return x;
}

function listen(port, steps) {
  return Bun.listen({
    hostname: "127.0.0.1",
    port,
    reusePort: true,
    socket: {
      data(socket, data) {
        if (steps > 0) globalThis.kept = work(steps);
        write(socket, data);
      },
      drain: sendRest,
      error() {},
    },
  });
}

/** A port that is free: that of a listener which is closed again. */
function freePort() {
  const listener = listen(0, 0);
  const { port } = listener;
  listener.stop(true);
  return port;
}

async function main(count, steps) {
  const port = count > 0 ? freePort() : listen(0, steps).port;
  for (let i = 0; i < count; i++) {
    const worker = new Worker(new URL(import.meta.url), {
      workerData: { port, steps },
    });
    await new Promise((resolve) => worker.once("message", resolve));
  }
  console.log(port);
}

if (isMainThread) {
  const [, , count, steps = "0"] = process.argv;
  await main(Number(count), Number(steps));
} else {
  listen(workerData.port, workerData.steps);
  parentPort.postMessage("listening");
}
