// PING, GET and SET of RESP2 on node:net, as examples/redis.ts has them. Runs in Node and in Deno.

import { createServer } from "node:net";
import process from "node:process";
import { Buffer } from "node:buffer";

const values = new Map();
const OK = Buffer.from("+OK\r\n");
const PONG = Buffer.from("+PONG\r\n");
const NULL = Buffer.from("$-1\r\n");
const UNKNOWN = Buffer.from("-ERR unknown command\r\n");

/** The arguments of the command at `at`, and where it ends; undefined where it is not whole. */
function parse(data, at) {
  const line = () => {
    const end = data.indexOf("\r\n", at);
    if (end < 0) return undefined;
    const text = data.latin1Slice(at, end);
    at = end + 2;
    return text;
  };
  const head = line();
  if (head === undefined) return undefined;
  if (head[0] !== "*") return { args: head.split(" ").map(Buffer.from), at };
  const args = [];
  for (let left = Number(head.slice(1)); left > 0; left--) {
    const size = line();
    if (size === undefined) return undefined;
    const end = at + Number(size.slice(1));
    if (end + 2 > data.length) return undefined;
    args.push(data.subarray(at, end));
    at = end + 2;
  }
  return { args, at };
}

function execute([name, key, value]) {
  switch (name.latin1Slice().toLowerCase()) {
    case "ping":
      return [PONG];
    case "set":
      values.set(key.latin1Slice(), Buffer.from(value));
      return [OK];
    case "get": {
      const found = values.get(key.latin1Slice());
      if (found === undefined) return [NULL];
      return [Buffer.from(`$${found.length}\r\n`), found, Buffer.from("\r\n")];
    }
    default:
      return [UNKNOWN];
  }
}

const server = createServer({ noDelay: true }, (socket) => {
  let rest = Buffer.alloc(0);
  socket.on("data", (chunk) => {
    const data = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    const answers = [];
    let at = 0;
    for (let found; at < data.length && (found = parse(data, at));) {
      answers.push(...execute(found.args));
      at = found.at;
    }
    rest = data.subarray(at);
    if (answers.length > 0) socket.write(Buffer.concat(answers));
  });
  socket.on("error", () => socket.destroy());
});
server.listen(Number(process.argv[2] ?? 0), "127.0.0.1", () => {
  console.log(server.address().port);
});
