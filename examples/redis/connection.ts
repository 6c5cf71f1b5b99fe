/**
 * The commands about the connection and the server, which clients send before they begin.
 *
 * @module
 */

import { type Bytes, fromLatin1, latin1 } from "./bytes.ts";
import {
  type Client,
  type Command,
  CommandError,
  integer,
  OK,
} from "./commands.ts";
import { matches } from "./glob.ts";
import { type Reply, simple, type Version } from "./resp.ts";
import type { Store } from "./store.ts";

/** The version of Redis with these words. */
const VERSION = "7.0.15";
const PONG = simple("PONG");

const CONFIG: Record<string, string> = {
  save: "",
  appendonly: "no",
  databases: "1",
  maxmemory: "0",
};

/** CONFIG GET pattern [pattern ...] */
function config(_: Store, [what, ...patterns]: Bytes[]): Reply {
  if (latin1(what).toLowerCase() !== "get") throw unknown("config", what);
  if (patterns.length === 0) throw wrongNumber("config|get");
  const names = Object.keys(CONFIG).filter((name) =>
    patterns.some((each) => matches(latin1(each).toLowerCase(), name))
  );
  return new Map(names.map((name) => [name, fromLatin1(CONFIG[name])]));
}

/** CLIENT ID | GETNAME | SETNAME name */
function client(_: Store, [what, ...args]: Bytes[], client: Client): Reply {
  const subcommand = latin1(what).toLowerCase();
  const count = { id: 0, getname: 0, setname: 1 }[subcommand];
  if (count === undefined) throw unknown("client", what);
  if (args.length !== count) throw wrongNumber(`client|${subcommand}`);
  if (subcommand === "id") return client.id;
  if (subcommand === "getname") {
    return client.name === "" ? null : fromLatin1(client.name);
  }
  client.name = clientName(args[0]);
  return OK;
}

function clientName(arg: Bytes): string {
  const name = latin1(arg);
  if (/^[!-~]*$/.test(name)) return name;
  throw new CommandError(
    "ERR Client names cannot contain spaces, newlines or special characters.",
  );
}

/** HELLO [2 | 3 [AUTH user password] [SETNAME name]] */
function hello(_: Store, [wanted, ...rest]: Bytes[], client: Client): Reply {
  const version = versionOf(wanted) ?? client.version;
  for (let i = 0; i < rest.length;) {
    const option = latin1(rest[i]);
    if (/^auth$/i.test(option) && i + 2 < rest.length) {
      checkUser(rest[i + 1]);
      i += 3;
    } else if (/^setname$/i.test(option) && i + 1 < rest.length) {
      client.name = clientName(rest[i + 1]);
      i += 2;
    } else {throw new CommandError(
        `ERR Syntax error in HELLO option '${option}'`,
      );}
  }
  client.version = version;
  return new Map<string, Reply>([
    ["server", fromLatin1("redis")],
    ["version", fromLatin1(VERSION)],
    ["proto", version],
    ["id", client.id],
    ["mode", fromLatin1("standalone")],
    ["role", fromLatin1("master")],
    ["modules", []],
  ]);
}

function versionOf(arg: Bytes | undefined): Version | undefined {
  if (arg === undefined) return undefined;
  const wrong = "ERR Protocol version is not an integer or out of range";
  const number = integer(arg, wrong);
  if (number === 2n || number === 3n) return number === 2n ? 2 : 3;
  throw new CommandError("NOPROTO unsupported protocol version");
}

/** AUTH [user] password. The one user has no password. */
function auth(_: Store, [user, password]: Bytes[]): Reply {
  if (password === undefined) {
    throw new CommandError(
      "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
    );
  }
  checkUser(user);
  return OK;
}

function checkUser(user: Bytes): void {
  if (latin1(user) === "default") return;
  throw new CommandError(
    "WRONGPASS invalid username-password pair or user is disabled.",
  );
}

/** The fields of INFO, by sections. */
function sections(store: Store): Record<string, Record<string, unknown>> {
  const keys = store.keys().length;
  const { heapUsed, rss } = Deno.memoryUsage();
  return {
    Server: {
      redis_version: VERSION,
      redis_mode: "standalone",
      process_id: Deno.pid,
      uptime_in_seconds: Math.floor(performance.now() / 1000),
    },
    Memory: { used_memory: heapUsed, used_memory_rss: rss },
    Persistence: { loading: 0 },
    Replication: { role: "master", connected_slaves: 0 },
    Cluster: { cluster_enabled: 0 },
    Keyspace: keys > 0 ? { db0: `keys=${keys}` } : {},
  };
}

/** INFO [section ...] */
function info(store: Store, args: Bytes[]): Reply {
  const wanted = new Set(args.map((arg) => latin1(arg).toLowerCase()));
  const all = wanted.size === 0 ||
    ["all", "default", "everything"].some((each) => wanted.has(each));
  const shown = Object.entries(sections(store))
    .filter(([name]) => all || wanted.has(name.toLowerCase()))
    .map(([name, facts]) =>
      `# ${name}\r\n` +
      Object.entries(facts).map(([key, value]) => `${key}:${value}\r\n`)
        .join("")
    );
  return fromLatin1(shown.join("\r\n"));
}

function select(_: Store, [index]: Bytes[]): Reply {
  const number = integer(index);
  if (number === 0n) return OK;
  throw new CommandError("ERR DB index is out of range");
}

function unknown(name: string, subcommand: Bytes): CommandError {
  return new CommandError(
    `ERR unknown subcommand '${
      latin1(subcommand)
    }'. Try ${name.toUpperCase()} HELP.`,
  );
}

function wrongNumber(name: string): CommandError {
  return new CommandError(
    `ERR wrong number of arguments for '${name}' command`,
  );
}

/** The commands of a connection, by names in lower case. */
export const CONNECTION_COMMANDS: Record<string, Command> = {
  ping: [0, 1, (_, [text]) => text ?? PONG],
  echo: [1, 1, (_, [text]) => text],
  select: [1, 1, select],
  config: [1, Infinity, config],
  client: [1, Infinity, client],
  hello: [0, Infinity, hello],
  auth: [1, 2, auth],
  info: [0, Infinity, info],
  command: [0, Infinity, () => []], // tells nothing of them, which clients can live with
};
