"""Talks with echo servers: echo_client.py SERVERS, a JSON list of [TYPE, FAMILY, ADDRESS], names as in socket.

Prints, as JSON for each server, the answers to one question after the other, and to several at a time.
"""
import json
import os
import socket
import sys
import tempfile
import threading


def ask(kind, family, address, question):
    with socket.socket(family, kind) as s, tempfile.TemporaryDirectory() as d:
        s.settimeout(20)
        if kind == socket.SOCK_DGRAM:
            if family == socket.AF_UNIX:
                s.bind(os.path.join(d, "client"))
            s.sendto(question.encode(), address)
            return s.recv(65536).decode()
        s.connect(address)
        s.sendall(question.encode())
        return s.makefile("r", encoding="utf-8", newline="\n").read()


def talk(kind, family, address):
    server = (
        getattr(socket, kind),
        getattr(socket, family),
        tuple(address) if isinstance(address, list) else address,
    )
    questions = ["hello\n", "Grüße\n", "x" * 5000 + "\n"]
    answers = [ask(*server, question) for question in questions]
    parallel = [None] * 10

    def run(i):
        parallel[i] = ask(*server, f"client {i}\n")

    threads = [threading.Thread(target=run, args=(i,)) for i in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"answers": answers == questions, "parallel": parallel}


json.dump([talk(*server) for server in json.loads(sys.argv[1])], sys.stdout)
