/** examples/redis.ts with redis-cli, redis-benchmark, Redis itself, and hostile clients. */

import fc from "fast-check";
import { createConnection, SHUT_WR, type Socket } from "../../mod.ts";
import { assert, assertEquals, assertMatch, deadline, delay } from "../deps.ts";
import {
  mayRun,
  onOneServer,
  type Running,
  start,
  talk,
} from "./example_helpers.ts";
import { freePort } from "../project/docs_programs.ts";
import { have } from "../helpers/allowed.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { fuzz, mutated } from "../helpers/fuzz.ts";
import { boundedCommand, within } from "../helpers/within.ts";

/** Runs `fn` with a server without keys, which must exit with code 0. */
async function withRedis(fn: (server: Running) => Promise<void>) {
  await using server = await start("examples/redis.ts", "127.0.0.1", "0");
  await fn(server);
  assertEquals(await server.end("SIGINT"), 0);
  const stderr = await server.stderr;
  assert(!/error/i.test(stderr), stderr);
}

const redis = onOneServer("examples/redis.ts serves its clients", withRedis);

/** Defines a test whose server has no keys. */
function empty(
  name: string,
  fn: (server: Running) => Promise<void>,
  ignore = false,
) {
  redis(name, async (server) => {
    assertEquals(await ask(server.port, command("FLUSHALL")), "+OK\r\n");
    await fn(server);
  }, ignore);
}

const connect = (port: string): Promise<Socket> =>
  createConnection(["127.0.0.1", Number(port)], { timeout: 30 });

/** Sends bytes, and returns the whole answer. */
async function ask(
  port: string,
  request: string | Uint8Array,
): Promise<string> {
  using client = await connect(port);
  await client.sendall(typeof request === "string" ? bytes(request) : request);
  await client.shutdown(SHUT_WR);
  using file = client.makefile("rb");
  try {
    return text(await within(file.read()));
  } catch (error) {
    if ((error as { code?: string }).code !== "ECONNRESET") throw error;
    return ""; // a request of HTTP is cut off
  }
}

/** Returns a command as clients send it. */
const command = (...args: string[]) =>
  `*${args.length}\r\n${
    args.map((arg) => `$${bytes(arg).length}\r\n${arg}\r\n`).join("")
  }`;

/** Commands and the answers of Redis 7, from an empty state on. */
const DIALOGUE: [string, string][] = [
  [command("PING"), "+PONG\r\n"],
  [command("ping", "hello"), "$5\r\nhello\r\n"],
  [command("ECHO", ""), "$0\r\n\r\n"],
  [command("GET", "k"), "$-1\r\n"],
  [command("SET", "k", "v"), "+OK\r\n"],
  [command("GET", "k"), "$1\r\nv\r\n"],
  [command("SET", "k", "w", "NX"), "$-1\r\n"],
  [command("SET", "k", "w", "XX", "GET"), "$1\r\nv\r\n"],
  [command("SET", "none", "w", "xx"), "$-1\r\n"],
  [command("SET", "k", "w", "EX", "100"), "+OK\r\n"],
  [command("TTL", "k"), ":100\r\n"],
  [command("SET", "k", "x", "KEEPTTL"), "+OK\r\n"],
  [command("TTL", "k"), ":100\r\n"],
  [command("SET", "k", "x"), "+OK\r\n"],
  [command("TTL", "k"), ":-1\r\n"],
  [command("TTL", "none"), ":-2\r\n"],
  [
    command("SET", "k", "x", "PX", "0"),
    "-ERR invalid expire time in 'set' command\r\n",
  ],
  [command("SET", "k", "x", "EX", "1", "PX", "1"), "-ERR syntax error\r\n"],
  [command("SET", "k", "x", "NX", "XX"), "-ERR syntax error\r\n"],
  [command("SET", "k", "x", "EX"), "-ERR syntax error\r\n"],
  [
    command("SET", "k", "x", "EX", "a"),
    "-ERR value is not an integer or out of range\r\n",
  ],
  [command("SET", "k"), "-ERR wrong number of arguments for 'set' command\r\n"],
  [command("GET"), "-ERR wrong number of arguments for 'get' command\r\n"],
  [command("INCR", "n"), ":1\r\n"],
  [command("INCRBY", "n", "-41"), ":-40\r\n"],
  [command("DECR", "n"), ":-41\r\n"],
  [command("INCR", "k"), "-ERR value is not an integer or out of range\r\n"],
  [command("SET", "n", "9223372036854775807"), "+OK\r\n"],
  [command("INCR", "n"), "-ERR increment or decrement would overflow\r\n"],
  [command("SET", "n", "01"), "+OK\r\n"],
  [command("INCR", "n"), "-ERR value is not an integer or out of range\r\n"],
  [command("EXPIRE", "none", "1"), ":0\r\n"],
  [command("EXPIRE", "k", "1000"), ":1\r\n"],
  [command("TTL", "k"), ":1000\r\n"],
  [
    command("EXPIRE", "k", "x"),
    "-ERR value is not an integer or out of range\r\n",
  ],
  [command("EXPIRE", "k", "-1"), ":1\r\n"],
  [command("EXISTS", "k", "n", "n"), ":2\r\n"],
  [command("MSET", "a", "1", "b", "2"), "+OK\r\n"],
  [
    command("MSET", "a", "1", "b"),
    "-ERR wrong number of arguments for 'mset' command\r\n",
  ],
  [command("MGET", "a", "none", "b"), "*3\r\n$1\r\n1\r\n$-1\r\n$1\r\n2\r\n"],
  [command("DEL", "a", "none", "b", "a"), ":2\r\n"],
  [command("KEYS", "*"), "*1\r\n$1\r\nn\r\n"],
  [command("KEYS", "[^n]*"), "*0\r\n"],
  [command("KEYS", "[a-z]"), "*1\r\n$1\r\nn\r\n"],
  [command("KEYS", "\\n?"), "*0\r\n"],
  [command("CONFIG", "GET", "save"), "*2\r\n$4\r\nsave\r\n$0\r\n\r\n"],
  [command("CONFIG", "GET", "no-such"), "*0\r\n"],
  [command("SELECT", "0"), "+OK\r\n"],
  [command("SELECT", "99"), "-ERR DB index is out of range\r\n"],
  [
    command("NOPE", "a", "b"),
    "-ERR unknown command 'NOPE', with args beginning with: 'a' 'b' \r\n",
  ],
  [
    command("NO\r\nPE"),
    "-ERR unknown command 'NO  PE', with args beginning with: \r\n",
  ],
  [command("DBSIZE"), ":1\r\n"],
  ["PING\r\n", "+PONG\r\n"],
  ['\r\n\nECHO "a b"\r\n', "$3\r\na b\r\n"],
  ["echo 'a b'\n", "$3\r\na b\r\n"],
  ["*0\r\n*-1\r\nPING\r\n", "+PONG\r\n"],
];

/** Commands that end a connection, and the last answer. */
const WRONG: [string, string][] = [
  ["*x\r\n", "-ERR Protocol error: invalid multibulk length\r\n"],
  ["*9999999999\r\n", "-ERR Protocol error: invalid multibulk length\r\n"],
  ["*1\r\n+PING\r\n", "-ERR Protocol error: expected '$', got '+'\r\n"],
  ["*1\r\n$x\r\n", "-ERR Protocol error: invalid bulk length\r\n"],
  ["*1\r\n$-1\r\n", "-ERR Protocol error: invalid bulk length\r\n"],
  ["*1\r\n$9999999999\r\n", "-ERR Protocol error: invalid bulk length\r\n"],
  ['ECHO "a\r\n', "-ERR Protocol error: unbalanced quotes in request\r\n"],
  [
    "x".repeat(200_000),
    "-ERR Protocol error: too big inline request\r\n",
  ],
  ["*2\r\n$4\r\nECHO\r\n$5\r\nab", ""],
  ["QUIT\r\nPING\r\n", "+OK\r\n"],
];

/** Data for a new connection, and the answer of Redis 7.0.15 before it closes. */
const APART: [string, string][] = [
  ["*1\n$4\nPING\n", ""],
  ["*1\n$4\nPING\n\r\n", "-ERR Protocol error: invalid multibulk length\r\n"],
  ["*1\r\n$4\nPING\r\n", "-ERR Protocol error: invalid bulk length\r\n"],
  ["*1\r\n$04\r\nPING\r\n", "-ERR Protocol error: invalid bulk length\r\n"],
  ["*+1\r\n", "-ERR Protocol error: invalid multibulk length\r\n"],
  ["*-0\r\n", "-ERR Protocol error: invalid multibulk length\r\n"],
  ["*-1\r\nPING\r\n", "+PONG\r\n"],
  ["*-5\r\nPING\r\n", "+PONG\r\n"],
  ["*\r\n", "-ERR Protocol error: invalid multibulk length\r\n"],
  ["*1\r\n$\r\n", "-ERR Protocol error: invalid bulk length\r\n"],
  ["*1\r\n$-0\r\n", "-ERR Protocol error: invalid bulk length\r\n"],
  ["*1\r\n\r\n", "-ERR Protocol error: expected '$', got ' '\r\n"],
  ["*1\r\n$4\r\nPINGxx*1\r\n$4\r\nPING\r\n", "+PONG\r\n+PONG\r\n"],
  ["*1048576\r\n", ""],
  ["*2147483648\r\n", "-ERR Protocol error: invalid multibulk length\r\n"],
  [
    "*9223372036854775808\r\n",
    "-ERR Protocol error: invalid multibulk length\r\n",
  ],
  ['ECHO "a\\x41\\n\\r\\t\\b\\a\\q\\"z"\r\n', '$10\r\naA\n\r\t\b\u0007q"z\r\n'],
  ["ECHO 'a\\'b\\n'\r\n", "$5\r\na'b\\n\r\n"],
  ['ECHO foo"bar baz"\r\n', "$10\r\nfoobar baz\r\n"],
  ["ECHO foo'bar baz'\r\n", "$10\r\nfoobar baz\r\n"],
  ['ECHO "a"b\r\n', "-ERR Protocol error: unbalanced quotes in request\r\n"],
  ["ECHO 'a'b\r\n", "-ERR Protocol error: unbalanced quotes in request\r\n"],
  ['ECHO "a\r\n', "-ERR Protocol error: unbalanced quotes in request\r\n"],
  ['ECHO ""\r\n', "$0\r\n\r\n"],
  ['ECHO "" ""\r\n', "-ERR wrong number of arguments for 'echo' command\r\n"],
  ["ECHO a\tb\r\n", "-ERR wrong number of arguments for 'echo' command\r\n"],
  ["ECHO\ta\r\n", "$1\r\na\r\n"],
  [
    "ECHO\u000ba\r\n",
    "-ERR unknown command 'ECHO\u000ba', with args beginning with: \r\n",
  ],
  [
    "ECHO\fa\r\n",
    "-ERR unknown command 'ECHO\fa', with args beginning with: \r\n",
  ],
  ['ECHO "\\x4"\r\n', "$2\r\nx4\r\n"],
  ['ECHO "\\xzz"\r\n', "$3\r\nxzz\r\n"],
  ["ECHO \\n\r\n", "$2\r\n\\n\r\n"],
  ['ECHO a\\"b\r\n', "-ERR Protocol error: unbalanced quotes in request\r\n"],
  ["  PING  \r\n", "+PONG\r\n"],
  ["PING\r\r\n", "+PONG\r\n"],
  ['ECHO "a\\\r\n', "-ERR Protocol error: unbalanced quotes in request\r\n"],
  ["\r\n\r\nPING\n", "+PONG\r\n"],
  ["ECHO a\rb\r\n", "-ERR wrong number of arguments for 'echo' command\r\n"],
  ['""\r\n', "-ERR unknown command '', with args beginning with: \r\n"],
  ['"" a\r\n', "-ERR unknown command '', with args beginning with: 'a' \r\n"],
  ["'PING'\r\n", "+PONG\r\n"],
  ["GET / HTTP/1.1\r\nHost: x\r\n\r\nPING\r\n", ""],
  ["POST / HTTP/1.1\r\nHost: x\r\n\r\nPING\r\n", ""],
  ["HOST: x\r\nPING\r\n", ""],
  ["*1\r\n$536870913\r\n", "-ERR Protocol error: invalid bulk length\r\n"],
  ["*1\r\n$-1\r\n", "-ERR Protocol error: invalid bulk length\r\n"],
  ["*1\r\n$4\r\n", ""],
  [
    "*01\r\n$4\r\nPING\r\n",
    "-ERR Protocol error: invalid multibulk length\r\n",
  ],
  [command("POST", "x") + command("PING"), ""],
  [command("Host:", "x") + command("PING"), ""],
  [command("host:"), ""],
  [command("post"), ""],
  [command("HELLO", "4"), "-NOPROTO unsupported protocol version\r\n"],
  [
    command("HELLO", "x"),
    "-ERR Protocol version is not an integer or out of range\r\n",
  ],
  [
    command("HELLO", "2", "AUTH", "bob", "x"),
    "-WRONGPASS invalid username-password pair or user is disabled.\r\n",
  ],
  [
    command("HELLO", "2", "SETNAME", "a b"),
    "-ERR Client names cannot contain spaces, newlines or special characters.\r\n",
  ],
  [command("HELLO", "2", "FOO"), "-ERR Syntax error in HELLO option 'FOO'\r\n"],
  [
    command("HELLO", "2", "AUTH", "x"),
    "-ERR Syntax error in HELLO option 'AUTH'\r\n",
  ],
  [command("HELLO", "1"), "-NOPROTO unsupported protocol version\r\n"],
  [
    command("AUTH", "x"),
    "-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?\r\n",
  ],
  [command("AUTH", "default", "x"), "+OK\r\n"],
  [
    command("AUTH", "bob", "x"),
    "-WRONGPASS invalid username-password pair or user is disabled.\r\n",
  ],
  [
    command("MULTI") + command("SET", "k", "1") + command("INCR", "k") +
    command("GET") + command("EXEC"),
    "+OK\r\n+QUEUED\r\n+QUEUED\r\n-ERR wrong number of arguments for 'get' command\r\n-EXECABORT Transaction discarded because of previous errors.\r\n",
  ],
  [
    command("MULTI") + command("SET", "k", "1") + command("INCR", "k") +
    command("EXEC"),
    "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n:2\r\n",
  ],
  [command("EXEC"), "-ERR EXEC without MULTI\r\n"],
  [command("DISCARD"), "-ERR DISCARD without MULTI\r\n"],
  [
    command("MULTI") + command("MULTI") + command("EXEC"),
    "+OK\r\n-ERR MULTI calls can not be nested\r\n*0\r\n",
  ],
  [
    command("MULTI") + command("WATCH", "a") + command("EXEC"),
    "+OK\r\n-ERR WATCH inside MULTI is not allowed\r\n*0\r\n",
  ],
  [
    command("MULTI") + command("NOPE") + command("EXEC"),
    "+OK\r\n-ERR unknown command 'NOPE', with args beginning with: \r\n-EXECABORT Transaction discarded because of previous errors.\r\n",
  ],
  [
    command("MULTI") + command("DISCARD") + command("EXEC"),
    "+OK\r\n+OK\r\n-ERR EXEC without MULTI\r\n",
  ],
  [
    command("MULTI") + command("SET", "k", "x") + command("INCR", "k") +
    command("GET", "k") + command("EXEC"),
    "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n+OK\r\n-ERR value is not an integer or out of range\r\n$1\r\nx\r\n",
  ],
  [
    command("WATCH", "k") + command("SET", "k", "2") + command("MULTI") +
    command("PING") + command("EXEC") + command("PING"),
    "+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n*-1\r\n+PONG\r\n",
  ],
  [
    command("WATCH", "k") + command("SET", "k", "2") + command("UNWATCH") +
    command("MULTI") + command("PING") + command("EXEC"),
    "+OK\r\n+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n+PONG\r\n",
  ],
  [
    command("WATCH", "k") + command("MULTI") + command("PING") +
    command("EXEC"),
    "+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n+PONG\r\n",
  ],
  [command("MULTI") + command("EXEC"), "+OK\r\n*0\r\n"],
  [
    command("MULTI", "x"),
    "-ERR wrong number of arguments for 'multi' command\r\n",
  ],
  [command("WATCH"), "-ERR wrong number of arguments for 'watch' command\r\n"],
  [
    command("MULTI") + command("SELECT", "0") + command("QUIT") +
    command("PING"),
    "+OK\r\n+QUEUED\r\n+OK\r\n",
  ],
  [
    command("MULTI") + command("SET", "k", "x", "EX", "a") + command("EXEC"),
    "+OK\r\n+QUEUED\r\n*1\r\n-ERR value is not an integer or out of range\r\n",
  ],
  [
    command("MULTI") + command("RESET") + command("EXEC"),
    "+OK\r\n+RESET\r\n-ERR EXEC without MULTI\r\n",
  ],
  [command("RESET"), "+RESET\r\n"],
  [
    command("WATCH", "nk") + command("DEL", "nk") + command("MULTI") +
    command("PING") + command("EXEC"),
    "+OK\r\n:0\r\n+OK\r\n+QUEUED\r\n*1\r\n+PONG\r\n",
  ],
  [
    command("SET", "wk", "1") + command("WATCH", "wk") + command("FLUSHALL") +
    command("MULTI") + command("PING") + command("EXEC"),
    "+OK\r\n+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n*-1\r\n",
  ],
  [
    command("WATCH", "nk2") + command("FLUSHALL") + command("MULTI") +
    command("PING") + command("EXEC"),
    "+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n+PONG\r\n",
  ],
  [
    command("SET", "wk", "1") + command("WATCH", "wk") +
    command("EXPIRE", "wk", "100") + command("MULTI") + command("PING") +
    command("EXEC"),
    "+OK\r\n+OK\r\n:1\r\n+OK\r\n+QUEUED\r\n*-1\r\n",
  ],
  [command("DECRBY", "n", "5"), ":-5\r\n"],
  [
    command("DECRBY", "n", "-9223372036854775808"),
    "-ERR decrement would overflow\r\n",
  ],
  [
    command("DECRBY", "n", "x"),
    "-ERR value is not an integer or out of range\r\n",
  ],
  [
    command("DECRBY", "n"),
    "-ERR wrong number of arguments for 'decrby' command\r\n",
  ],
  [
    command("INCRBY", "n", "01"),
    "-ERR value is not an integer or out of range\r\n",
  ],
  [command("CLIENT", "GETNAME"), "$-1\r\n"],
  [
    command("CLIENT", "SETNAME", "x") + command("CLIENT", "GETNAME"),
    "+OK\r\n$1\r\nx\r\n",
  ],
  [
    command("CLIENT", "SETNAME", "x y"),
    "-ERR Client names cannot contain spaces, newlines or special characters.\r\n",
  ],
  [
    command("CLIENT"),
    "-ERR wrong number of arguments for 'client' command\r\n",
  ],
  [
    command("CLIENT", "NOPE"),
    "-ERR unknown subcommand 'NOPE'. Try CLIENT HELP.\r\n",
  ],
  [
    command("CLIENT", "SETNAME"),
    "-ERR wrong number of arguments for 'client|setname' command\r\n",
  ],
  [
    command("CONFIG"),
    "-ERR wrong number of arguments for 'config' command\r\n",
  ],
  [
    command("CONFIG", "NOPE"),
    "-ERR unknown subcommand 'NOPE'. Try CONFIG HELP.\r\n",
  ],
  [
    command("CONFIG", "GET"),
    "-ERR wrong number of arguments for 'config|get' command\r\n",
  ],
  [
    command("PING", "a", "b"),
    "-ERR wrong number of arguments for 'ping' command\r\n",
  ],
  [command("FLUSHALL", "x"), "-ERR syntax error\r\n"],
  [command("FLUSHALL", "ASYNC"), "+OK\r\n"],
  [command("SELECT", "x"), "-ERR value is not an integer or out of range\r\n"],
  [
    command("EXPIRE", "k", "9223372036854775807"),
    "-ERR invalid expire time in 'expire' command\r\n",
  ],
  [command(""), "-ERR unknown command '', with args beginning with: \r\n"],
  [
    command("", "a"),
    "-ERR unknown command '', with args beginning with: 'a' \r\n",
  ],
];

redis("answers as Redis does on a connection of its own", async ({ port }) => {
  for (const [asked, answer] of APART) {
    assertEquals(await ask(port, asked), answer, asked);
  }
});

redis("says HELLO and INFO as clients want it", async ({ port }) => {
  const hello = await ask(port, command("HELLO", "2"));
  assertMatch(
    hello,
    /^\*14\r\n\$6\r\nserver\r\n\$5\r\nredis\r\n.*\$5\r\nproto\r\n:2\r\n\$2\r\nid\r\n:\d+\r\n.*\$7\r\nmodules\r\n\*0\r\n$/s,
  );
  const third = command("HELLO", "3") + command("GET", "none") +
    command("CONFIG", "GET", "save") + command("HELLO", "4") +
    command("SET", "k", "1") + command("WATCH", "k") + command("DEL", "k") +
    command("MULTI") + command("EXEC") + command("RESET") + command("GET", "k");
  assertMatch(
    await ask(port, third),
    /^%7\r\n.*\$5\r\nproto\r\n:3\r\n.*\*0\r\n_\r\n%1\r\n\$4\r\nsave\r\n\$0\r\n\r\n-NOPROTO [^\n]*\n\+OK\r\n\+OK\r\n:1\r\n\+OK\r\n_\r\n\+RESET\r\n\$-1\r\n$/s,
  );
  const named = command("HELLO", "2", "AUTH", "default", "x", "SETNAME", "me") +
    command("CLIENT", "GETNAME");
  assert((await ask(port, named)).endsWith("$2\r\nme\r\n"));
  assertMatch(await ask(port, command("INFO")), /^loading:0\r$/m);
  const info = await ask(port, command("INFO", "replication", "nope"));
  assertMatch(info, /^\$\d+\r\n# Replication\r\nrole:master\r\n[^#]*$/);
  const first = await ask(port, command("CLIENT", "ID"));
  assert(first !== await ask(port, command("CLIENT", "ID")));
});

redis(
  "carries out no transaction whose keys somebody else has changed",
  async ({ port }) => {
    using client = await connect(port);
    using file = client.makefile("rb");
    const say = async (asked: string, answer: string) => {
      await client.sendall(bytes(asked));
      assertEquals(text(await within(file.readexactly(answer.length))), answer);
    };
    const transaction = command("MULTI") + command("INCR", "n") +
      command("EXEC");
    await say(
      command("SET", "k", "1", "PX", "50") + command("WATCH", "k", "other"),
      "+OK\r\n+OK\r\n",
    );
    assertEquals(await ask(port, command("SET", "other", "1")), "+OK\r\n");
    await say(transaction, "+OK\r\n+QUEUED\r\n*-1\r\n");
    await say(transaction, "+OK\r\n+QUEUED\r\n*1\r\n:1\r\n");
    await say(command("WATCH", "other"), "+OK\r\n");
    assertEquals(await ask(port, command("GET", "other")), "$1\r\n1\r\n");
    await say(transaction, "+OK\r\n+QUEUED\r\n*1\r\n:2\r\n");
  },
);

redis("refuses a transaction without an end", async ({ port }) => {
  const many = await ask(
    port,
    command("MULTI") + command("PING").repeat(10_001) + command("EXEC"),
  );
  assert(
    many.endsWith(
      "-ERR the transaction is too large\r\n-EXECABORT Transaction discarded because of previous errors.\r\n",
    ),
  );
});

/** Returns the bytes of memory of a process. */
function memoryOf(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)![1]) * 1024;
}

redis(
  "does not let a few megabytes of empty arguments fill the memory",
  async ({ port, pid }) => {
    const before = memoryOf(pid);
    const clients: Socket[] = [];
    try {
      for (let count = 0; count < 3; count++) {
        const client = await connect(port);
        clients.push(client);
        await client.sendall(
          bytes(`*1000000\r\n${"$0\r\n\r\n".repeat(900_000)}`),
        )
          .catch(() => {}); // perhaps refused already
        const answer = await within(client.recv(1000));
        assertEquals(
          text(answer),
          "-ERR Protocol error: invalid bulk length\r\n",
        );
      }
      assert(memoryOf(pid) - before < 150e6, `${memoryOf(pid) - before}`);
    } finally {
      for (const client of clients) client.close();
    }
  },
  Deno.build.os !== "linux",
);

empty("answers as Redis does, and to all at once", async ({ port }) => {
  using client = await connect(port);
  using file = client.makefile("rb");
  for (const [asked, answer] of DIALOGUE) {
    await client.sendall(bytes(asked));
    const got = await within(file.readexactly(answer.length));
    assertEquals(text(got), answer, asked);
  }
  await client.sendall(bytes(command("FLUSHALL")));
  await file.readline();
  const all = await ask(port, DIALOGUE.map(([asked]) => asked).join(""));
  assertEquals(all, DIALOGUE.map(([, answer]) => answer).join(""));
});

redis(
  "ends a connection that makes no sense, and says why",
  async ({ port }) => {
    for (const [asked, answer] of WRONG) {
      assertEquals(
        await ask(port, command("PING") + asked),
        `+PONG\r\n${answer}`,
        asked,
      );
    }
  },
);

empty("forgets what has ended", async ({ port }) => {
  assertEquals(
    await ask(port, command("SET", "k", "v", "PX", "99999")),
    "+OK\r\n",
  );
  assertMatch(await ask(port, command("PTTL", "k")), /^:\d{5}\r\n$/);
  assertEquals(
    await ask(port, command("SET", "k", "v", "PX", "50")),
    "+OK\r\n",
  );
  const gone = async () => {
    while (await ask(port, command("EXISTS", "k")) === ":1\r\n") await delay(5);
  };
  await deadline(gone(), 30_000);
  assertEquals(await ask(port, command("DBSIZE")), ":0\r\n");
});

redis("keeps any bytes", async ({ port }) => {
  const value = Uint8Array.from({ length: 100_000 }, (_, i) => i * 31);
  using client = await connect(port);
  using file = client.makefile("rb");
  await client.sendall(
    bytes(`*3\r\n$3\r\nSET\r\n$3\r\n\0\r\n\r\n$${value.length}\r\n`),
  );
  await client.sendall(value);
  await client.sendall(bytes("\r\n*2\r\n$3\r\nGET\r\n$3\r\n\0\r\n\r\n"));
  assertEquals(text(await file.readline()), "+OK\r\n");
  assertEquals(text(await file.readline()), `$${value.length}\r\n`);
  assertEquals(new Uint8Array(await file.readexactly(value.length)), value);
});

empty("answers redis-cli", async ({ port }) => {
  const cli = (...args: string[]) =>
    talk("redis-cli", ["-p", port, ...args], "");
  assertEquals(await cli("SET", "key", "some value", "EX", "60"), "OK\n");
  assertEquals(await cli("GET", "key"), "some value\n");
  assertMatch(await cli("TTL", "key"), /^(60|5\d)\n$/); // a second or more may have passed
  assertEquals(
    await talk("redis-cli", ["-p", port], "incr n\nincr n\nkeys *\n"),
    "1\n2\nkey\nn\n",
  );
  const lines = Array(1000).keys().map((i) => command("SET", `k${i}`, `${i}`))
    .toArray();
  const piped = await talk("redis-cli", ["-p", port, "--pipe"], lines.join(""));
  assertMatch(piped, /errors: 0, replies: 1000/);
}, !have("redis-cli"));

redis("answers redis-benchmark, pipelined too", async ({ port }) => {
  for (const depth of ["1", "16"]) {
    const args = [
      "-p",
      port,
      "-t",
      "ping,set,get,incr,mset",
      "-n",
      "1000",
      "-P",
      depth,
      "--csv",
    ];
    const report = await talk("redis-benchmark", args, "");
    assertEquals(
      report.match(
        /^"(PING_INLINE|PING_MBULK|SET|GET|INCR|MSET \(10 keys\))",/gm,
      )?.length,
      6,
      report,
    );
  }
}, !have("redis-benchmark"));

Deno.test({
  name:
    "Redis itself gives the answers that the tests of examples/redis.ts expect",
  ignore: !mayRun || !have("redis-server"),
  async fn() {
    const directory = await Deno.makeTempDir();
    const port = String(freePort());
    const args = [
      "--port",
      port,
      "--save",
      "",
      "--dir",
      directory,
      "--bind",
      "127.0.0.1",
    ];
    const child = boundedCommand("redis-server", { args, stdout: "null" })
      .spawn();
    const up = async () => {
      for (;;) {
        try {
          return await ask(port, "FLUSHALL\r\n");
        } catch {
          await delay(20); // nothing tells that Redis listens
        }
      }
    };
    try {
      await deadline(up(), 30_000);
      for (const [asked, answer] of DIALOGUE) {
        assertEquals(await ask(port, asked), answer, asked);
      }
      for (const [asked, answer] of [["FLUSHALL\r\n", "+OK\r\n"], ...APART]) {
        assertEquals(await ask(port, asked), answer, asked);
      }
      // The server resets a client that is still sending.
      const short = WRONG.filter(([asked]) => asked.length < 1000);
      for (const [asked, answer] of short) {
        assertEquals(await ask(port, asked), answer, asked);
      }
    } finally {
      child.kill("SIGKILL");
      await child.status;
      await Deno.remove(directory, { recursive: true });
    }
  },
});

redis(
  "survives 1,000 messages with changes, and still answers",
  async ({ port }) => {
    const corpus = [
      command("SET", "key", "value", "EX", "10", "NX") + command("GET", "key"),
      command("MSET", "a", "1", "b", "2") + command("KEYS", "*[a-z]?"),
      command("INCR", "n") + command("EXPIRE", "n", "100"),
      ...WRONG.map(([asked]) => asked).filter((asked) => asked.length < 1000),
      ...APART.map(([asked]) => asked),
      "SET \"a b\" 'c'\r\nPING\r\n",
    ].map(bytes);
    const lost = (error: { code?: string }) => {
      if (error.code !== "ECONNRESET" && error.code !== "EPIPE") throw error;
    };
    const one = async (message: Uint8Array) => {
      const answer = await ask(port, message);
      assert(/^($|[-+:$*])/.test(answer), answer);
    };
    const property = fc.asyncProperty(
      mutated(corpus),
      (message) => one(message).catch(lost),
    );
    await fuzz("redis", 1000, property);
    assertEquals(await ask(port, command("PING")), "+PONG\r\n");
  },
);
