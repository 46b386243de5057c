"""Requests at a constant rate, whatever the server does: what callers who do not wait for one another see.

A request's latency starts when it was due, not when it could be sent, so a server that stalls is charged for all who
would have come meanwhile. One thread, plain sockets, and a spin over the last millisecond before each request: epoll
counts in milliseconds, which is too coarse for what is measured. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import select
import socket
import time
from collections import deque
from pathlib import Path

MAX_CONNECTIONS = 512
GRACE_S = 1.0


class Connection:
    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.due = 0.0
        self.unsent = memoryview(b"")
        self.received = bytearray()
        self.status = 0
        self.left = -1  # bytes of the answer still to come; -1 before its headers are complete

    def start(self, request: bytes, due: float) -> None:
        self.due, self.unsent, self.left = due, memoryview(request), -1
        self.received.clear()
        self.send()

    def send(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self.unsent = self.unsent[self.socket.send(self.unsent) :]

    def receive(self) -> bool:
        """True once the answer is complete."""
        chunk = self.socket.recv(65536)
        if not chunk:
            raise ConnectionError("closed in the middle of an answer")
        if self.left >= 0:
            self.left -= len(chunk)
            return self.left <= 0
        self.received += chunk
        end = self.received.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = bytes(self.received[: end + 2]).lower()
        at = head.find(b"\r\ncontent-length:")
        if at < 0:
            raise ConnectionError("an answer without Content-Length")
        self.status = int(head[9:12])
        self.left = int(head[at + 17 : head.index(b"\r\n", at + 2)]) - (len(self.received) - end - 4)
        return self.left <= 0


def drive(port: int, request: bytes, rate: float, warm_up_s: float, seconds: float) -> dict[str, float]:
    """Latencies of the requests due after the warm-up; `unanswered` are those still open a second after the last."""
    poller = select.epoll()
    idle: list[Connection] = []
    busy: dict[int, Connection] = {}
    waiting: deque[float] = deque()
    latencies: list[float] = []
    errors = sent = 0
    now = time.perf_counter
    start = now()
    measured = start + warm_up_s
    total = int(rate * (warm_up_s + seconds))
    end = start + total / rate

    def drop(connection: Connection) -> None:
        poller.unregister(connection.socket.fileno())
        connection.socket.close()

    while (sent < total or waiting or busy) and now() < end + GRACE_S:
        while sent < total and now() >= start + sent / rate:
            waiting.append(start + sent / rate)
            sent += 1
        while waiting and (idle or len(busy) < MAX_CONNECTIONS):
            if idle:
                connection = idle.pop()
            else:
                connection = Connection(port)
                poller.register(connection.socket.fileno(), select.EPOLLIN)
            busy[connection.socket.fileno()] = connection
            connection.start(request, waiting.popleft())
            if connection.unsent:
                poller.modify(connection.socket.fileno(), select.EPOLLIN | select.EPOLLOUT)
        until_next = start + sent / rate - now() if sent < total else 0.002
        for number, events in poller.poll(max(0.0, until_next - 0.0015)):
            connection = busy.get(number)
            if connection is None:  # an idle connection that the server has closed
                gone = next(one for one in idle if one.socket.fileno() == number)
                idle.remove(gone)
                drop(gone)
                continue
            try:
                if events & select.EPOLLOUT:
                    connection.send()
                    if not connection.unsent:
                        poller.modify(number, select.EPOLLIN)
                if not events & ~select.EPOLLOUT or not connection.receive():
                    continue
            except OSError:
                del busy[number]
                errors += connection.due >= measured
                drop(connection)
                continue
            del busy[number]
            idle.append(connection)
            if connection.due >= measured:
                if connection.status == 200:
                    latencies.append(now() - connection.due)
                else:
                    errors += 1
    latencies.sort()
    unanswered = sum(due >= measured for due in waiting) + sum(one.due >= measured for one in busy.values())
    figures = {"rate": rate, "requests": len(latencies), "errors": errors, "unanswered": unanswered + total - sent}
    if latencies:
        figures |= {"p50": latencies[len(latencies) // 2], "p99": latencies[int(len(latencies) * 0.99)]}
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", required=True)
    parser.add_argument("--body", type=Path, required=True)
    parser.add_argument("--header", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"))
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--warm-up", type=float, default=1.0)
    parser.add_argument("--seconds", type=float, default=5.0)
    given = parser.parse_args()
    body = given.body.read_bytes()
    headers = [("Host", f"127.0.0.1:{given.port}"), *given.header, ("Content-Length", str(len(body)))]
    head = f"POST {given.path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers) + "\r\n"
    gc.disable()
    print(json.dumps(drive(given.port, head.encode() + body, given.rate, given.warm_up, given.seconds)))


if __name__ == "__main__":
    main()
