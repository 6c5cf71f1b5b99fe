/** A module that loads in the main thread and not in a worker. */
import { isMainThread } from "node:worker_threads";
import { BaseRequestHandler } from "../../mod.ts";

if (!isMainThread) throw new SyntaxError("this module does not load");

export class Bad extends BaseRequestHandler {
  static readonly moduleUrl = import.meta.url;
}
