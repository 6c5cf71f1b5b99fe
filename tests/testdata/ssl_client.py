"""Clients over TLS for the tests: reads cases from stdin, a JSON object a line, and answers each with a line."""

import hashlib, json, os, select, socket, ssl, sys, tempfile, warnings

warnings.simplefilter("ignore")  # of the versions that the tests ask for


def context_of(case):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=case["ca"])
    if "cert" in case:
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(case["cert"] + case["key"])
            file.flush()
            context.load_cert_chain(file.name)
    if "alpn" in case:
        context.set_alpn_protocols(case["alpn"])
    if "version" in case:
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        version = ssl.TLSVersion[case["version"]]
        context.minimum_version = context.maximum_version = version
    return context


def connect(case):
    address = case["address"]
    if isinstance(address, str):
        plain = socket.socket(socket.AF_UNIX)
        plain.settimeout(30)
        plain.connect(address)
    else:
        plain = socket.create_connection(tuple(address), 30)
    name = case.get("name", "localhost")
    return context_of(case).wrap_socket(plain, server_hostname=name)


def lines(client, case):
    file = client.makefile("rb")
    answers = []
    for line in case["lines"]:
        client.sendall(line.encode() + b"\n")
        answer = file.readline()
        if not answer:
            raise EOFError("the server closed the connection")
        answers.append(answer.decode().rstrip("\n"))
    return answers


def bulk(client, size):
    """
    Sends `size` bytes and reads them back at the same time, in one thread: two may not use one SSLSocket in CPython 3.11,
    whose recv() then finds an end that nobody has sent. Returns what is missing, and whether the digests agree.
    """
    sent, got = hashlib.sha256(), hashlib.sha256()
    unsent, left, pending = size, size, memoryview(b"")
    client.setblocking(False)
    while left:
        moved = False
        try:
            if unsent and not pending:
                pending = memoryview(os.urandom(1 << 16))
                unsent -= len(pending)
                sent.update(pending)
            if pending:
                pending = pending[client.send(pending) :]
                moved = True
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        try:
            data = client.recv(1 << 16)
            if not data:
                break
            got.update(data)
            left -= len(data)
            moved = True
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        if not moved and not any(select.select([client], [client] if pending else [], [], 30)):
            break
    return [left, sent.hexdigest() == got.hexdigest()]


def run(case):
    with connect(case) as client:
        result = {
            "version": client.version(),
            "cipher": list(client.cipher()),
            "alpn": client.selected_alpn_protocol(),
            "server": client.getpeercert()["subject"],
        }
        if "lines" in case:
            result["answers"] = lines(client, case)
        if "bulk" in case:
            result["bulk"] = bulk(client, case["bulk"])
        return result


def decoded(pem):
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(pem)
        file.flush()
        return ssl._ssl._test_decode_cert(file.name)


if __name__ == "__main__":
    for text in sys.stdin:
        case = json.loads(text)
        try:
            result = {"decoded": decoded(case["decode"])} if "decode" in case else run(case)
        except ssl.SSLError as error:
            result = {"error": error.reason or type(error).__name__}
        except Exception as error:
            result = {"error": type(error).__name__}
        print(json.dumps(result), flush=True)
