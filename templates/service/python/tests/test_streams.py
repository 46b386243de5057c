"""A model that is a generator, over real connections: events, errors, silence, slow readers and readers that leave."""

from __future__ import annotations

import json
import re
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from conftest import Running

MODEL = """
import time
from collections.abc import Iterator
from pathlib import Path
from pydantic import BaseModel


class Input(BaseModel):
    name: str = "a"
    pieces: int = 3
    wait: float = 0.0
    size: int = 0
    fail_at: int = -1
    fault: str = "raise"


class Piece(BaseModel):
    text: str
    number: float = 0.0


class Model:
    def load(self, files: Path) -> None:
        self.log = open("made.txt", "a", buffering=1)

    def predict(self, row: Input) -> Iterator[Piece]:
        made = 0
        try:
            for number in range(row.pieces):
                if number == row.fail_at:
                    if row.fault == "raise":
                        raise ValueError("secret of the user")
                    if row.fault == "exit":
                        raise SystemExit(9)
                    if row.fault == "type":
                        yield {"text": 1}
                    if row.fault == "nan":
                        yield Piece(text="", number=float("nan"))
                    if row.fault == "none":
                        yield None
                time.sleep(row.wait)
                made += 1
                yield Piece(text=f"{row.name}{number}" + "x" * row.size)
        except GeneratorExit:
            print(f"{row.name} was closed after {made}", file=self.log)
            raise
        finally:
            print(f"{row.name} ended after {made}", file=self.log)
"""


@pytest.fixture(scope="module")
def streams(start: Callable[..., Running]) -> Running:
    return start(MODEL, MODELSHIP_HEARTBEAT_S="0.1", MODELSHIP_MAX_STREAMS="8").ready()


def made(service: Running) -> str:
    """What the model has written down of its generators."""
    return Path(f"/proc/{service.process.pid}/cwd/made.txt").read_text()


def wait_for(service: Running, text: str, seconds: float = 10) -> float:
    started = time.monotonic()
    service.until(lambda: True if text in made(service) else None, text)
    took = time.monotonic() - started
    assert took < seconds, f"{text}: {took}"
    return took


def request(row: dict[str, Any], *headers: str) -> bytes:
    body = json.dumps(row).encode()
    lines = ["POST /v1/predict HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def open_stream(service: Running, row: dict[str, Any], *headers: str) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", service.port), timeout=20)
    connection.sendall(request(row, *headers))
    return connection


def read_until(connection: socket.socket, what: bytes) -> bytes:
    read = b""
    while what not in read:
        part = connection.recv(65_536)
        assert part, read[-300:]
        read += part
    return read


def frames(body: bytes) -> list[tuple[str, Any]]:
    """Events with their names and data, as the specification of server-sent events reads them."""
    found = []
    for block in body.decode().split("\n\n"):
        lines = [line for line in block.split("\n") if line and not line.startswith(":")]
        if not lines:
            continue
        fields = dict(line.split(": ", 1) for line in lines)
        found.append((fields.get("event", "message"), json.loads(fields["data"])))
    return found


def test_each_piece_is_an_event_and_the_end_is_one(streams: Running) -> None:
    answer = streams.predict({"pieces": 3})
    assert answer.status == 200 and answer.headers["content-type"] == "text/event-stream"
    assert answer.headers["cache-control"] == "no-store" and answer.headers["x-request-id"]
    pieces = [("message", {"text": f"a{number}", "number": 0.0}) for number in range(3)]
    assert frames(answer.body) == [*pieces, ("done", {})]
    assert frames(streams.predict({"pieces": 0}).body) == [("done", {})]


def test_one_row_may_come_in_a_list_and_two_may_not(streams: Running) -> None:
    assert frames(streams.predict({"rows": [{"pieces": 1}]}).body)[-1] == ("done", {})
    two = streams.predict({"rows": [{"pieces": 1}] * 2})
    assert (two.status, two.code) == (422, "invalid_input")


def test_who_reads_json_only_gets_all_pieces_at_once(streams: Running) -> None:
    answer = streams.predict({"pieces": 2}, accept="application/json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json == {"pieces": [{"text": "a0", "number": 0.0}, {"text": "a1", "number": 0.0}]}
    failed = streams.predict({"pieces": 2, "fail_at": 1}, accept="application/json")
    assert (failed.status, failed.code) == (500, "model_error")
    assert streams.predict({"pieces": 1}, accept="text/event-stream, application/json").body.startswith(b"data: ")


def test_pieces_arrive_as_they_are_made(streams: Running) -> None:
    with open_stream(streams, {"pieces": 3, "wait": 0.4}) as connection:
        started = time.monotonic()
        times = []
        for number in range(3):
            read_until(connection, b'"a%d"' % number)
            times.append(time.monotonic() - started)
    assert times[0] < 0.9 and times[1] - times[0] > 0.2 and times[2] - times[1] > 0.2


@pytest.mark.parametrize("fault", ["raise", "exit", "type", "nan", "none"])
def test_an_error_before_the_first_piece_has_a_status_of_its_own(streams: Running, fault: str) -> None:
    answer = streams.predict({"fail_at": 0, "fault": fault})
    assert (answer.status, answer.code) == (500, "model_error")
    assert b"secret" not in answer.body
    assert streams.event("model_error", request_id=answer.headers["x-request-id"])["reason"]


@pytest.mark.parametrize("fault", ["raise", "exit", "type", "nan", "none"])
def test_an_error_after_it_is_an_event_and_the_end(streams: Running, fault: str) -> None:
    answer = streams.predict({"pieces": 9, "fail_at": 2, "fault": fault})
    assert answer.status == 200
    *pieces, (name, told) = frames(answer.body)
    assert [piece["text"] for _, piece in pieces] == ["a0", "a1"]
    assert name == "error" and set(told["error"]) == {"code", "message", "request_id"}
    assert told["error"]["code"] == "model_error" and b"secret" not in answer.body
    assert streams.event("model_error", request_id=answer.headers["x-request-id"])["reason"]


@pytest.mark.parametrize("body", [{"pieces": "many"}, {"rows": []}, {"name": 1}])
def test_a_wrong_input_is_told_before_anything_streams(streams: Running, body: Any) -> None:
    answer = streams.predict(body)
    assert (answer.status, answer.code) == (422, "invalid_input")


def test_silence_is_broken(streams: Running) -> None:
    answer = streams.predict({"pieces": 2, "wait": 0.8})
    assert 8 <= answer.body.count(b": ") - answer.body.count(b"data: ") - answer.body.count(b"event: ") <= 20
    assert [name for name, _ in frames(answer.body)] == ["message", "message", "done"]


def test_an_error_after_a_long_silence_is_an_event(streams: Running) -> None:
    answer = streams.predict({"pieces": 2, "wait": 0.5, "fail_at": 1})
    assert [name for name, _ in frames(answer.body)] == ["message", "error"]


def test_who_does_not_read_is_not_run_ahead_of(streams: Running) -> None:
    with open_stream(streams, {"name": "unread", "pieces": 100_000, "size": 10_000}) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        read_until(connection, b"unread0")
        before = resident(streams)
        time.sleep(1.0)
        # Others are served meanwhile, and memory stays where it is.
        assert frames(streams.predict({"pieces": 2}).body)[-1] == ("done", {})
        assert resident(streams) - before < 10 * 1024 * 1024
    wait_for(streams, "unread was closed")
    [pieces] = re.findall(r"unread was closed after (\d+)", made(streams))
    # Of 10 kB each: what the buffers of both ends hold.
    assert int(pieces) < 2000


def resident(service: Running) -> int:
    [kilobytes] = re.findall(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{service.process.pid}/status").read_text())
    return int(kilobytes) * 1024


@pytest.mark.parametrize("how", ["close", "reset"])
def test_who_leaves_ends_the_work(streams: Running, how: str) -> None:
    with open_stream(streams, {"name": f"left-by-{how}-", "pieces": 10_000, "wait": 0.02}) as connection:
        read_until(connection, f"left-by-{how}-1".encode())
        if how == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert wait_for(streams, f"left-by-{how}- was closed after") < 1.5
    streams.event("request", status=499)


def test_who_leaves_while_nothing_comes_ends_the_work_too(streams: Running) -> None:
    with open_stream(streams, {"name": "silent", "pieces": 10_000, "wait": 1.0}) as connection:
        read_until(connection, b"still here")
    wait_for(streams, "silent was closed after", 5)


def test_who_leaves_while_it_waits_for_json_ends_the_work(streams: Running) -> None:
    with open_stream(
        streams, {"name": "collected", "pieces": 10_000, "wait": 0.02}, "Accept: application/json"
    ) as connection:
        time.sleep(0.3)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wait_for(streams, "collected was closed after", 2)


def test_streams_share_the_model_fairly(streams: Running) -> None:
    order: list[str] = []

    def follow(name: str) -> None:
        with open_stream(streams, {"name": name, "pieces": 40, "wait": 0.01}, "Connection: close") as connection:
            read = b""
            while part := connection.recv(65_536):
                read += part
                order.extend(re.findall(rf'"({name})\d+"', part.decode()))
        assert read.count(b"event: done") == 1

    clients = [threading.Thread(target=follow, args=(name,)) for name in "pqrs"]
    for one in clients:
        one.start()
    for one in clients:
        one.join()
    assert sorted(order) == sorted("pqrs" * 40)
    # When the first is at its end, the last has come nearly as far.
    first_end = max(place for place, name in enumerate(order) if order[: place + 1].count(name) <= 20)
    halves = {name: order[:first_end].count(name) for name in "pqrs"}
    assert min(halves.values()) > 8, halves


def test_streams_are_limited(streams: Running) -> None:
    with ExitStack() as kept:
        for number in range(8):
            connection = kept.enter_context(
                open_stream(streams, {"name": f"held{number}-", "pieces": 999, "wait": 0.05})
            )
            read_until(connection, b"text/event-stream")
        for accept in ("text/event-stream", "application/json"):
            refused = streams.predict({"pieces": 1}, accept=accept)
            assert (refused.status, refused.code) == (429, "overloaded")
            assert int(refused.headers["retry-after"]) >= 1
    streams.until(lambda: True if streams.predict({"pieces": 1}).status == 200 else None, "room")


def test_many_streams_leave_nothing_behind(streams: Running) -> None:
    for _ in range(50):
        streams.predict({"pieces": 2})
    before = resident(streams)
    for number in range(300):
        streams.predict({"pieces": 20, "fail_at": 10 if number % 3 == 0 else -1})
    assert resident(streams) - before < 8 * 1024 * 1024
    text = streams.ask("GET", "/metrics").body
    assert b"modelship_in_flight 1.0" in text


def test_a_signal_lets_a_stream_finish(start: Callable[..., Running]) -> None:
    service = start(MODEL, MODELSHIP_DRAIN_S="10").ready()
    with open_stream(service, {"pieces": 20, "wait": 0.1}) as connection:
        read = read_until(connection, b"a2")
        service.process.send_signal(signal.SIGTERM)
        service.event("draining")
        while part := connection.recv(65_536):
            read += part
    assert b'"a19"' in read and read.endswith(b"event: done\ndata: {}\n\n\r\n0\r\n\r\n")
    assert service.exit_code() == 0


def test_at_the_deadline_a_stream_is_told(start: Callable[..., Running]) -> None:
    service = start(MODEL, MODELSHIP_DRAIN_S="1").ready()
    with open_stream(service, {"pieces": 1000, "wait": 0.1}) as connection:
        read = read_until(connection, b"a2")
        started = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        while part := connection.recv(65_536):
            read += part
    assert time.monotonic() - started < 4
    assert b"event: error" in read and b'"code":"not_ready"' in read
    assert service.exit_code() == 0


def test_a_stream_has_a_line_in_the_log_when_it_is_over(streams: Running) -> None:
    streams.predict({"pieces": 2, "wait": 0.1}, **{"x-request-id": "streamed"})
    line = streams.event("request", request_id="streamed")
    assert line["status"] == 200 and line["ms"] > 150 and line["route"] == "/v1/predict"
