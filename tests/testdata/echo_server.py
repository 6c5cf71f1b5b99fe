"""An echo server of CPython's socketserver: echo_server.py CLASS ADDRESS, until stdin ends.

Prints its address as JSON. A line "raise" makes the handler raise.
"""
import json
import socketserver
import sys
import threading

cls = getattr(socketserver, sys.argv[1])
address = json.loads(sys.argv[2])
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


with cls(tuple(address) if isinstance(address, list) else address, Echo) as server:
    print(json.dumps(server.server_address), flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()
    server.shutdown()
