"""What keeps a live service from being knocked over, or asked by those who may not: over real connections."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import re
import signal
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from conftest import Answer, Running

GOOD = {"numbers": [1, 2, 3]}
BODY = json.dumps(GOOD).encode()
KEY = "a-key-for-the-tests-0123"
ADMIN = "an-admin-key-of-the-tests"
METRICS = "a-metrics-key-of-the-tests"
MEBIBYTE = 1024 * 1024


def connect(service: Running, patience: float = 15) -> socket.socket:
    return socket.create_connection(("127.0.0.1", service.port), timeout=patience)


def read_all(connection: socket.socket) -> bytes:
    answer = b""
    while part := connection.recv(65_536):
        answer += part
    return answer


def read_one(connection: socket.socket) -> bytes:
    """One answer of a connection that stays open."""
    answer = b""
    while b"\r\n\r\n" not in answer:
        part = connection.recv(65_536)
        assert part, answer
        answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    length = int(re.findall(rb"content-length: (\d+)", head.lower())[0])
    while len(body) < length:
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body


def raw(service: Running, data: bytes) -> bytes:
    with connect(service) as connection:
        connection.sendall(data)
        return read_all(connection)


def post(body: bytes = BODY, path: str = "/v1/predict", *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def entry(name: str, key: str, *scopes: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "hash": f"sha256:{hashlib.sha256(key.encode()).hexdigest()}", "scopes": scopes, **more}


def document(*entries: dict[str, Any]) -> str:
    return json.dumps({"keys": entries})


def bearer(key: str = KEY) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def resident(service: Running, what: str = "VmRSS") -> int:
    [kilobytes] = re.findall(rf"{what}:\s+(\d+) kB", Path(f"/proc/{service.process.pid}/status").read_text())
    return int(kilobytes) * 1024


# Heads


def test_a_head_may_be_so_large(service: Running) -> None:
    fits = service.predict(GOOD, **{"x-long": "v" * 30_000})
    assert fits.status == 200
    for size in (33_000, 200_000):
        answer = raw(service, post(BODY, "/v1/predict", f"X-Long: {'v' * size}"))
        assert answer.startswith(b"HTTP/1.1 431 ") and b'"headers_too_large"' in answer, size


def test_a_head_that_never_ends_is_cut(service: Running) -> None:
    with connect(service) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: ")
        for _ in range(20):
            connection.sendall(b"v" * 10_000)
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 431 ") and b"connection: close" in answer


def test_a_long_address_is_a_large_head(service: Running) -> None:
    assert raw(service, post(BODY, "/v1/predict?" + "q" * 40_000)).startswith(b"HTTP/1.1 431 ")


def test_the_number_of_headers_is_limited(service: Running) -> None:
    assert service.predict(GOOD, **{f"x-{n}": "" for n in range(80)}).status == 200
    answer = service.predict(GOOD, **{f"x-{n}": "" for n in range(200)})
    assert (answer.status, answer.code) == (431, "headers_too_large")


def test_a_large_body_is_not_counted_as_a_head(service: Running) -> None:
    """Not the next one's on its connection either, when it arrives in pieces, or with the end of the body."""
    large = json.dumps({**GOOD, "label": "x" * 300_000}).encode()
    with connect(service) as connection:
        connection.sendall(post(large))
        assert read_one(connection).startswith(b"HTTP/1.1 200 ")
        whole = post()
        for place in range(0, len(whole), 10):
            connection.sendall(whole[place : place + 10])
            time.sleep(0.002)
        assert read_one(connection).startswith(b"HTTP/1.1 200 ")
        connection.sendall(post(large) + whole[:20])
        assert read_one(connection).startswith(b"HTTP/1.1 200 ")
        connection.sendall(whole[20:])
        assert read_one(connection).startswith(b"HTTP/1.1 200 ")


def test_a_head_behind_a_request_that_works_is_limited_too(service: Running) -> None:
    with connect(service) as connection:
        connection.sendall(post(json.dumps({**GOOD, "wait": 1.0}).encode()) + b"GET / HTTP/1.1\r\nX-Long: ")
        before = resident(service)
        try:
            for _ in range(400):
                connection.sendall(b"v" * 50_000)
        except OSError:
            pass
        assert resident(service) - before < 10 * MEBIBYTE
        try:
            answer = read_all(connection)
        except ConnectionResetError:
            answer = b""
    # What came before it is answered, and nothing after it.
    assert (answer.count(b"HTTP/1.1 ") <= 1 and not answer) or answer.startswith(b"HTTP/1.1 200 ")
    assert service.predict(GOOD).status == 200


# Time


def test_a_slow_head_is_408(start: Callable[..., Running]) -> None:
    service = start(MODELSHIP_HEADER_TIMEOUT_S="0.5").ready()
    for begin in (b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: "):
        with connect(service) as connection:
            started = time.monotonic()
            connection.sendall(begin)
            answer = read_all(connection)
            assert answer.startswith(b"HTTP/1.1 408 ") and b'"request_timeout"' in answer
            assert 0.4 < time.monotonic() - started < 4


def test_a_head_in_drops_is_408_also_on_a_connection_that_was_used(start: Callable[..., Running]) -> None:
    service = start(MODELSHIP_HEADER_TIMEOUT_S="1").ready()
    with connect(service) as connection:
        connection.sendall(post())
        assert read_one(connection).startswith(b"HTTP/1.1 200 ")
        ended = threading.Event()

        def drip() -> None:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
            while not ended.wait(0.1):
                try:
                    connection.sendall(b"v")
                except OSError:
                    return

        dripping = threading.Thread(target=drip)
        dripping.start()
        answer = read_all(connection)
        ended.set()
        dripping.join()
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_body_in_drops_is_408(start: Callable[..., Running]) -> None:
    service = start(MODELSHIP_TIMEOUT_S="0.6").ready()
    with connect(service) as connection:
        connection.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
        started = time.monotonic()
        while time.monotonic() - started < 5:
            try:
                connection.sendall(b" ")
            except OSError:
                break
            connection.settimeout(0.1)
            try:
                answer = connection.recv(65_536)
                break
            except TimeoutError:
                continue
    assert answer.startswith(b"HTTP/1.1 408 ") and time.monotonic() - started < 3


def test_an_idle_connection_is_closed(start: Callable[..., Running]) -> None:
    service = start(MODELSHIP_IDLE_TIMEOUT_S="0.5").ready()
    with connect(service) as connection:
        connection.sendall(post())
        assert read_one(connection).startswith(b"HTTP/1.1 200 ")
        started = time.monotonic()
        assert connection.recv(1) == b""
        assert 0.3 < time.monotonic() - started < 4


def test_a_client_that_takes_nothing_is_let_go(start: Callable[..., Running]) -> None:
    service = start(MODELSHIP_IDLE_TIMEOUT_S="0.5").ready()
    with connect(service) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        many = json.dumps({"rows": [{"numbers": [1], "label": "x" * 10_000}] * 1000}).encode()
        connection.sendall(post(many) + post())
        service.event("request", rows=1000)
        end = time.monotonic() + 10
        while time.monotonic() < end and len(sockets_of(service)) > 0:
            time.sleep(0.1)
        assert sockets_of(service) == []


def sockets_of(service: Running) -> list[str]:
    """Connections that the service has open, without the one it listens on."""
    fds = [os.readlink(f"/proc/{service.process.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{service.process.pid}/fd")]
    numbers = {fd[8:-1] for fd in fds if fd.startswith("socket:[")}
    lines = Path(f"/proc/{service.process.pid}/net/tcp").read_text().splitlines()[1:]
    return [line for line in lines if line.split()[9] in numbers and line.split()[3] == "01"]


def test_connections_are_limited_and_the_next_is_told(start: Callable[..., Running]) -> None:
    service = start(MODELSHIP_MAX_CONNECTIONS="3").ready()
    with ExitStack() as kept:
        for _ in range(3):
            connection = kept.enter_context(connect(service))
            connection.sendall(post())
            assert read_one(connection).startswith(b"HTTP/1.1 200 ")
        answer = raw(service, post())
        assert answer.startswith(b"HTTP/1.1 503 ") and b"retry-after: 1\r\n" in answer
        assert b'"too_many_connections"' in answer
        connection.sendall(post())
        assert read_one(connection).startswith(b"HTTP/1.1 200 ")
    service.until(lambda: True if service.predict(GOOD).status == 200 else None, "room again")


# Bodies


@pytest.fixture(scope="module")
def small(start: Callable[..., Running]) -> Running:
    return start(
        MODELSHIP_MAX_BODY_BYTES="100000",
        MODELSHIP_MAX_DECODED_BYTES="200000",
        MODELSHIP_MAX_ROWS="5",
        MODELSHIP_MAX_JSON_DEPTH="10",
    ).ready()


def packed(body: bytes, window: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, window)
    return packer.compress(body) + packer.flush()


GZIP, DEFLATE, NAKED = 31, 15, -15


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (gzip.compress(BODY), "gzip", 200),
        (gzip.compress(BODY), "GZIP", 200),
        (gzip.compress(BODY), "x-gzip", 200),
        (packed(BODY, DEFLATE), "deflate", 200),
        (packed(BODY, NAKED), "deflate", 400),
        (gzip.compress(BODY), "deflate", 400),
        (packed(BODY, DEFLATE), "gzip", 400),
        (BODY, "gzip", 400),
        (b"", "gzip", 400),
        (gzip.compress(b""), "gzip", 400),
        (gzip.compress(BODY)[:-1], "gzip", 400),
        (gzip.compress(BODY)[:-8], "gzip", 400),
        (gzip.compress(BODY)[:12], "gzip", 400),
        (gzip.compress(BODY)[:-8] + b"\x00" * 8, "gzip", 400),
        (gzip.compress(BODY) + b"x", "gzip", 400),
        (gzip.compress(BODY) + gzip.compress(BODY), "gzip", 400),
        (gzip.compress(gzip.compress(BODY)), "gzip", 400),
        (gzip.compress(gzip.compress(BODY)), "gzip, gzip", 415),
        (gzip.compress(BODY), "identity", 400),
        (BODY, "br", 415),
        (BODY, "identity", 200),
        (gzip.compress(BODY.ljust(200_000)), "gzip", 200),
        (gzip.compress(BODY.ljust(200_001)), "gzip", 413),
        (gzip.compress(b" " * 50_000_000), "gzip", 413),
        (os.urandom(100_001), "gzip", 413),
    ],
    # Not the bytes themselves: gzip writes the time into them, and the workers have to agree on names.
    ids=lambda value: "body" if isinstance(value, bytes) else str(value),
)
def test_compressed_bodies(small: Running, body: bytes, encoding: str, status: int) -> None:
    answer = small.predict(body, **{"content-encoding": encoding})
    assert answer.status == status, answer.body
    assert small.predict(GOOD).status == 200


def test_a_bomb_takes_no_memory(start: Callable[..., Running]) -> None:
    """With the limits as they are: what 15 MiB could become, 15 GB, is never made."""
    service = start().ready()
    packer = zlib.compressobj(9, zlib.DEFLATED, GZIP)
    head = packer.compress(b"\x00" * MEBIBYTE) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(b"\x00" * (16 * MEBIBYTE)) + packer.flush(zlib.Z_FULL_FLUSH)
    bomb = head + again * (15 * MEBIBYTE // len(again))
    assert 900 < 16 * MEBIBYTE / len(again) < 1100
    assert service.predict(GOOD).status == 200
    before = resident(service)
    for _ in range(3):
        answer = service.predict(bomb, **{"content-encoding": "gzip"})
        assert (answer.status, answer.code) == (413, "body_too_large")
    assert resident(service) - before < 50 * MEBIBYTE
    assert service.predict(GOOD).status == 200


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (json.dumps({"rows": [GOOD] * 5}).encode(), 200, None),
        (json.dumps({"rows": [GOOD] * 6}).encode(), 422, "invalid_input"),
        (json.dumps({"rows": []}).encode(), 422, "invalid_input"),
        (b'{"numbers":[1],"x":' + b"[" * 8 + b"]" * 8 + b"}", 200, None),
        (b'{"numbers":[1],"x":' + b"[" * 10 + b"]" * 10 + b"}", 400, "invalid_json"),
        (b'{"numbers":[1],"x":' + b'{"a":' * 10 + b"1" + b"}" * 10 + b"}", 400, "invalid_json"),
        (b'{"numbers":[1],"label":"' + b"[{" * 1000 + b'"}', 200, None),
        (b'{"numbers":[1],"label":"\\"' + b"[{" * 1000 + b'"}', 200, None),
        (b'{"numbers":[1],"x":[' + b",".join([b"[[],{}]"] * 1000) + b"]}", 200, None),
        (b'{"numbers":[1],"x":' + b'["]",' * 12 + b"1" + b',"["]' * 12 + b"}", 400, "invalid_json"),
        (b"[" * 90_000, 400, "invalid_json"),
        (b'{"a":' * 18_000, 400, "invalid_json"),
        (b"]" * 90_000, 400, "invalid_json"),
        (b'"' + b"[" * 90_000, 400, "invalid_json"),
        (b"x" * 100_001, 413, "body_too_large"),
    ],
)
def test_rows_and_depth(small: Running, body: bytes, status: int, code: str | None) -> None:
    answer = small.predict(body)
    assert (answer.status, answer.json.get("error", {}).get("code")) == (status, code)


@pytest.mark.parametrize(
    "part",
    [b"[" * 1000 + b"]" * 1000, b"[" * 60 + b"]" * 60, b"[]", b'"' + b"[" * 1000 + b'"', b'"\\"['],
)
def test_the_worst_json_takes_neither_time_nor_memory(start: Callable[..., Running], part: bytes) -> None:
    service = start().ready()
    body = b"[" + b",".join([part] * (15 * MEBIBYTE // (len(part) + 1))) + b"]"
    before = resident(service)
    started = time.monotonic()
    assert service.predict(body).status in (400, 413, 422)
    assert time.monotonic() - started < 5
    assert resident(service, "VmHWM") - before < 700 * MEBIBYTE


# Keys


@pytest.fixture(scope="module")
def keyed(start: Callable[..., Running]) -> Running:
    keys = document(
        entry("ci", KEY, "predict"),
        entry("boss", ADMIN, "admin"),
        entry("prometheus", METRICS, "metrics"),
        entry("past", "a-key-whose-time-is-over", "predict", expires="2020-01-01T00:00:00Z"),
    )
    return start(MODELSHIP_API_KEYS=keys).ready()


SPELLINGS = [
    "/v1/predict",
    "//v1/predict",
    "/v1//predict",
    "/v1/predict/",
    "/v1/./predict",
    "/v1/%2e/predict",
    "/v1/../v1/predict",
    "/v1/%2e%2e/v1/predict",
    "/v1%2fpredict",
    "/v1/predict%2f",
    "/v1/predict%00",
    "/v1/predict%0a",
    "/V1/PREDICT",
    "/v1/predict;x=1",
    "/v1/predict?x=/healthz",
    "/v1/predict#/healthz",
    "/healthz/../v1/predict",
    "/healthz/%2e%2e/v1/predict",
    "/healthz%2f..%2fv1/predict",
    "/healthz;/v1/predict",
    "/%76%31/predict",
    "\\v1\\predict",
    "http://x/v1/predict",
    "http://x//v1/predict",
    "/",
    "/docs",
    "/metrics",
    "/openapi.json",
    "/v1/model",
    "/v1/jobs",
    "/v1/jobs/1",
    "/v1/models",
    "/v1/chat/completions",
    "/v2",
    "/v2/",
    "/v2/models/model",
    "/v2/models/model/infer",
    "/v2/repository/index",
    "/nothing",
    "*",
    "/" + "x" * 5000,
]
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "BREW", "post"]


@pytest.mark.parametrize("method", METHODS)
def test_without_a_key_nothing_answers_however_it_is_spelled(keyed: Running, method: str) -> None:
    for path in SPELLINGS:
        request = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(BODY)}\r\nConnection: close\r\n\r\n"
        answer = raw(keyed, request.encode() + BODY)
        head = answer.split(b"\r\n\r\n")[0].lower()
        assert answer.startswith((b"HTTP/1.1 401 ", b"HTTP/1.1 400 ")), (method, path, answer[:80])
        assert b"\r\nlocation:" not in head and b"\r\nallow:" not in head
        assert b"total" not in answer


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/startupz"])
def test_probes_need_no_key(keyed: Running, path: str) -> None:
    assert keyed.ask("GET", path).status == 200
    assert keyed.ask("HEAD", path).status == 200


def test_every_route_of_the_document_needs_a_key(keyed: Running) -> None:
    """Also those that come later."""
    paths = keyed.ask("GET", "/openapi.json", headers=bearer(ADMIN)).json["paths"]
    closed = 0
    for path, operations in paths.items():
        for method in operations.keys() & {"get", "post", "put", "delete"}:
            answer = keyed.ask(method.upper(), re.sub(r"{\w+}", "x", path), b"{}" if method == "post" else None)
            if path in ("/healthz", "/readyz", "/startupz") or operations[method].get("security") == []:
                continue
            assert answer.status == 401, (method, path)
            closed += 1
    assert closed >= 6


def test_who_has_no_key_is_told_before_the_body_is_read(keyed: Running) -> None:
    started = time.monotonic()
    with connect(keyed) as connection:
        connection.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n")
        answer = connection.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 401 ") and time.monotonic() - started < 1
    expecting = b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\nExpect: 100-continue\r\n\r\n"
    with connect(keyed) as connection:
        connection.sendall(expecting)
        answer = connection.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 401 ") and b"100 Continue" not in answer


def without_ids(answer: Answer) -> tuple[int, dict[str, str], bytes]:
    """What does not differ from one request to the next."""
    shown = {name: value for name, value in answer.headers.items() if name not in ("date", "x-request-id")}
    return answer.status, shown, answer.body.replace(answer.headers["x-request-id"].encode(), b"ID")


@pytest.mark.parametrize(
    "authorization",
    [
        f"Bearer {KEY[:-1]}",
        f"Bearer {KEY}x",
        f"Bearer {KEY[:-1]}4",
        "Bearer x",
        "Bearer " + "x" * 5000,
        "Bearer \xff\xfe\xfd",
        "Basic " + base64.b64encode(b"user:wrong").decode(),
        "Basic " + base64.b64encode(b":" + KEY[:-1].encode()).decode(),
    ],
)
def test_all_wrong_keys_are_answered_alike(keyed: Running, authorization: str) -> None:
    expected = without_ids(keyed.predict(GOOD, authorization="Bearer a-wrong-key-of-a-stranger"))
    answer = keyed.predict(GOOD, authorization=authorization)
    assert without_ids(answer) == expected
    assert (answer.status, answer.code) == (401, "invalid_key")
    assert answer.headers["www-authenticate"].startswith("Bearer ")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": f"Digest {KEY}"},
        {"authorization": KEY},
        {"authorization": "Basic !!!"},
        {"authorization": "Basic " + base64.b64encode(b"user").decode()},
        {"x-api-key": ""},
        {"cookie": f"key={KEY}"},
    ],
)
def test_what_is_no_key_is_401(keyed: Running, headers: dict[str, str]) -> None:
    answer = keyed.predict(GOOD, **headers)
    assert (answer.status, answer.code) == (401, "unauthorized")
    assert keyed.ask("POST", f"/v1/predict?api_key={KEY}", BODY).status == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer   {KEY}  "},
        {"x-api-key": KEY},
        {"authorization": "Basic " + base64.b64encode(f"anyone:{KEY}".encode()).decode()},
        {"authorization": "basic " + base64.b64encode(f":{KEY}".encode()).decode()},
        {"authorization": "Bearer of-the-proxy-in-front-of-it", "x-api-key": KEY},
    ],
)
def test_ways_to_bring_a_key(keyed: Running, headers: dict[str, str]) -> None:
    assert keyed.predict(GOOD, **headers).status == 200


def test_a_key_whose_time_is_over(keyed: Running) -> None:
    assert keyed.predict(GOOD, **bearer("a-key-whose-time-is-over")).code == "expired_key"


@pytest.mark.parametrize(
    ("key", "path", "status"),
    [
        (KEY, "/v1/model", 200),
        (KEY, "/metrics", 403),
        (METRICS, "/metrics", 200),
        (METRICS, "/v1/model", 403),
        (METRICS, "/openapi.json", 403),
        (ADMIN, "/v1/model", 200),
        (ADMIN, "/metrics", 200),
    ],
)
def test_scopes(keyed: Running, key: str, path: str, status: int) -> None:
    assert keyed.ask("GET", path, headers=bearer(key)).status == status


def test_the_log_has_the_keys_name_and_never_the_key(keyed: Running) -> None:
    keyed.predict(GOOD, **bearer(), **{"x-request-id": "named"})
    assert keyed.event("request", request_id="named")["key"] == "ci"
    assert KEY.encode() not in b"".join(keyed.lines) and KEY not in keyed.stderr


def test_errors_are_told_in_the_words_of_their_family(keyed: Running) -> None:
    own = keyed.ask("POST", "/v1/predict").json["error"]
    assert set(own) == {"code", "message", "request_id"}
    for path in ("/v2", "/v2/models/model/infer", "/v2/nothing"):
        oip = keyed.ask("POST", path)
        assert oip.status == 401 and isinstance(oip.json["error"], str)
        assert oip.headers["content-type"] == "application/json"
    for path in ("/v1/chat/completions", "/v1/models"):
        openai = keyed.ask("GET", path)
        assert openai.status == 401
        assert set(openai.json["error"]) == {"message", "type", "param", "code"}


def test_a_change_of_the_key_file_needs_no_restart(start: Callable[..., Running], tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text(document(entry("old", KEY, "predict")))
    service = start(MODELSHIP_KEYS_FILE=str(file)).ready()
    new = "the-next-key-of-the-tests"
    assert (service.predict(GOOD, **bearer()).status, service.predict(GOOD, **bearer(new)).status) == (200, 401)
    other = tmp_path / "other"
    other.write_text(document(entry("new", new, "predict")))
    other.replace(file)
    service.until(lambda: True if service.predict(GOOD, **bearer(new)).status == 200 else None, "the new key")
    assert service.predict(GOOD, **bearer()).status == 401

    file.write_text("{ broken")
    service.event("keys_invalid")
    assert service.predict(GOOD, **bearer(new)).status == 200

    file.write_text(document(entry("old", KEY, "predict"), entry("new", new, "predict")))
    service.process.send_signal(signal.SIGHUP)
    service.event("keys_loaded", count=2)
    assert [service.predict(GOOD, **bearer(key)).status for key in (KEY, new)] == [200, 200]

    file.unlink()
    service.until(lambda: True if len([e for e in service.events if e["event"] == "keys_invalid"]) > 1 else None, "it")
    assert service.predict(GOOD, **bearer(new)).status == 200


def test_keys_that_cannot_be_read_are_no_open_door(start: Callable[..., Running], tmp_path: Path) -> None:
    for settings in (
        {"MODELSHIP_API_KEYS": "short"},
        {"MODELSHIP_API_KEYS": "{}"},
        {"MODELSHIP_KEYS_FILE": str(tmp_path / "nothing")},
    ):
        service = start(**settings)
        assert service.exit_code() == 2
        assert service.event("settings_invalid")["reason"]
        assert "short" not in b"".join(service.lines).decode()


def test_an_empty_list_of_keys_lets_nobody_in(start: Callable[..., Running]) -> None:
    service = start(MODELSHIP_API_KEYS='{"keys": []}', MODELSHIP_HOST="0.0.0.0").ready()
    assert service.predict(GOOD).status == 401
    assert service.predict(GOOD, **bearer()).status == 401


# Limits of a key


def test_requests_in_a_time_are_limited(start: Callable[..., Running]) -> None:
    own = entry("own", ADMIN, "predict", rate_limit={"requests": 2, "per": "hour"})
    keys = document(entry("ci", KEY, "predict"), own)
    service = start(MODELSHIP_API_KEYS=keys, MODELSHIP_RATE_LIMIT="3/minute").ready()
    left = []
    for _ in range(3):
        answer = service.predict(GOOD, **bearer())
        assert answer.status == 200 and answer.headers["x-ratelimit-limit-requests"] == "3"
        assert 0 < int(answer.headers["x-ratelimit-reset-requests"]) <= 60
        left.append(answer.headers["x-ratelimit-remaining-requests"])
    assert left == ["2", "1", "0"]
    refused = service.predict(GOOD, **bearer())
    assert (refused.status, refused.code) == (429, "rate_limited")
    assert 1 <= int(refused.headers["retry-after"]) <= 20
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    assert refused.headers["x-ratelimit-limit-requests"] == "3"
    # Another key has an account of its own; who is not known has none, and the probes cost nothing.
    assert service.predict(GOOD, **bearer(ADMIN)).headers["x-ratelimit-limit-requests"] == "2"
    assert "x-ratelimit-limit-requests" not in service.predict(GOOD).headers
    assert [service.ask("GET", "/readyz").status for _ in range(5)] == [200] * 5
    # What is wrong is paid for, too.
    assert service.predict(b"{", **bearer(ADMIN)).status == 400
    assert service.predict(GOOD, **bearer(ADMIN)).status == 429


def test_a_key_gets_its_requests_back(start: Callable[..., Running]) -> None:
    service = start(MODELSHIP_API_KEYS=f"ci={KEY}", MODELSHIP_RATE_LIMIT="2/second").ready()
    while service.predict(GOOD, **bearer()).status == 200:
        pass
    refused = service.predict(GOOD, **bearer())
    time.sleep(int(refused.headers["retry-after"]))
    assert service.predict(GOOD, **bearer()).status == 200


def at_work(service: Running, requests: int) -> bool | None:
    text = service.ask("GET", "/metrics", headers=bearer(ADMIN)).body
    return True if b"modelship_in_flight %d.0" % requests in text else None


def test_requests_at_a_time_are_limited(start: Callable[..., Running]) -> None:
    keys = document(entry("ci", KEY, "predict"), entry("boss", ADMIN, "admin"))
    service = start(MODELSHIP_API_KEYS=keys, MODELSHIP_MAX_CONCURRENCY="2").ready()
    slow = [threading.Thread(target=service.predict, args=({**GOOD, "wait": 1.0},), kwargs=bearer()) for _ in range(2)]
    for one in slow:
        one.start()
    service.until(lambda: at_work(service, 3), "two at work, and the one that asks")
    refused = service.predict(GOOD, **bearer())
    assert (refused.code, int(refused.headers["retry-after"]) >= 1) == ("too_many_requests", True)
    assert service.ask("GET", "/v1/model", headers=bearer(ADMIN)).status == 200
    for one in slow:
        one.join()
    assert service.predict(GOOD, **bearer()).status == 200


def test_a_client_that_leaves_makes_room(start: Callable[..., Running]) -> None:
    service = start(MODELSHIP_API_KEYS=f"ci={KEY}", MODELSHIP_MAX_CONCURRENCY="1").ready()
    with connect(service) as connection:
        connection.sendall(post(json.dumps({**GOOD, "wait": 2.0}).encode(), "/v1/predict", f"X-API-Key: {KEY}"))
        service.until(lambda: True if service.predict(GOOD, **bearer()).status == 429 else None, "it is at work")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert service.event("request", status=499)["key"] == "ci"
    service.until(lambda: True if service.predict(GOOD, **bearer()).status == 200 else None, "room")


# Where it listens


def test_without_keys_it_serves_this_machine_only(start: Callable[..., Running]) -> None:
    service = start(MODELSHIP_HOST="").ready()
    assert service.event("listening")["host"] == "127.0.0.1"
    assert service.event("loopback_only")["level"] == "warning"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com", "localhost.example.com"])
def test_without_keys_it_does_not_serve_others(start: Callable[..., Running], host: str) -> None:
    service = start(MODELSHIP_HOST=host)
    assert service.exit_code() == 2
    assert "MODELSHIP_API_KEYS" in service.event("settings_invalid")["reason"]
    assert "MODELSHIP_OPEN=1" in service.stderr


def test_unless_it_is_told_to_and_then_it_says_so(start: Callable[..., Running]) -> None:
    service = start(MODELSHIP_HOST="0.0.0.0", MODELSHIP_OPEN="1").ready()
    assert service.event("open")["level"] == "warning"
    assert service.predict(GOOD).status == 200


def test_with_keys_it_serves_all(start: Callable[..., Running]) -> None:
    service = start(MODELSHIP_HOST="", MODELSHIP_API_KEYS=f"ci={KEY}").ready()
    assert service.event("listening")["host"] == "0.0.0.0"


# Browsers


def cors_headers(answer: Answer) -> set[str]:
    return {name for name in answer.headers if name.startswith("access-control-")}


PREFLIGHT = {"origin": "https://app.example.com", "access-control-request-method": "POST"}


def test_other_origins_get_nothing_unless_it_is_set(service: Running) -> None:
    answer = service.predict(GOOD, origin="https://app.example.com")
    assert answer.status == 200 and not cors_headers(answer)
    preflight = service.ask("OPTIONS", "/v1/predict", headers=PREFLIGHT)
    assert preflight.status == 405 and not cors_headers(preflight)


def test_exact_origins(start: Callable[..., Running]) -> None:
    allowed = "https://app.example.com, http://localhost:3000"
    service = start(MODELSHIP_CORS_ORIGINS=allowed, MODELSHIP_API_KEYS=f"ci={KEY}").ready()
    for origin in ("https://app.example.com", "http://localhost:3000"):
        answer = service.predict(GOOD, origin=origin, **bearer())
        assert answer.headers["access-control-allow-origin"] == origin and answer.headers["vary"].lower() == "origin"
        assert "access-control-allow-credentials" not in answer.headers
        # An error has to be readable, too.
        assert service.predict(GOOD, origin=origin).headers["access-control-allow-origin"] == origin
        preflight = service.ask("OPTIONS", "/v1/predict", headers={**PREFLIGHT, "origin": origin})
        assert preflight.status == 204 and "POST" in preflight.headers["access-control-allow-methods"]
        assert "authorization" in preflight.headers["access-control-allow-headers"]
    for origin in (
        "https://app.example.com.evil.com",
        "https://evil.com/https://app.example.com",
        "http://app.example.com",
        "https://APP.example.com",
        "https://app.example.com:8443",
        "https://sub.app.example.com",
        "null",
        "*",
    ):
        answer = service.predict(GOOD, origin=origin, **bearer())
        assert answer.status == 200 and not cors_headers(answer) and answer.headers["vary"].lower() == "origin"
        preflight = service.ask("OPTIONS", "/v1/predict", headers={**PREFLIGHT, "origin": origin})
        assert preflight.status == 403 and not cors_headers(preflight)
    assert service.ask("OPTIONS", "/v1/predict", headers={"origin": "https://app.example.com"}).status == 401


def test_every_answer_has_the_headers_of_a_review(keyed: Running, start: Callable[..., Running]) -> None:
    answers = [
        keyed.predict(GOOD, **bearer()),
        keyed.predict(GOOD),
        keyed.predict(b"{", **bearer()),
        keyed.ask("GET", "/nothing", headers=bearer()),
        keyed.ask("GET", "/v1/predict", headers=bearer()),
        keyed.ask("GET", "/metrics", headers=bearer(METRICS)),
        keyed.ask("GET", "/openapi.json", headers=bearer()),
        keyed.ask("GET", "/readyz"),
        keyed.ask("GET", "/v2", headers=bearer()),
        keyed.predict({**GOOD, "fault": "raise"}, **bearer()),
        keyed.predict(GOOD, **bearer(), **{f"x-{n}": "" for n in range(200)}),
    ]
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-request-id"]
        assert "server" not in answer.headers
    refused = raw(keyed, b"this is no HTTP\r\n\r\n").lower()
    assert b"x-content-type-options: nosniff" in refused and b"cache-control: no-store" in refused
    assert json.loads(refused.split(b"\r\n\r\n")[1])["error"]["request_id"].encode() in refused.split(b"\r\n\r\n")[0]


# What is understood only in part


def test_what_came_before_nonsense_is_answered(service: Running) -> None:
    waits = json.dumps({**GOOD, "wait": 0.2}).encode()
    answer = raw(service, post(waits) + b"\x00\x01nonsense\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ") and answer.count(b"HTTP/1.1 ") == 1
    assert b'"total":6.0' in answer


def test_a_body_that_makes_no_sense_is_answered_once(service: Running) -> None:
    answer = raw(service, b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ") and answer.count(b"HTTP/1.1 ") == 1


def test_a_refused_client_may_send_on_and_reads_its_answer(service: Running) -> None:
    with connect(service) as connection:
        for _ in range(30):
            try:
                connection.sendall(b"no HTTP at all\r\n" * 1000)
            except OSError as error:
                raise AssertionError("the connection was reset before its answer was read") from error
            time.sleep(0.01)
        assert read_all(connection).startswith(b"HTTP/1.1 400 ")


@pytest.fixture(autouse=True)
def _nothing_failed(request: pytest.FixtureRequest) -> Iterator[None]:
    """None of it may be an error of the service's own."""
    yield
    for name in ("service", "keyed", "small"):
        if name in request.fixturenames:
            running: Running = request.getfixturevalue(name)
            assert not [event for event in running.events if event["event"] == "internal_error"]
