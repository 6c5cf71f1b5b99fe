/**
 * A forking server for a process with few descriptors: uses up those of this process, or of its child, and says what
 * becomes of the connections then. Run by `forking_handover_test.ts`.
 */

import "./early_signals.ts";
import {
  createConnection,
  ForkingTCPServer,
  StreamRequestHandler,
} from "../../mod.ts";

const HERE = new URL(import.meta.url).pathname;

/** Uses up all descriptors of this process but so many; gives what frees them. */
function useUp(left: number): () => void {
  const files: Deno.FsFile[] = [];
  try {
    for (;;) files.push(Deno.openSync(HERE));
  } catch {
    for (const file of files.splice(0, left)) file.close();
  }
  return () => files.splice(0).forEach((file) => file.close());
}

let free: (() => void) | undefined;

/** Answers each line; "use up" and "free" are about the descriptors of the child. */
export class Scarce extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    for await (const line of this.rfile) {
      const text = new TextDecoder().decode(line).trim();
      if (text === "use up") free ??= useUp(0);
      if (text === "free") free?.();
      await this.wfile.write(`${Deno.pid}\n`);
    }
  }
}

class Server extends ForkingTCPServer {
  /** How many descriptors to leave when the next connection is accepted. */
  left: number | undefined;
  release: (() => void) | undefined;

  override verifyRequest(): boolean {
    if (this.left !== undefined) this.release = useUp(this.left);
    this.left = undefined;
    return true;
  }

  override handleError(_: unknown, __: unknown, error: unknown) {
    const { syscall, code } = error as { syscall?: string; code?: string };
    console.log(syscall?.split(" ")[0] ?? "fork", code);
  }
}

if (import.meta.main) {
  const options = {
    maxChildren: 1,
    childPermissions: { read: [HERE] },
    childFlags: ["--no-check"],
  };
  await using server = new Server(["127.0.0.1", 0], Scarce, options);
  const served = server.serveForever();

  const ask = async (line: string, left?: number) => {
    server.left = left;
    using client = await createConnection(
      server.serverAddress as [string, number],
    );
    client.settimeout(60);
    await client.sendall(new TextEncoder().encode(`${line}\n`));
    const answer = await client.recv(99).catch(() => new Uint8Array());
    server.release?.();
    client.close();
    while (server.status.active > 1) await new Promise(setImmediate); // its end frees descriptors
    return new TextDecoder().decode(answer).trim();
  };
  for (const left of [1, 2]) {
    console.log("start", (await ask("no descriptor for a child", left)) === "");
    await new Promise((resolve) => setTimeout(resolve, 1100)); // so long no other is started
  }
  using first = await createConnection(
    server.serverAddress as [string, number],
  );
  const rfile = first.makefile("rb");
  const say = async (line: string) => {
    await first.sendall(new TextEncoder().encode(`${line}\n`));
    return new TextDecoder().decode(await rfile.readline()).trim();
  };
  const pid = await say("hello");

  server.maxChildren = 2;
  console.log("fork", await ask("no descriptor for a child", 1) === pid);
  server.maxChildren = 1;

  await say("use up");
  console.log("child", (await ask("no descriptor there")) === "");
  await say("free");
  console.log("again", await ask("hello") === pid);

  console.log("server", (await ask("no descriptor here", 0)) === "");
  console.log("again", await ask("hello") === pid, server.activeChildren?.size);
  rfile.close();
  first.close();
  await server.shutdown();
  await served;
}
