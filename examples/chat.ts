/**
 * A chat: each line goes to all other members. A member who does not read delays nobody: up to 64 KiB wait
 * for that member, and with more the server drops the member.
 *
 *     deno run --allow-net examples/chat.ts [host] [port]
 *
 * Then join with `ncat localhost 9950`, in two terminals.
 */
import {
  AF_INET,
  AF_INET6,
  AsyncTCPServer,
  formatAddress,
  LimitOverrunError,
  serve,
  StreamRequestHandler,
} from "@socketserver/socketserver";

const PENDING_MAX = 65536; // bytes for a member who does not read; what the system buffers comes on top
const members = new Map<string, Member>();

/** Sends a line to all members except one, and does not wait for any of them. */
function tell(line: string, except?: Member) {
  for (const member of members.values()) {
    if (member === except) continue;
    if (member.wfile.pending > PENDING_MAX) member.request.abort();
    else void member.wfile.write(`${line}\n`);
  }
}

class Member extends StreamRequestHandler {
  override lineLimit = 1000;
  override timeout = 30; // seconds to say a name

  override async handle() {
    await this.wfile.write("* your name?\n");
    const name = await this.#line();
    if (!/^[\p{L}\p{N}]{1,20}$/u.test(name ?? "") || members.has(name!)) {
      await this.wfile.write("* that is no name, or is taken\n");
      return;
    }
    this.request.settimeout(null); // who is in may listen for as long as they like
    members.set(name!, this);
    try {
      tell(`* ${name} joins`, this);
      await this.wfile.write(`* here: ${[...members.keys()].join(" ")}\n`);
      for (let line; (line = await this.#line()) !== undefined;) {
        if (line !== "") tell(`${name}: ${line}`, this);
      }
    } finally {
      members.delete(name!);
      tell(`* ${name} leaves`);
    }
  }

  /** Reads the next line without control characters; undefined at the end of the stream or of the server. */
  async #line(): Promise<string | undefined> {
    for (;;) {
      try {
        if (!await this.waitForRequest()) return undefined;
        const line = await this.rfile.readline();
        return new TextDecoder().decode(line).replace(/\p{C}/gu, "").trim();
      } catch (error) {
        if (!(error instanceof LimitOverrunError)) throw error;
        await this.wfile.write(
          `* too long, ${this.lineLimit} bytes at most\n`,
        );
      }
    }
  }
}

const [host = "localhost", port = "9950"] = Deno.args;
const options = {
  addressFamily: host.includes(":") ? AF_INET6 : AF_INET,
  reportLostClients: false,
};
const server = new AsyncTCPServer([host, Number(port)], Member, options);
console.log(`Listening on ${formatAddress(server.serverAddress)}`);
await serve(server, { timeout: 1 }); // until Ctrl-C
