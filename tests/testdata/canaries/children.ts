/** Faults of `node:child_process` in Deno, with connections that go along with messages. */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import {
  type AddressInfo,
  createServer,
  type Server,
  type Socket,
} from "node:net";
import { moduleOf, settles, sleep, takeDescriptors } from "./helpers.ts";

const hostname = "127.0.0.1";

/** Starts a child that runs this source, and waits for its first message. */
async function start(source: string): Promise<ChildProcess> {
  const child = fork(moduleOf(source).href, [], {
    execPath: Deno.execPath(),
    execArgv: ["run", "--quiet", "--allow-all"],
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  await once(child, "message");
  return child;
}

/** A server, and a function that connects to it and returns both ends. */
async function acceptor(): Promise<
  { server: Server; accept(): Promise<[Socket, Deno.TcpConn]> }
> {
  const server = createServer({ pauseOnConnect: true });
  server.listen(0, hostname);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const accept = async (): Promise<[Socket, Deno.TcpConn]> => {
    const accepted = once(server, "connection");
    const client = await Deno.connect({ hostname, port });
    return [(await accepted)[0], client];
  };
  return { server, accept };
}

const ECHO = `
  process.on("message", (message, socket) => {
    socket?.destroy();
    process.send(message);
  });
  process.send("up");`;

/** A connection is lost if the child reads its message together with an earlier one. */
export async function handleLost(): Promise<boolean> {
  const child = await start(ECHO);
  const { accept } = await acceptor();
  for (let trial = 0; trial < 100; trial++) {
    const [socket] = await accept();
    const both = new Promise<void>((resolve) =>
      child.on("message", (said) => said === `with ${trial}` && resolve())
    );
    child.send(`without ${trial}`);
    child.send(`with ${trial}`, socket);
    if (!await settles(both, 1000)) return true;
  }
  return false;
}

/** The copy of a descriptor stays open if the child ends before its turn came. */
export async function copyLeaks(): Promise<boolean> {
  const child = await start(ECHO);
  child.on("error", () => {});
  const { accept } = await acceptor();
  const pairs = [await accept(), await accept()];
  Deno.kill(child.pid!, "SIGSTOP");
  for (const [socket] of pairs) child.send("connection", socket);
  Deno.kill(child.pid!, "SIGKILL");
  await once(child, "exit");
  for (const [socket] of pairs) socket.destroy();
  const [, [, client]] = pairs;
  return !await settles(client.read(new Uint8Array(1)), 1000);
}

/** A child without descriptors never acknowledges a connection. */
export async function neverAcknowledged(): Promise<boolean> {
  const child = await start(`
    Deno.addSignalListener("SIGUSR2", () => {}); // which takes descriptors
    process.on("message", () => {});
    const held = [];
    setTimeout(() => {
      try {
        for (;;) held.push(Deno.openSync("/dev/null"));
      } catch {
        process.send("full");
      }
    });`);
  const { accept } = await acceptor();
  const [socket] = await accept();
  const taken = once(socket, "close");
  child.send("connection", socket);
  const acknowledged = await settles(taken, 1500);
  child.kill("SIGKILL");
  return !acknowledged;
}

/** Passing a connection without a free descriptor throws the error of a wrong argument. */
export async function invalidHandle(): Promise<boolean> {
  const child = await start(ECHO);
  const { accept } = await acceptor();
  const [socket] = await accept();
  const held = takeDescriptors();
  try {
    child.send("connection", socket);
  } catch (error) {
    return (error as { code?: string }).code === "ERR_INVALID_HANDLE_TYPE";
  } finally {
    for (const file of held) file.close();
    child.kill("SIGKILL");
  }
  return false;
}

/** The close of a server sends a message to each child that got a connection of it. */
export async function closeNotifies(): Promise<boolean> {
  const child = await start(ECHO);
  const { server, accept } = await acceptor();
  const [socket] = await accept();
  let sent = "";
  const send = child.send.bind(child) as (...args: unknown[]) => boolean;
  child.send = (...args: unknown[]) => {
    sent += JSON.stringify(args[0]);
    return send(...args);
  };
  send("connection", socket);
  await once(child, "message");
  server.close();
  await sleep(500);
  child.kill("SIGKILL");
  return sent.includes("NODE_SOCKET_NOTIFY_CLOSE");
}

/** A child gets no "disconnect" if its parent was killed before it had read all. */
export async function noDisconnect(): Promise<boolean> {
  const said = Deno.makeTempFileSync();
  const child = `
    const parent = Deno.ppid;
    const end = (text) => {
      Deno.writeTextFileSync(${JSON.stringify(said)}, text);
      Deno.exit();
    };
    addEventListener("error", (event) => event.preventDefault());
    addEventListener("unhandledrejection", (event) => event.preventDefault());
    process.on("disconnect", () => end("disconnect"));
    process.on("message", () => {});
    process.send("x".repeat(300_000), undefined, undefined, () => {});
    process.send("x".repeat(300_000), undefined, undefined, () => {});
    Deno.writeTextFileSync(${JSON.stringify(said)}, "up");
    setInterval(() => Deno.ppid === parent || setTimeout(end, 1500, "nothing"), 20);`;
  const parent = `
    import { fork } from "node:child_process";
    const child = fork(${JSON.stringify(moduleOf(child))}, [], {
      execPath: Deno.execPath(),
      execArgv: ["run", "--quiet", "--allow-all"],
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
    child.once("spawn", () => {
      const cell = new Int32Array(new SharedArrayBuffer(4));
      while (Deno.readTextFileSync(${
    JSON.stringify(said)
  }) === "") Atomics.wait(cell, 0, 0, 10);
      Deno.kill(Deno.pid, "SIGKILL");
    });`;
  const args = ["eval", parent];
  await new Deno.Command(Deno.execPath(), { args, stderr: "null" }).output();
  for (;;) {
    const text = Deno.readTextFileSync(said);
    if (text === "nothing" || text === "disconnect") return text === "nothing";
    await sleep(20);
  }
}

/** A write to a passed connection fails, if the client has ended its side and the event loop has not looked yet. */
export async function passedEnded(): Promise<boolean> {
  const child = await start(`
    process.on("message", (message, socket) => {
      socket.allowHalfOpen = true;
      socket.write("hello", (error) => process.send(String(error?.code)));
      socket.on("error", () => {});
    });
    process.send("up");`);
  const { accept } = await acceptor();
  const [socket, client] = await accept();
  await client.closeWrite();
  await sleep(50);
  const said = once(child, "message");
  child.send("take", socket);
  return (await said)[0] === "EPIPE";
}
