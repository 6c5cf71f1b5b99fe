"""Echo servers of CPython's socketserver: echo_server.py SERVERS, a JSON list of [CLASS, ADDRESS], until stdin ends.

Prints their addresses as JSON. A line "raise" makes the handler raise.
"""
import json
import socketserver
import sys
import threading


def serve(name, address):
    cls = getattr(socketserver, name)
    base = (
        socketserver.DatagramRequestHandler
        if issubclass(cls, socketserver.UDPServer)
        else socketserver.StreamRequestHandler
    )

    class Echo(base):
        def handle(self):
            line = self.rfile.readline()
            if line == b"raise\n":
                raise ValueError("a bug")
            self.wfile.write(line)

    server = cls(tuple(address) if isinstance(address, list) else address, Echo)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


servers = [serve(*server) for server in json.loads(sys.argv[1])]
print(json.dumps([server.server_address for server in servers]), flush=True)
sys.stdin.read()
for server in servers:
    server.shutdown()
    server.server_close()
