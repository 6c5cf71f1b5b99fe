/** A module that ends the worker that loads it. */
import { isMainThread } from "node:worker_threads";
import { BaseRequestHandler } from "../../mod.ts";

if (!isMainThread) Deno.exit(1);

export class DiesAtLoad extends BaseRequestHandler {
  static readonly moduleUrl = import.meta.url;
}
