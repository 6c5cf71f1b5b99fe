/** Faults of Web Workers, and of `node:worker_threads` in Deno. */

import { Worker as NodeWorker } from "node:worker_threads";
import { once } from "node:events";
import { isBusy, moduleOf, settles, takeDescriptors } from "./helpers.ts";

/** A worker of `node:worker_threads` that loops goes on after `terminate()`, unless it holds a Web Lock. */
export async function terminateNeedsLock(): Promise<boolean> {
  const worker = new NodeWorker(moduleOf(`
    import { parentPort } from "node:worker_threads";
    parentPort.postMessage("up");
    for (;;);`));
  await once(worker, "message");
  await worker.terminate();
  return await isBusy();
}

/** A Web Worker that loops goes on after `terminate()`, even if it holds a Web Lock. */
export async function webTerminate(): Promise<boolean> {
  const source = `
    await new Promise((granted) => navigator.locks.request("lock", () => {
      granted();
      return new Promise(() => {});
    }));
    postMessage("up");
    for (;;);`;
  const worker = new Worker(moduleOf(source).href, { type: "module" });
  await new Promise((resolve) => worker.onmessage = resolve);
  worker.terminate();
  return await isBusy();
}

/** A Web Worker that ends itself raises no event. */
export async function webSilentEnd(): Promise<boolean> {
  const worker = new Worker(moduleOf("self.close()").href, { type: "module" });
  const ended = new Promise((resolve) => {
    for (const event of ["error", "close", "exit"]) {
      worker.addEventListener(event, resolve);
    }
  });
  return !await settles(ended, 1000);
}

/** A worker that reaches the limit of its heap in the job of a promise goes on without that job. */
export async function heapLimit(): Promise<boolean> {
  const source = `
    import { parentPort } from "node:worker_threads";
    parentPort.on("message", () => {}); // as a worker that serves
    await 0;
    for (const all = [];;) all.push(new Array(1000).fill(1.5));`;
  const resourceLimits = { maxOldGenerationSizeMb: 20 };
  const worker = new NodeWorker(moduleOf(source), { resourceLimits });
  worker.on("error", () => {});
  return !await settles(once(worker, "exit"), 4000);
}

/** A worker without `resourceLimits` that runs out of memory takes the process along. */
export async function outOfMemory(): Promise<boolean> {
  const source = "for (const all = [];;) all.push(new Array(1000).fill(1.5));";
  const worker = new NodeWorker(moduleOf(source));
  worker.on("error", () => {});
  await settles(once(worker, "exit"), 60_000);
  return false;
}

/** A worker that gets no descriptors takes the process along. */
export async function startWithoutDescriptors(): Promise<boolean> {
  const held = takeDescriptors();
  for (let left = 0; left < 2; left++) held.pop()!.close();
  const worker = new NodeWorker(moduleOf("0"));
  worker.on("error", () => {});
  await settles(once(worker, "exit"), 60_000);
  return false;
}

/** The module of `new Worker(new URL(...))` is not in the module graph, so that `deno cache` does not store it. */
export async function workerNotInGraph(): Promise<boolean> {
  const directory = Deno.makeTempDirSync();
  const source =
    `new Worker(new URL("./entry.ts", import.meta.url), { type: "module" });`;
  Deno.writeTextFileSync(`${directory}/main.ts`, source);
  Deno.writeTextFileSync(`${directory}/entry.ts`, "");
  const args = ["info", "--json", `${directory}/main.ts`];
  const info = await new Deno.Command(Deno.execPath(), { args }).output();
  const graph = new TextDecoder().decode(info.stdout);
  return graph.includes("main.ts") && !graph.includes("entry.ts");
}
