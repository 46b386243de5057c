"""Ten thousand wrong requests: none may be answered with 5xx, hang, grow the service, or hurt the next good one."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import random
import re
import socket
import struct
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from conftest import SUM_MODEL, Running

REQUESTS = 8_320
CLIENTS = 8
DOCUMENTED = 1_680
MEBIBYTE = 1024 * 1024
# A model that takes no time and has no faults of its own, whatever numbers it is given.
MODEL = SUM_MODEL.replace("time.sleep(row.wait)", "pass").replace("sum(row.numbers)", "min(row.numbers)")
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


def zeros(size: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return packer.compress(b" " * size) + packer.flush()


# Of 1000 bytes for each that is sent; the first is within the limits.
BOMBS = [zeros(2 * MEBIBYTE), zeros(70 * MEBIBYTE)]
PACKED = gzip.compress(GOOD)


def compressed_request(chance: random.Random) -> bytes:
    """Compressed bodies, and headers that lie about them."""
    body = chance.choice(
        [
            PACKED[: chance.randrange(len(PACKED))],
            PACKED + os.urandom(chance.randrange(1, 20)),
            PACKED + PACKED,
            gzip.compress(PACKED),
            bytes(byte ^ (chance.random() < 0.05) for byte in PACKED),
            gzip.compress(mutated(chance)),
            zlib.compress(mutated(chance)),
            zlib.compress(GOOD)[2:],
            GOOD,
            b"",
            BOMBS[chance.random() < 0.03],
        ]
    )
    encoding = chance.choice([b"gzip"] * 4 + [b"deflate"] * 2 + [b"br", b"gzip, gzip", b"identity", b"zstd", b"\xff"])
    head = b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n"
    return head % (encoding, len(body)) + body


def large_head(chance: random.Random) -> bytes:
    lines = chance.choice(
        [
            [b"X-Long: " + b"v" * chance.choice([20_000, 40_000, 200_000])],
            [b"X-%d: v" % number for number in range(chance.choice([50, 150, 2_000]))],
            [b"Cookie: " + b"a=b; " * 10_000],
            [b"X" * 50_000 + b": v"],
            [b"Authorization: Bearer " + os.urandom(chance.choice([10, 9_000]))],
        ]
    )
    path = chance.choice([b"/v1/predict", b"/" + b"p" * 60_000, b"/v1/predict?" + b"q=1&" * 5_000])
    head = b"POST " + path + b" HTTP/1.1\r\nHost: x\r\n" + b"\r\n".join(lines)
    return head + b"\r\nContent-Length: %d\r\n\r\n" % len(GOOD) + GOOD


def odd(chance: random.Random) -> Any:
    """A JSON value that is seldom what is expected."""
    return chance.choice(
        [
            None, True, "", "x", "\x00", "NaN", "1", [], {}, [[]], [None], {"": None}, 0, -1, 1, 0.5, -0.0, 1e308,
            2**31, 2**53, 2**63, -(2**63), 2**64, 10**30, [1, "2"], [[1], [2, 3]], {"rows": []}, "x" * 1000,
        ]
    )  # fmt: skip


def infer_request(chance: random.Random) -> bytes:
    """Tensors whose headers, shapes, types and sizes do not go together."""
    tensors: list[Any] = []
    binary = b""
    for _ in range(chance.choice([0, 1, 1, 2, 2, 3, 40])):
        values = [chance.choice([0, 1, -1, 1.5, 2**40, "x", True, None]) for _ in range(chance.randrange(6))]
        tensor: dict[str, Any] = {
            "name": chance.choice(["numbers", "numbers", "label", "wait", "fault", "nothing", "", 1, None]),
            "shape": chance.choice(
                [[1, 3], [1], [2, 2], [0], [], [-1, 3], [3, 1], [2**62, 2**62], [10**9, 10**9], [1.5]]
            ),
            "datatype": chance.choice(
                ["FP64", "FP32", "FP16", "BF16", "INT8", "INT64", "UINT64", "BOOL", "BYTES", "FP128", "", None]
            ),
        }
        if chance.random() < 0.5:
            raw = chance.choice([os.urandom(24), struct.pack("<3d", 1, 2, 3), struct.pack("<I", 2**31) + b"ab", b""])
            size = chance.choice([len(raw)] * 3 + [len(raw) + 1, len(raw) - 1, 0, -8, 2**40, "24", None, 1.0])
            tensor["parameters"] = {"binary_data_size": size}
            binary += raw
        else:
            tensor["data"] = chance.choice([values, [values], [[values]], odd(chance)])
        if chance.random() < 0.2:
            tensor[chance.choice(list(tensor))] = odd(chance)
        if chance.random() < 0.1:
            del tensor[chance.choice(list(tensor))]
        tensors.append(tensor)
    request: dict[str, Any] = {"inputs": tensors}
    if chance.random() < 0.3:
        request[chance.choice(["id", "parameters", "outputs", "inputs", "other"])] = odd(chance)
    if chance.random() < 0.3:
        request["outputs"] = [{"name": chance.choice(["total", "label", "nothing"]), "parameters": odd(chance)}]
    head = json.dumps(request).encode()
    lengths = [len(head)] * 5 + [len(head) - 1, len(head) + 1, 0, -1, 10**6, 10**30, "", "x", "1e3", "+5", "0x10"]
    body = head + binary
    lines = [b"Host: x"]
    if binary or chance.random() < 0.5:
        lines.append(b"Inference-Header-Content-Length: " + str(chance.choice(lengths)).encode())
    if chance.random() < 0.1:
        lines.append(b"Inference-Header-Content-Length: 3")
    if chance.random() < 0.2:
        lines.append(
            b"Content-Type: " + chance.choice([b"application/octet-stream", b"application/json", b"text/html"])
        )
    if chance.random() < 0.15:
        lines.append(b"Content-Encoding: " + chance.choice([b"gzip", b"deflate"]))
        body = chance.choice([gzip.compress(body), zlib.compress(body), body])
    path = chance.choice(
        [b"/v2/models/model/infer"] * 6 + [b"/v2/models/model/versions/1/infer", b"/v2/models/x/infer"]
    )
    if chance.random() < 0.15:
        path = b"/v2/" + chance.choice(
            [b"", b"models", b"models/", b"models/%ff", b"models/%00/infer", b"models/model/versions/9/ready", b"x",
             b"models/model/generate", b"models/model/generate_stream", b"repository/index", b"health/ready"]
        )  # fmt: skip
    lines.append(b"Content-Length: %d" % len(body))
    return b"POST " + path + b" HTTP/1.1\r\n" + b"\r\n".join(lines) + b"\r\n\r\n" + body


KINDS: list[Callable[[random.Random], bytes]] = (
    [wrong_request] * 6 + [infer_request] * 4 + [compressed_request, large_head]
)


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


def resident(service: Running) -> int:
    [kilobytes] = re.findall(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{service.process.pid}/status").read_text())
    return int(kilobytes) * 1024


def open_files(service: Running) -> int:
    return len(os.listdir(f"/proc/{service.process.pid}/fd"))


def slow_bodies(port: int, ended: threading.Event) -> list[socket.socket]:
    """Clients that send a byte now and then, and one that never does."""
    slow = []
    for number in range(4):
        connection = socket.create_connection(("127.0.0.1", port), timeout=15)
        connection.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{")
        slow.append(connection)
        if number:
            threading.Thread(target=drip, args=(connection, ended), daemon=True).start()
    return slow


def drip(connection: socket.socket, ended: threading.Event) -> None:
    while not ended.wait(0.3):
        try:
            connection.sendall(b" ")
        except OSError:
            return


def healthy(service: Running) -> None:
    assert service.predict(json.loads(GOOD)).json["total"] == 1.0
    wrong = [one for one in service.events if one["event"] in ("internal_error", "model_error")]
    assert not wrong, wrong[:3]
    assert not [one for one in service.events if one["event"] == "server" and one["level"] == "error"]


def test_malformed_requests_never_give_5xx(start: Any) -> None:
    service: Running = start(MODEL, MODELSHIP_TIMEOUT_S="3").ready()
    port, seen, worst = service.port, Counter[str](), []
    lock = threading.Lock()

    def send(seed: int, count: int) -> None:
        chance = random.Random(seed)
        for _ in range(count):
            data = chance.choice(KINDS)(chance)
            status = status_of(port, data)
            with lock:
                seen[status] += 1
                if status >= "500" and status.isdigit():
                    worst.append((status, data[:500]))

    def send_all(first_seed: int, count: int) -> None:
        clients = [
            threading.Thread(target=send, args=(first_seed + number, count // CLIENTS)) for number in range(CLIENTS)
        ]
        for one in clients:
            one.start()
        for one in clients:
            one.join()

    started = time.monotonic()
    send_all(0, REQUESTS // 4)
    before, files = resident(service), open_files(service)
    ended = threading.Event()
    slow = slow_bodies(port, ended)
    send_all(CLIENTS, REQUESTS - REQUESTS // 4)
    assert not worst, worst[:3]
    assert sum(seen.values()) == REQUESTS, seen
    assert seen["422"] > 200 and seen["400"] > 1000 and seen["413"] > 10 and seen["431"] > 100, seen
    assert time.monotonic() - started < 90, seen
    for connection in slow:
        assert connection.recv(65_536).startswith(b"HTTP/1.1 408 ")
        connection.close()
    ended.set()
    healthy(service)
    service.until(lambda: True if open_files(service) <= files else None, "the files to be closed")
    assert resident(service) - before < 30 * MEBIBYTE
    assert service.end() == 0


def value_of(schema: dict[str, Any], document: dict[str, Any], chance: random.Random, depth: int = 0) -> Any:
    """A value that a schema describes, or now and then one that it does not."""
    if chance.random() < 0.08 or depth > 8:
        return odd(chance)
    if "$ref" in schema:
        named = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return value_of(named, document, chance, depth + 1)
    if "anyOf" in schema:
        return value_of(chance.choice(schema["anyOf"]), document, chance, depth + 1)
    kind = schema.get("type")
    if kind == "object":
        needed = schema.get("required", [])
        return {
            name: value_of(one, document, chance, depth + 1)
            for name, one in schema.get("properties", {}).items()
            if chance.random() < (0.97 if name in needed else 0.5)
        }
    if kind == "array":
        count = chance.choice([schema.get("minItems", 0), schema.get("maxItems", 3) + 1, 1, 2, 3])
        return [value_of(schema.get("items", {}), document, chance, depth + 1) for _ in range(min(count, 70))]
    if kind == "string":
        return "".join(chr(chance.choice([chance.randrange(32, 127), chance.randrange(0xD7FF)])) for _ in range(5))
    if kind in ("number", "integer"):
        return chance.choice([0, -1, chance.uniform(-1e6, 1e6), 1e308, 2**53, -(2**63)])
    return odd(chance)


def test_what_the_document_does_not_name_is_never_answered(start: Any) -> None:
    """Requests made from our own OpenAPI document: each status is one that it lists, each error in its shape."""
    service: Running = start(MODEL, MODELSHIP_JOBS_MAX="50").ready()
    document = service.ask("GET", "/openapi.json").json
    chance = random.Random(1)
    operations = [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in ("get", "post", "put", "delete")
    ]
    weights = [8 if "requestBody" in operation else 1 for _, _, operation in operations]
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=15)
    seen: Counter[tuple[str, int]] = Counter()
    for _ in range(DOCUMENTED):
        path, method, operation = chance.choices(operations, weights)[0]
        headers = {}
        body = None
        if "requestBody" in operation:
            content = operation["requestBody"]["content"]
            schema = content["application/json"].get("schema", {})
            body = json.dumps(value_of(schema, document, chance)).encode()
            headers["content-type"] = chance.choice(["application/json"] * 20 + ["text/plain", "application/jso"])
        address = re.sub(r"{\w+}", lambda _: chance.choice(["x", "1", "%20", "0" * 32]), path)
        connection.request(method.upper(), address, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        seen[path, answer.status] += 1
        assert str(answer.status) in operation["responses"], (method, address, body, answer.status, content[:300])
        assert answer.status < 500, (method, address, body, content[:300])
        if answer.status >= 400:
            assert json.loads(content)["error"], (method, address, content[:300])
    connection.close()
    assert seen["/v1/predict", 200] > 50 and seen["/v1/predict", 422] > 50, seen
    healthy(service)
