"""Runs the steps of scenarios with CPython's socket and socketserver; scenario.ts says what they mean."""

import contextlib
import errno
import io
import os
import re
import select
import socket
import socketserver
import ssl
import tempfile
import threading

STEP = re.compile(r"^(&?)(!?)(?:([\w, ]+?) *= *)?(?:(\w+)\.)?(\w+)(\??)$")
EAI = {
    getattr(socket, name): name for name in dir(socket) if name.startswith("EAI_")
}
LONG = 10_000  # bytes that are more are shown by their number
RENAMED = {"gaierror": "GaiError", "herror": "HError"}


class World:
    """The named results of a scenario, and what it writes down."""

    def __init__(self, subject=None, where=None):
        self.names = {}
        self.lines = []
        self.subject = subject  # a handler, whose attributes are names too
        self.where = where or tempfile.mkdtemp(prefix="conformance-")
        self.cleanup = contextlib.ExitStack()

    def run(self, steps):
        for step in steps:
            self.step(*step)

    def step(self, what, *args):
        background, fatal, names, target, method, attribute = STEP.match(what).groups()
        call = lambda: self.call(target, method, attribute, [self.value(a) for a in args])
        if background:
            self.names[names] = Background(lambda: self.attempt(call))
            return
        if fatal:
            result = call()
            self.keep(names, result)
            text = self.show(result)
        else:
            text = self.attempt(call, names, method)
        self.lines.append(f"{what} -> {text}")

    def attempt(self, call, names=None, method=None):
        try:
            result = call()
        except Told:
            raise
        except Exception as error:
            return self.failure(error)
        if isinstance(result, Background):
            return result.text
        self.keep(names, result)
        if method == "fileno" and result > 0:
            return "FD"
        return self.show(result)

    def keep(self, names, result):
        if not names:
            return
        names = [name.strip() for name in names.split(",")]
        for name, value in zip(names, result if len(names) > 1 else [result]):
            self.names[name] = value
            if hasattr(value, "close"):
                self.cleanup.callback(quietly, value.close)

    def call(self, target, method, attribute, args):
        kwargs = args.pop().args if args and isinstance(args[-1], Keywords) else {}
        if target is None:
            own = getattr(self, "do_" + method, None)
            function = own or getattr(select if method == "select" else socket, method)
        else:
            function = getattr(self.find(target), method)
        return function if attribute else function(*args, **kwargs)

    def find(self, name):
        if name in self.names:
            return self.names[name]
        return getattr(self.subject, name)

    def value(self, value):
        if isinstance(value, list):
            return tuple(self.value(each) for each in value)
        if not isinstance(value, dict):
            return value
        [(kind, given)] = value.items()
        if kind == "bytes":
            return given.encode("latin-1")
        if kind == "ref":
            return self.find(given)
        if kind == "const":
            total = 0
            for name in given.split("|"):
                total |= getattr(socket, name)
            return total
        if kind == "addr":
            found = self.find(given)
            address = getattr(found, "server_address", None) or found.getsockname()
            return address if isinstance(address, str) else address[:2]
        if kind == "tmp":
            return os.path.join(self.where, given)
        return Keywords({name: self.value(each) for name, each in given.items()})

    def failure(self, error):
        name = type(error).__name__
        code = ""
        if isinstance(error, socket.gaierror):
            code = EAI.get(error.errno, "")
        elif isinstance(error, OSError) and error.errno is not None:
            code = errno.errorcode.get(error.errno, str(error.errno))
            code = {"ENOTSUP": "EOPNOTSUPP"}.get(code, code)  # one number
        return f"!{RENAMED.get(name, name)} {code}".rstrip()

    def show(self, value):
        for name, known in self.names.items():
            if known is value and not isinstance(value, (int, str, bytes, tuple, type(None))):
                if not isinstance(value, bytearray):
                    return f"<{name}>"
        if isinstance(value, (list, tuple)):
            parts = [self.show(each) for each in value]
            if len(value) in (2, 4) and isinstance(value[0], str) and isinstance(value[1], int):
                if value[1] > 1023:
                    parts[1] = "PORT"
            return "[" + ", ".join(parts) + "]"
        if isinstance(value, (bytes, bytearray, memoryview)):
            if len(value) > LONG:
                return f"bytes({len(value)})"
            return "b" + quoted(bytes(value).decode("latin-1"))
        if isinstance(value, str):
            return quoted(value.replace(self.where, "TMP"))
        if value is None or isinstance(value, bool):
            return {None: "null", True: "true", False: "false"}[value]
        if isinstance(value, float):
            return f"{value:g}"
        if isinstance(value, int):
            return str(int(value))
        return "<socket>" if isinstance(value, socket.socket) else "<object>"

    # The runner's own words.

    def do_bytearray(self, size):
        return bytearray(size)

    def do_file(self, content):
        path = os.path.join(self.where, f"file{len(self.names)}")
        with open(path, "wb") as file:
            file.write(content)
        return open(path, "rb")

    def do_create_tls_connection(self, *args):
        plain = socket.create_connection(*args)
        return client_context.wrap_socket(plain, server_hostname="localhost")

    def do_show(self, name):
        return self.find(name)

    def do_lines(self, name):
        return list(self.find(name))

    def do_drain(self, name):
        return b"".join(iter(lambda: self.find(name).recv(65536), b""))

    def do_take(self, name, size):
        found = b""
        while len(found) < size:
            more = self.find(name).recv(size - len(found))
            if not more:
                break
            found += more
        return found

    def do_with(self, name):
        with self.find(name):
            pass

    def do_raise(self, text):
        raise Told(text)

    def do_tell(self):
        text = "".join(line + "\n" for line in self.lines).encode()
        subject = self.subject
        if hasattr(subject, "wfile"):
            subject.wfile.write(text)
        elif isinstance(subject.request, tuple):
            subject.request[1].sendto(text, subject.client_address)
        else:
            subject.request.sendall(text)

    def do_join(self, name):
        return self.names[name].result()

    def close(self):
        self.cleanup.close()


class Told(Exception):
    """What a step raises that is to end a handler."""


class Keywords:
    def __init__(self, args):
        self.args = args


class Background:
    """A step that goes on in a thread; joining it shows what it wrote down."""

    def __init__(self, attempt):
        self.attempt = attempt
        self.text = None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        self.text = self.attempt()

    def result(self):
        self.thread.join()
        return self


def quietly(close):
    with contextlib.suppress(Exception):
        close()


def quoted(text):
    escaped = re.sub(
        r'[^ !#-\[\]-~]', lambda found: f"\\x{ord(found[0]):02x}", text
    )
    return f'"{escaped}"'


def handler_class(spec):
    base = getattr(socketserver, spec["base"])

    class Handler(base):
        world = None

        def setup(self):
            super().setup()
            self.world = World(self)
            if isinstance(self.request, tuple):
                self.world.names["packet"], self.world.names["socket"] = self.request
            self.world.run(spec.get("setup", []))

        def handle(self):
            self.world.run(spec.get("handle", []))

        def finish(self):
            self.world.run(spec.get("finish", []))
            super().finish()

    for name, value in spec.get("attrs", {}).items():
        setattr(Handler, name, value)
    return Handler


testdata = os.path.join(os.path.dirname(__file__), "../testdata")
certificate = os.path.join(testdata, "localhost.crt")
client_context = ssl.create_default_context(cafile=certificate)
server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
server_context.load_cert_chain(certificate, os.path.join(testdata, "localhost.key"))


class TLSServer(socketserver.TCPServer):
    def get_request(self):
        plain, address = super().get_request()
        return server_context.wrap_socket(plain, server_side=True), address


def server_class(spec, hooks):
    tls = spec["transport"] == "TLSServer"
    base = TLSServer if tls else getattr(socketserver, spec["transport"])
    mixin = {"": None, "Async": "Threading"}.get(spec["way"], spec["way"])
    bases = (base,) if mixin is None else (getattr(socketserver, mixin + "MixIn"), base)
    Server = type("Server", bases, dict(spec.get("attrs", {})))
    for name, result in spec.get("hooks", {}).items():
        setattr(Server, name, noted(name, result, hooks, Server))
    if not hasattr(Server.handle_error, "noted"):
        Server.handle_error = lambda *args: None
    return Server


def noted(name, result, hooks, Server):
    above = getattr(Server, name)

    def method(self, *args):
        if name != "handle_error":
            hooks.append(name)
            if isinstance(result, dict):
                raise ValueError(result["raises"])
            return above(self, *args) if result is None else result
        with contextlib.redirect_stderr(io.StringIO()) as printed:
            above(self, *args)
        hooks.extend(["handle_error", *report(printed.getvalue())])

    method.noted = True
    return method


def report(text):
    """What handle_error prints, without the traceback."""
    lines = text.strip().split("\n")
    rule = lambda line: "-" * 40 if set(line) == {"-"} else line
    first = re.sub(r"\('([^']*)', \d+(, \d+)*\)", r"(\1)", lines[1])
    return [rule(lines[0]), first, lines[-2].split(": ", 1)[-1], rule(lines[-1])]


class Served:
    """A server that serves, in a thread."""

    def __init__(self, spec, where):
        self.hooks = []
        address = ("127.0.0.1", 0)
        if spec.get("attrs", {}).get("address_family") == {"const": "AF_INET6"}:
            address = ("::1", 0)
        if spec["transport"].startswith("Unix"):
            address = os.path.join(where, "server")
        spec = dict(spec, attrs={
            name: World(None, where).value(value) for name, value in spec.get("attrs", {}).items()
        })
        self.server = server_class(spec, self.hooks)(address, handler_class(spec["handler"]))
        self.thread = None
        if not spec.get("manual"):
            self.thread = threading.Thread(
                target=self.server.serve_forever, args=(0.02,), daemon=True
            )
            self.thread.start()

    def close(self):
        if self.thread is not None:
            self.server.shutdown()
            self.thread.join()
        self.server.server_close()
        return [f"server: {hook}" for hook in self.hooks]


def run(scenario):
    """The transcript of a scenario."""
    world = World()
    served = None
    try:
        if scenario.get("server") is not None:
            served = Served(scenario["server"], world.where)
            world.names["server"] = served.server
        world.run(scenario["steps"])
    finally:
        world.close()
        tail = served.close() if served is not None else []
    return world.lines + tail
