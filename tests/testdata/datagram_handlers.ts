/** Handlers of datagrams, for all ways to run. */

import { DatagramRequestHandler } from "../../handlers.ts";

/** Answers each datagram with what is in it. */
export class AnswersDatagrams extends DatagramRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle(): Promise<void> {
    await this.wfile.write(this.packet);
  }
}
