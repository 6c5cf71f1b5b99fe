"""Runs what it is asked to on its standard input, a line of JSON each, and answers each with a line."""

import json
import os
import shutil
import sys
import tempfile
import threading

import world

LIMIT = 60  # seconds for a scenario, on a busy machine
served = {}


def within(limit, function, *args):
    """The result of a function, or what is known of it when the time is over."""
    box = {}

    def work():
        try:
            box["result"] = function(*args)
        except Exception as error:
            box["result"] = [f"the runner failed: {error!r}"]

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(limit)
    return box.get("result", [f"no end within {limit} s"])


def serve(spec):
    where = tempfile.mkdtemp(prefix="conformance-")
    one = world.Served(spec, where)
    served[len(served)] = one
    return {"id": len(served) - 1, "address": one.server.server_address}


def talk(steps, address):
    """The steps of a client, with a server that is elsewhere."""
    mind = world.World()
    mind.names["server"] = type("Elsewhere", (), {"server_address": address})()
    try:
        mind.run(steps)
    finally:
        mind.close()
    return mind.lines


def answer(asked):
    if "run" in asked:
        return within(LIMIT, world.run, asked["run"])
    if "serve" in asked:
        return serve(asked["serve"])
    if "close" in asked:
        return within(LIMIT, served[asked["close"]].close)
    address = asked["address"]
    return within(
        LIMIT, talk, asked["talk"], tuple(address) if isinstance(address, list) else address
    )


scratch = tempfile.mkdtemp(prefix="conformance-")
tempfile.tempdir = scratch
try:
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
finally:
    shutil.rmtree(scratch, ignore_errors=True)
    os._exit(0)  # threads that hang hold nobody up
