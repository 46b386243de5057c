"""Many wrong requests: none may be answered with 5xx, hang, or keep the next good one from its answer."""

from __future__ import annotations

import json
import random
import socket
import threading
import time
from collections import Counter
from typing import Any

from conftest import Running

REQUESTS = 4_000
CLIENTS = 8
GOOD = b'{"numbers": [1, 2, 3], "label": "ok"}'
WRONG_JSON = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b'"text"',
    b"NaN",
    b'{"numbers": NaN}',
    b'{"numbers": [Infinity]}',
    b'{"numbers": [1e999]}',
    b'{"numbers": ["nan"]}',
    b'{"numbers": ["\\ud800"]}',
    b'{"numbers": [1], "label": "\\udfff"}',
    b'{"numbers": [1], "label": "\xed\xa0\x80"}',
    b'{"rows": {}}',
    b'{"rows": [[]]}',
    b'{"rows": ' + b"[0]," * 3_000 + b"[0]]}",
    b"[" * 20_000,
    b'{"a":' * 20_000,
    b'{"numbers": [' + b"9" * 5_000 + b"]}",
    b'{"numbers": [1], "wait": "' + b"x" * 50_000 + b'"}',
    b"\x00" * 100,
    b"\x1f\x8b\x08\x00" + b"\x00" * 50,
]


def mutated(chance: random.Random) -> bytes:
    body = bytearray(chance.choice([GOOD, b'{"rows": [' + GOOD + b"," + GOOD + b"]}"]))
    for _ in range(chance.randint(1, 6)):
        place = chance.randrange(len(body))
        if chance.random() < 0.4:
            body[place] = chance.randrange(256)
        elif chance.random() < 0.5:
            del body[place : place + chance.randint(1, 8)]
        else:
            body[place:place] = chance.choice([b'"', b"{", b"}", b"[", b"]", b"\\u", b"-", b"1e400", b",", b"\xff"])
        body = body or bytearray(b"{")
    return bytes(body)


def wrong_request(chance: random.Random) -> bytes:
    body = chance.choice([mutated, lambda _: chance.choice(WRONG_JSON)])(chance)
    if chance.random() < 0.5:
        return b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    method = chance.choice(
        [b"POST"] * 8 + [b"GET", b"PUT", b"PATCH", b"HEAD", b"OPTIONS", b"TRACE", b"CONNECT", b"BREW"]
    )
    path = chance.choice(
        [b"/v1/predict"] * 8
        + [b"/", b"/%", b"/%zz", b"*", b"//", b"/v1/../v1/predict", b"http://[::1", b"/\xff", b"/?" + b"q" * 9_000]
    )
    length = chance.choice([len(body)] * 8 + [len(body) + 1, max(0, len(body) - 1), 0, 10**12, 10**30])
    headers = [b"Host: x", b"Content-Length: %d" % length]
    odd = [
        b"Content-Length: -1",
        b"Content-Length: 0x10",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: gzip",
        b"Content-Type: application/json; charset=latin-1",
        b"Content-Type: \xff\xfe",
        b"Content-Encoding: gzip",
        b"Content-Encoding: br, identity",
        b"X-Request-Id: \xff\x01",
        b"X-Request-Id: a\tb",
        b"Expect: 100-continue",
        b"Expect: a pony",
        b"Upgrade: websocket\r\nConnection: Upgrade",
        b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings",
        b"X-Long: " + b"v" * 30_000,
        b"No colon at all",
        b" folded: yes",
        b"Name\x00: null",
    ]
    headers += chance.sample(odd, chance.choice([0, 0, 0, 1, 1, 2]))
    version = chance.choice([b"HTTP/1.1"] * 9 + [b"HTTP/1.0", b"HTTP/9.9", b"HTP", b""])
    head = method + b" " + path + b" " + version + b"\r\n" + b"\r\n".join(headers) + b"\r\n\r\n"
    whole = head + body
    return whole[: chance.randrange(1, len(whole))] if chance.random() < 0.1 else whole


def status_of(port: int, data: bytes) -> str:
    """The status of the answer; "closed" where a request that was cut short gets none."""
    with socket.create_connection(("127.0.0.1", port), timeout=15) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            while part := connection.recv(65_536):
                answer += part
        except (ConnectionResetError, BrokenPipeError):
            return "reset"
    statuses = [line[9:12].decode() for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]
    return max((status for status in statuses if status != "100"), default="closed")


def test_malformed_requests_never_give_5xx(start: Any) -> None:
    service: Running = start(MODELSHIP_TIMEOUT_S="2").ready()
    port, seen, worst = service.port, Counter[str](), []
    lock = threading.Lock()

    def client(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(REQUESTS // CLIENTS):
            data = wrong_request(chance)
            status = status_of(port, data)
            with lock:
                seen[status] += 1
                if status >= "500" and status.isdigit():
                    worst.append((status, data[:300]))

    started = time.monotonic()
    clients = [threading.Thread(target=client, args=(seed,)) for seed in range(CLIENTS)]
    for one in clients:
        one.start()
    for one in clients:
        one.join()
    assert not worst, worst[:3]
    assert sum(seen.values()) == REQUESTS, seen
    assert seen["422"] > 200 and seen["400"] > 200, seen
    assert time.monotonic() - started < 20, seen
    assert service.predict(json.loads(GOOD)).json["total"] == 6.0
    assert not [event for event in service.events if event["event"] in ("internal_error", "model_error")]
    assert not [event for event in service.events if event["event"] == "server" and event["level"] == "error"]
    assert service.end() == 0
