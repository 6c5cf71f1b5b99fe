import * as main from "../../mod.ts";
import * as ssl from "../../ssl.ts";
import { assert, assertEquals } from "../deps.ts";
import { granted, havePython } from "../helpers/allowed.ts";
import { readable, readTable } from "./porting_table.ts";
import { python } from "../helpers/python.ts";

const module = { ...main, ...ssl };

class Handler extends module.StreamRequestHandler {}
class DatagramHandler extends module.DatagramRequestHandler {}
const unbound = { bindAndActivate: false };

/** Returns a stand-in for a server that cannot be made with the net permission alone. It has the members and statics of the class. */
function unmade(Class: { prototype: object }): object {
  return Object.create(
    Class.prototype,
    Object.getOwnPropertyDescriptors(Class),
  );
}

const samples: Record<string, object> = {
  Socket: new module.Socket(),
  BaseServer: new module.TCPServer(["", 0], Handler, unbound),
  TCPServer: new module.TCPServer(["", 0], Handler, unbound),
  UDPServer: new module.UDPServer(["", 0], DatagramHandler, unbound),
  UnixStreamServer: new module.UnixStreamServer("x", Handler, unbound),
  UnixDatagramServer: new module.UnixDatagramServer(
    "x",
    DatagramHandler,
    unbound,
  ),
  AsyncMixIn: new module.AsyncTCPServer(["", 0], Handler, unbound),
  ThreadingMixIn: unmade(module.ThreadingTCPServer),
  ForkingMixIn: unmade(module.ForkingTCPServer),
  BaseRequestHandler: Handler.prototype,
  StreamRequestHandler: Reflect.construct(Handler, []),
  DatagramRequestHandler: module.DatagramRequestHandler.prototype,
  SSLContext: new module.SSLContext(module.PROTOCOL_TLS_SERVER),
  SSLSocket: Object.assign(Object.create(module.SSLSocket.prototype), {
    context: null,
    serverSide: true,
    serverHostname: null,
  }),
  warnings: module.warnings,
  SSLError: new module.SSLError(""),
  SSLCertVerificationError: new module.SSLCertVerificationError(""),
};

/** Whether a name such as `Socket.recv` or `select` is one of this module's. */
function exists(name: string): boolean {
  const [owner, member] = name.split(".");
  const exported = (module as Record<string, unknown>)[owner];
  if (exported === undefined || member === undefined) {
    return exported !== undefined;
  }
  return member in samples[owner] || member in (exported as object);
}

Deno.test({
  name: "docs/porting.md names only what exists",
  ignore: !readable,
  async fn() {
    const table = await readTable();
    assert(table.length > 130, `only ${table.length} rows were read`);
    assertEquals(
      table.filter(({ here }) => here !== undefined && !exists(here)),
      [],
    );
  },
});

const PUBLIC_NAMES = `
import inspect, socketserver, ssl
def public(obj): return [n for n in vars(obj) if not n.startswith('_')]
def members(names): return names + [f'{c}.{n}' for c in names for n in public(getattr(socketserver, c))]
enums = {'AddressFamily', 'AddressInfo', 'IntEnum', 'IntFlag', 'MsgFlag', 'SocketKind'}
def is_function(n): return inspect.isroutine(getattr(socket, n)) or inspect.isclass(getattr(socket, n))
return {
    'The socket object': [n for n in dir(socket.socket) if not n.startswith('_')],
    'Functions of \`socket\`': [n for n in public(socket) if is_function(n) and n not in enums],
    'Servers': members(['BaseServer', 'TCPServer', 'UDPServer', 'UnixStreamServer', 'UnixDatagramServer']),
    'Mix-ins': members(['ThreadingMixIn', 'ForkingMixIn'] + [n for n in dir(socketserver) if n.startswith(('Threading', 'Forking')) and n.endswith('Server')]),
    'TLS contexts': ['SSLContext'] + ['SSLContext.' + n for n in dir(ssl.SSLContext) if not n.startswith('_')],
    'TLS sockets': ['SSLSocket'] + ['SSLSocket.' + n for n in dir(ssl.SSLSocket) if not n.startswith('_') and n not in dir(socket.socket)],
    'Functions and errors of \`ssl\`': [n for n in public(ssl) if (inspect.isroutine(getattr(ssl, n)) or inspect.isclass(getattr(ssl, n))) and n not in {'SSLContext', 'SSLSocket', 'namedtuple', 'socket', 'create_connection', 'socket_error', 'DefaultVerifyPaths'}],
    'Handlers': members(['BaseRequestHandler', 'StreamRequestHandler', 'DatagramRequestHandler']),
}
`;

Deno.test({
  name: "docs/porting.md has every public name of CPython",
  ignore: !readable || !havePython(),
  async fn() {
    const [sections] = await python(PUBLIC_NAMES, [[]]) as [
      Record<string, string[]>,
    ];
    const table = await readTable();
    for (const [section, names] of Object.entries(sections)) {
      const there = new Set(
        table.filter((row) => row.section === section).map((row) => row.python),
      );
      assertEquals(names.filter((name) => !there.has(name)), [], section);
    }
  },
});

Deno.test({
  name: "each class, function and constant of the package is named on a page",
  ignore: !readable || !granted("read"),
  async fn() {
    const folder = new URL("../../docs/", import.meta.url);
    let text = "";
    for await (const { name } of Deno.readDir(folder)) {
      text += await Deno.readTextFile(new URL(name, folder));
    }
    const words = new Set(text.match(/\w+/g));
    assertEquals(Object.keys(module).filter((name) => !words.has(name)), []);
  },
});
