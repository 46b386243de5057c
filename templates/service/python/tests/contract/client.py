"""A caller of the service, who knows its address and a key."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from conftest import PATIENCE_S, Answer


@dataclass(frozen=True)
class Caller:
    url: str
    key: str | None

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or 80

    def named(self, name: str) -> Caller:
        """With the key of that name; keys.json has their hashes."""
        return replace(self, key=f"{self.key}-{name}")

    def stranger(self) -> Caller:
        return replace(self, key=None)

    def headers(self, **more: str) -> dict[str, str]:
        return {**({"authorization": f"Bearer {self.key}"} if self.key else {}), **more}

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection(*self.address, timeout=PATIENCE_S)
        try:
            connection.request(method, path, body, self.headers(**headers))
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, response.read())
        finally:
            connection.close()

    def get(self, path: str) -> Answer:
        return self.ask("GET", path)

    def post(self, path: str, value: Any, **headers: str) -> Answer:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return self.ask("POST", path, body, **{"content-type": "application/json", **headers})

    def predict(self, value: Any, **headers: str) -> Answer:
        return self.post("/v1/predict", value, **headers)

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=PATIENCE_S)

    def head(self, path: str, **headers: str) -> bytes:
        """The head of a POST, for those who send its body in their own way."""
        lines = [f"POST {path} HTTP/1.1", "host: contract"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in self.headers(**headers).items()]
        return "\r\n".join([*lines, "", ""]).encode()


def until(check: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not check():
        assert time.monotonic() < end, f"waited for {what}"
        time.sleep(0.02)
